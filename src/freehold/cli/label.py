"""`freehold label`: people compare two answers to a call, without knowing whose they are."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freehold.cli.options import json_option, open_workspace, setting_option
from freehold.errors import UsageError
from freehold.settings import Value
from freehold.terminal import next_command, reporting, say_json, say_rows, tell, terminal_width

if TYPE_CHECKING:
    from freehold.pipeline.workspace import Workspace
    from freehold.prove.run.label import Comparison, Pair

_PAIRS = 20
_LONGEST_TEXT = 20_000
_LEGEND = "1 or 2: that one is better   =: neither   s: skip   b: back   q: quit"
_KEPT = {"1": "answer 1 is better", "2": "answer 2 is better", "same": "neither is better", "skip": "skipped"}
_CHOICES = {
    "1": "1",
    "2": "2",
    "=": "same",
    "0": "same",
    "same": "same",
    "s": "skip",
    "skip": "skip",
    "b": "back",
    "back": "back",
    "q": "quit",
    "quit": "quit",
    "\x03": "quit",
    "\x04": "quit",
}


@click.command()
@click.argument("task")
@click.option("--model", help="Model whose answers are compared (default: the newest).")
@click.option("-n", "--n", "count", type=click.IntRange(min=1), help="Most pairs (default: 20; --export: all).")
@click.option("--by", help="Who decides (default: the user of this shell).")
@click.option("--export", "export_to", type=click.Path(path_type=Path), help="Write the open pairs to this JSONL file.")
@click.option("--import", "import_from", type=click.Path(path_type=Path), help="Read decisions from this JSONL file.")
@click.option("--list", "is_listed", is_flag=True, help="List the decisions so far.")
@setting_option("prove.labels", "--labels")
@setting_option("prove.seed", "--seed")
@json_option
def label(
    task: str,
    *,
    model: str | None,
    count: int | None,
    by: str | None,
    export_to: Path | None,
    import_from: Path | None,
    is_listed: bool,
    as_json: bool,
    **flags: Value | None,
) -> None:
    """Compare the owned model's answers to TASK with the provider's.

    Pairs come in an order that the seed draws, each answer on a side that it draws, too. Each decision is kept at
    once. `freehold prove` uses them where nothing was corrected, and for free text.
    """
    from freehold.prove.run.label import compare
    from freehold.prove.run.label_files import import_labels

    if sum((export_to is not None, import_from is not None, is_listed)) > 1:
        raise UsageError("Of --export, --import and --list only one can be done.", hint="Give one of them.")
    who = by if by is not None else os.environ.get("USER") or os.environ.get("LOGNAME") or "me"
    with open_workspace(flags, task=task) as workspace:
        with reporting() as report:
            comparison = compare(workspace, task, model, report)
        if export_to is not None:
            _export(comparison, export_to, count)
        elif import_from is not None:
            kept, undecided = import_labels(workspace, comparison, import_from, by=who)
            tell(f"{kept:,} decisions are kept, {undecided:,} rows were left undecided.")
        elif is_listed:
            _list(comparison, drawn_by(flags), as_json=as_json)
        else:
            _session(workspace, comparison, count or _PAIRS, who)
        if not is_listed:
            _end(compare(workspace, task, comparison.model_id, lambda _: None), drawn_by(flags), as_json=as_json)


def drawn_by(flags: Mapping[str, Value | None]) -> str:
    """The options that say which pairs are drawn, as they were given: the next command has to have them, too."""
    names = {"prove__labels": "--labels", "prove__seed": "--seed"}
    return "".join(f" {option} {flags[name]}" for name, option in names.items() if flags.get(name) is not None)


def _session(workspace: Workspace, comparison: Comparison, count: int, by: str) -> None:
    from freehold.prove.run.label import keep, source

    source(by)
    pairs = comparison.open_pairs[:count]
    if pairs and pairs[0].instructions:
        tell(f"What all of these calls were told:\n{_quoted(pairs[0].instructions)}\n")
    at = 0
    while at < len(pairs):
        pair = pairs[at]
        tell(f"\n--- {at + 1} of {len(pairs)} " + "-" * 40)
        _show(pair)
        choice = _choice()
        if choice == "quit":
            return
        if choice == "back":
            at = max(0, at - 1)
            continue
        if choice != "skip":
            keep(workspace, comparison, {pair.example_id: pair.preferred(choice)}, by=by)
        tell(f"  {_KEPT[choice]}")
        at += 1


def _show(pair: Pair) -> None:
    for title, text in (("asked", pair.request), ("answer 1", pair.first), ("answer 2", pair.second)):
        tell(f"{title}\n{_quoted(text)}\n")
    tell(_LEGEND)


def _choice() -> str:
    """What was decided: a key on a terminal, else a line of stdin; the end of either quits."""
    while True:
        try:
            typed = click.getchar() if sys.stdin.isatty() else sys.stdin.readline()
        except (EOFError, KeyboardInterrupt):
            return "quit"
        if not typed:
            return "quit"
        choice = _CHOICES.get(typed.strip().lower() or typed)
        if choice is not None:
            return choice
        tell(_LEGEND)


def _quoted(text: str) -> str:
    """A text of others, line by line behind a bar; `tell` makes control characters visible."""
    shown = text[:_LONGEST_TEXT]
    if len(text) > len(shown):
        shown += f"\n[{len(text) - len(shown):,} more characters]"
    width = max(20, terminal_width() - 4)
    lines = [part for line in shown.splitlines() or [""] for part in _folded(line, width)]
    return "\n".join(f"  | {line}" for line in lines)


def _folded(line: str, width: int) -> list[str]:
    """A line in parts that fit; what is lost is white space where it was cut."""
    return textwrap.wrap(line, width, replace_whitespace=False, break_on_hyphens=False) or [""]


def _export(comparison: Comparison, path: Path, count: int | None) -> None:
    from freehold.prove.run.label_files import export_rows

    pairs = comparison.open_pairs[:count]
    rows = export_rows(comparison, pairs)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except FileExistsError as error:
        raise UsageError(f"{str(path)!r} is there already.", hint="Choose another file.") from error
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}.", hint="Choose another file.") from error
    tell(f"{len(rows):,} pairs are in {path}.\nSet `preferred` to 1, 2 or same in each row, then --import it.")


def _list(comparison: Comparison, drawn: str, *, as_json: bool) -> None:
    places = {pair.example_id: pair.place for pair in comparison.pairs}
    rows = [
        {
            "example_id": given.example_id,
            "place": places[given.example_id],
            "source": given.source,
            "preferred": given.preferred,
            "created_at": given.created_at,
        }
        for given in comparison.labels
    ]
    rows.sort(key=lambda row: (row["place"], row["source"]))
    if as_json:
        say_json({"model_id": comparison.model_id, **_figures(comparison), "labels": rows})
        return
    cells = [(row["place"], row["example_id"], row["source"], row["preferred"]) for row in rows]
    say_rows(("place", "example", "source", "preferred"), cells, right=(0,), flexible=1)
    _end(comparison, drawn, as_json=False)


def _figures(comparison: Comparison) -> dict[str, int]:
    done = comparison.differing - len(comparison.open_pairs)
    return {
        "planned": comparison.planned,
        "differing": comparison.differing,
        "decided": done,
        "open": len(comparison.open_pairs),
    }


def _end(comparison: Comparison, drawn: str, *, as_json: bool) -> None:
    figures, name = _figures(comparison), comparison.task.name
    if as_json:
        say_json({"model_id": comparison.model_id, **figures})
    same = figures["planned"] - figures["differing"]
    tell(
        f"{figures['planned']:,} pairs are planned; {same:,} have the same answer twice.\n"
        f"{figures['decided']:,} of the other {figures['differing']:,} are decided."
    )
    if comparison.waiting:
        tell(f"{comparison.waiting:,} of these count once the skipped pairs before them are decided.")
    next_command(f"freehold {'label' if figures['open'] else 'prove'} {name}{drawn}")
