"""`freehold lineage`: from a call to the models that learned from it, and from a model to its calls."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from freehold.cli.options import json_option, open_workspace
from freehold.model.explanation import flat
from freehold.terminal import next_command, say, say_json, tell, terminal_width

if TYPE_CHECKING:
    from freehold.model.lineage import Contents, Lineage, ModelLine, Use

_HASH_CHARS = 16
_LEAST_WIDTH = 20
_PART = {"train": "learned from it", "dev": "was tuned with it", "proof": "was judged by it"}
_NONE = {"train": "no model learned from it", "dev": "no model was tuned with it", "proof": "no model was judged by it"}


@click.command()
@click.argument("id")
@click.option("--all", "is_all", is_flag=True, help="List all calls behind a dataset, a model or a verdict.")
@json_option
def lineage(id: str, *, is_all: bool, as_json: bool) -> None:  # noqa: A002  (the argument's name on the help page)
    """Show which models learned from a call, or from which calls.

    ID is a call, an example, a dataset, a model or a verdict; the beginning of one is enough, and of a call the end.
    """
    from freehold.ops.lineage import calls_behind, trace

    with open_workspace() as workspace:
        traced = trace(workspace, id)
        if as_json:
            behind: dict[str, list[str]] = {}
            for split, call_id in calls_behind(workspace, traced) if is_all else ():
                behind.setdefault(split, []).append(call_id)
            say_json(traced.plain() | ({"calls": behind} if is_all else {}))
        elif is_all and traced.kind != "call":
            for split, call_id in calls_behind(workspace, traced):
                say(f"{split:<5}  {call_id}")
        else:
            _say(traced)
        for problem in traced.problems:
            tell(problem)
    next_command(_next(traced))


def _say(traced: Lineage) -> None:
    task = f" of task {traced.task}" if traced.task else ""
    corrected = ", corrected" if traced.is_corrected else ""
    say(f"{traced.kind} {traced.id}{task}{corrected}")
    if traced.kind == "call":
        if traced.role:
            _line(traced.role, indent=2)
        for use in traced.uses:
            _line(_use(use), indent=2)
            for model in traced.models:
                if model.id in use.models:
                    _say_model(model, f"model {model.id} {_PART[use.split]}", indent=4)
            if not use.models:
                _line(_NONE[use.split], indent=4)
        if not traced.uses:
            say("  in no dataset: no model learned from it")
        return
    if traced.kind != "dataset":
        say(f"  dataset {(traced.dataset or '')[:_HASH_CHARS]}")
    for contents in traced.contents:
        _line(_contents(contents), indent=4)
    for model in traced.models:
        elsewhere = f", trained on dataset {model.dataset[:_HASH_CHARS]}" if model.dataset != traced.dataset else ""
        _say_model(model, f"model {model.id}, base {model.base}{elsewhere}", indent=2)
    if traced.recipe:
        _line("recipe " + ", ".join(f"{name} {value}" for name, value in flat(traced.recipe)), indent=2)


def _use(use: Use) -> str:
    by = "its correction" if use.source == "correction" else "its answer"
    how = f"{by} is the target" if use.is_kept else f"same input as example {use.example}"
    return f"dataset {use.dataset[:_HASH_CHARS]}, {use.split} split: {how}"


def _contents(contents: Contents) -> str:
    corrected = f", {contents.corrections:,} out of corrections" if contents.corrections else ""
    more = contents.calls - len(contents.first)
    listed = ", ".join(contents.first) + (f" and {more:,} more (--all)" if more > 0 else "")
    return f"{contents.split}: {contents.examples:,} examples out of {contents.calls:,} calls{corrected}: {listed}"


def _say_model(model: ModelLine, title: str, *, indent: int) -> None:
    _line(title, indent=indent)
    for verdict in model.verdicts:
        elsewhere = f", on dataset {verdict.dataset[:_HASH_CHARS]}" if verdict.dataset != model.dataset else ""
        _line(f"verdict {verdict.id}: {verdict.words}{elsewhere}", indent=indent + 2)
    for route in model.routes:
        now = ", in force" if route.is_in_force else ""
        _line(f"route version {route.version}: {route.kind}{now}", indent=indent + 2)


def _line(text: str, *, indent: int) -> None:
    """A line, folded between words where the terminal is narrower."""
    first, rest = " " * indent, " " * (indent + 2)
    width = max(terminal_width(), _LEAST_WIDTH)
    say(
        textwrap.fill(
            text,
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _next(traced: Lineage) -> str:
    if traced.kind == "call":
        return f"freehold lineage {traced.models[0].id}" if traced.models else f"freehold calls {traced.id}"
    verdicts = [verdict for model in traced.models for verdict in model.verdicts]
    return f"freehold receipts show {verdicts[-1].id}" if verdicts else "freehold tasks"
