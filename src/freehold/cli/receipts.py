"""`freehold receipts`: list, show, verify and export what was decided."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freehold.cli.options import json_option, open_workspace
from freehold.errors import DataError, NotFoundError, UsageError
from freehold.terminal import next_command, reporting, say, say_json, say_rows, shorten, tell, terminal_width

if TYPE_CHECKING:
    from freehold.model.receipt import Head, Receipt
    from freehold.ops.artifact_checks import ArtifactCheck
    from freehold.ops.receipts import Neighbours, Verified
    from freehold.pipeline.workspace import Workspace

_HASH_CHARS = 12
_LABEL_CHARS = 10
_TASK_CHARS = 16
_MINUTE_CHARS = len("2027-01-31 18:00")
_EMPTY = "There are no receipts yet: each verdict and each change of a route from now on gets one."


@click.group(invoke_without_command=True)
@click.option("--task", help="Receipts of this task.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Most receipts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line per receipt instead of text.")
@click.pass_context
def receipts(ctx: click.Context, *, task: str | None, limit: int, as_json: bool) -> None:
    """List what was decided, by whom, and verify it.

    Every verdict and every change of a route has a receipt, sealed with the one before it. Receipts are never changed
    and never deleted. Newest last.
    """
    if ctx.invoked_subcommand is None:
        with open_workspace() as workspace:
            _list(workspace, task, limit, as_json=as_json)


@receipts.command()
@click.argument("receipt")
@click.option("--files", is_flag=True, help="Look whether the files that it names are still what they were.")
@json_option
def show(receipt: str, *, files: bool, as_json: bool) -> None:
    """Explain one receipt in plain words.

    RECEIPT is its number, the beginning of its hash, or the id of a verdict.
    """
    from freehold.ops.artifact_checks import artifact_checks
    from freehold.ops.receipts import find_receipt, neighbours

    with open_workspace() as workspace:
        found = find_receipt(workspace, receipt)
        around = neighbours(workspace, found)
        looked = list(artifact_checks(workspace, [found])) if files else []
    if as_json:
        line = json.loads(found.line) | {"is_sealed": found.is_sealed}
        say_json(line | ({"files": [_plain(exhibit) for exhibit in looked]} if files else {}))
    else:
        _say_receipt(found, around, looked)
    next_command("freehold receipts verify")


@receipts.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--head", "known", metavar="N:HASH", help="A head that was kept elsewhere; the chain must have it.")
@click.option("--files", is_flag=True, help="Also look whether datasets, models and reports are what they were.")
@json_option
def verify(file: Path | None, *, known: str | None, files: bool, as_json: bool) -> None:
    """Check the whole chain, of this state folder or of an exported FILE.

    A state folder's chain must have every head that was kept beside it, and where receipts.heads says. A FILE needs
    nothing else, and without --head nobody can tell whether its end was cut off, or all of it was written anew. Exit
    code 1 when anything is wrong.
    """
    from freehold.model.receipt import read_head
    from freehold.ops.receipts import verify_database, verify_file

    head = None if known is None else read_head(known)
    if file is not None and files:
        raise UsageError("--files looks at this state folder, not at a file.", hint="Leave FILE out.")
    looked: list[ArtifactCheck] = []
    with reporting() as report:
        if file is not None:
            verified = verify_file(file, head, report)
        else:
            with open_workspace() as workspace:
                verified = verify_database(workspace, head, report)
                looked = _look(workspace) if files else []
    _say_verified(verified, looked, is_headed=head is not None or verified.kept > 0, as_json=as_json)


@receipts.command()
@click.argument("file", type=click.Path(path_type=Path))
def export(file: Path) -> None:
    """Write all receipts to FILE, a line of JSON each; - is standard output.

    Whoever has the file can verify it: freehold receipts verify FILE, or with a few lines of any language.
    """
    from freehold.ops.receipts import export as write_all
    from freehold.ops.receipts import export_file

    with open_workspace() as workspace:
        if workspace.store.receipts.head().number == 0:
            raise NotFoundError(_EMPTY, hint="Run: freehold prove TASK")
        head = write_all(workspace, sys.stdout.write) if str(file) == "-" else export_file(workspace, file)
    tell(f"{head.number:,} receipts. Newest: {head}")
    next_command(f"freehold receipts verify {file}")


@receipts.command("head")
@json_option
def head_(*, as_json: bool) -> None:
    """Print the newest receipt's number and hash.

    Keep it where nobody who can write to this machine can change it: a mail, a ticket, a piece of paper. Later
    `freehold receipts verify --head` shows that nothing up to there was changed or cut off.
    """
    with open_workspace() as workspace:
        head = workspace.store.receipts.head()
    if as_json:
        say_json({"number": head.number, "hash": head.hash})
    else:
        say(str(head))
    next_command(f"keep it elsewhere; later: freehold receipts verify --head {head.number}:{head.hash[:16]}")


def _list(workspace: Workspace, task: str | None, limit: int, *, as_json: bool) -> None:
    table = workspace.store.receipts
    found = table.newest(limit, None if task is None else _task_id(workspace, task))
    if as_json:
        for receipt in found:
            say_json({"problem": receipt} if isinstance(receipt, str) else json.loads(receipt.line))
        return
    rows = [_row(receipt) for receipt in found]
    say_rows(("no", "when", "task", "what", "by"), rows, right=(0,), flexible=3)
    head = table.head()
    tell(f"{len(rows):,} of {head.number:,} receipts." if head.number else _EMPTY)
    if not head.number and (older := _older(workspace)):
        tell(f"{older:,} verdicts and routes are older than receipts and have none.")
    next_command(f"freehold receipts show {head.number}" if head.number else "freehold prove TASK")


def _task_id(workspace: Workspace, name: str) -> str:
    """The id of a task; receipts outlive tasks, so an id that only they know is taken as it is."""
    try:
        return workspace.task(name).id
    except NotFoundError:
        if not workspace.store.receipts.newest(1, name):
            raise
        return name


def _older(workspace: Workspace) -> int:
    return len(workspace.store.registry.verdicts(None)) + len(workspace.store.registry.route_history(None))


def _row(receipt: Receipt | str) -> tuple[str, ...]:
    from freehold.model.explanation import moment
    from freehold.model.statement import headline

    if isinstance(receipt, str):
        return ("?", "", "", receipt, "")
    try:
        said = receipt.content
    except DataError as error:
        return (str(receipt.number), moment(receipt.created_at)[:_MINUTE_CHARS], "", error.message, "")
    task = shorten(str(said.get("task") or receipt.task_id), _TASK_CHARS)
    when = moment(receipt.created_at)[:_MINUTE_CHARS]
    return (str(receipt.number), when, task, headline(said), str(said.get("decided_by")))


def _say_receipt(found: Receipt, around: Neighbours, looked: list[ArtifactCheck]) -> None:
    from freehold.model.explanation import explain

    sealed = "its hash is that of what it says" if found.is_sealed else "CHANGED: its hash is not that of what it says"
    kind = {"verdict": "a verdict", "route": "a change of a route", "watch": "a step of the watch"}[found.kind]
    lines = [
        ("receipt", f"{found.number}, {kind}; {sealed}"),
        *explain(found),
        ("hash", found.hash),
        ("previous", _neighbour(around.before, "none: it is the first", wanted=found.previous)),
        ("next", _neighbour(around.after, "none: it is the newest", wanted=None)),
        *(("file", exhibit.words) for exhibit in looked),
    ]
    last = ""
    for label, text in lines:
        say(_labelled("" if label == last else label, text))
        last = label


def _labelled(label: str, text: str) -> str:
    """A line with its label, folded between words where the terminal is narrower."""
    first, rest = f"{label:<{_LABEL_CHARS}}", " " * _LABEL_CHARS
    width = max(terminal_width(), 2 * _LABEL_CHARS)
    folded = textwrap.wrap(text, width - _LABEL_CHARS, break_long_words=False, break_on_hyphens=False)
    return first + f"\n{rest}".join(folded or [""])


def _neighbour(receipt: Receipt | str | None, at_end: str, *, wanted: str | None) -> str:
    from freehold.model.statement import headline

    if receipt is None:
        return at_end
    if isinstance(receipt, str):
        return receipt
    broken = "" if wanted in (None, receipt.hash) else "; NOT the one that it was sealed with"
    try:
        said = headline(receipt.content)
    except DataError as error:
        return error.message
    return f"receipt {receipt.number}, {receipt.kind}: {said} ({receipt.hash[:_HASH_CHARS]}){broken}"


def _look(workspace: Workspace) -> list[ArtifactCheck]:
    from freehold.model.receipt import Receipt
    from freehold.ops.artifact_checks import artifact_checks

    sealed = (r for r in workspace.store.receipts.stream() if isinstance(r, Receipt) and r.is_sealed)
    return list(artifact_checks(workspace, sealed))


def _say_verified(verified: Verified, looked: list[ArtifactCheck], *, is_headed: bool, as_json: bool) -> None:
    is_ok = not verified.problems and all(exhibit.is_sound for exhibit in looked)
    head: Head = verified.head
    if as_json:
        files = [_plain(exhibit) for exhibit in looked]
        counted = {"ok": is_ok, "receipts": verified.receipts, "head": str(head), "kept_heads": verified.kept}
        say_json(counted | {"problems": verified.problems, "notes": verified.notes, "files": files})
    else:
        for line in (*verified.problems, *(exhibit.words for exhibit in looked)):
            say(line)
        if not verified.problems:
            kept = f"; kept heads that agree: {verified.kept:,}" if verified.kept else ""
            say(f"whole: {verified.receipts:,} receipts, the newest is {head}{kept}")
        for note in verified.notes:
            tell(note)
        if not is_headed and not verified.problems:
            tell("Without --head it cannot be told whether the end was cut off or all of it was written anew.")
    if is_ok:
        next_command("freehold receipts head, and keep it elsewhere")
        return
    next_command("compare with a backup or an export; what a receipt said: freehold receipts show N")
    sys.exit(1)


def _plain(exhibit: ArtifactCheck) -> dict[str, object]:
    return asdict(exhibit) | {"path": str(exhibit.path) if exhibit.path else None}
