"""Receipts as people use them: find one, see what stands around it, verify the chain, export it.

Verifying the database also holds verdicts, routes and the count of attempts against what receipts say. An exported file
is verified by itself, without any state folder. Not covered: the files that receipts name (`ops.artifact_checks`).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from freehold.errors import DataError, NotFoundError, UsageError
from freehold.model import Route, Verdict
from freehold.model.receipt import LONGEST_LINE_BYTES, START, Head, Receipt, read_lines, verify
from freehold.model.statement import agrees
from freehold.ops.heads import kept_heads
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace

_LEAST_HASH_CHARS = 4
_MOST_PROBLEMS = 100
_FILE_MODE = 0o600
_PROGRESS_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What verifying a chain found; `notes` are worth knowing and are no problem.

    Of very many problems the first are told, and how many more there are. `kept` counts the heads beside the chain.
    """

    receipts: int
    head: Head
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The receipts on both sides of one; None at an end of the chain, words for one that cannot be read."""

    before: Receipt | str | None
    after: Receipt | str | None


def find_receipt(workspace: Workspace, name: str) -> Receipt:
    """The receipt of this number, hash, beginning of a hash, or verdict; NotFoundError when there is none."""
    receipts, name = workspace.store.receipts, name.strip()
    number = int(name) if re.fullmatch(r"[0-9]{1,9}", name) else None
    if number is not None and number <= receipts.head().number:
        return _readable(receipts.numbered(number), name)
    of_verdict = receipts.of_verdict(name)
    if of_verdict is not None:
        return of_verdict
    numbers = receipts.beginning(name.lower()) if len(name) >= _LEAST_HASH_CHARS else []
    if len(numbers) > 1:
        raise UsageError(f"Several receipts have a hash that begins with {name!r}.", hint="Give more of it.")
    return _readable(receipts.numbered(numbers[0]) if numbers else None, name)


def neighbours(workspace: Workspace, receipt: Receipt) -> Neighbours:
    """What stands before and after a receipt."""
    numbered = workspace.store.receipts.numbered
    return Neighbours(numbered(receipt.number - 1) if receipt.number > 1 else None, numbered(receipt.number + 1))


def verify_database(workspace: Workspace, head: Head | None, report: Reporter) -> Verified:
    """Verify the chain of the database, and that verdicts and routes are what their receipts say.

    It must have this head, and all that were kept beside it (`ops.heads`).
    """
    kept = kept_heads(workspace.settings)
    reading = _Reading(total=workspace.store.receipts.head().number, report=report)
    wanted = reading.watch(workspace.store.receipts.stream())
    problems = list(kept.problems) + _first(verify(wanted, head, kept.heads))
    told = dict(reading.told)
    verdicts, routes = workspace.store.registry.verdicts(None), workspace.store.registry.route_history(None)
    for _ in reading.watch(workspace.store.receipts.stream(after=reading.last.number)):
        """What was put meanwhile is in the tables and belongs to what was told."""
    known: list[Verdict | Route] = [*verdicts, *reversed(routes)]
    differing, unknown = _compare(reading, known)
    problems += _elsewhere(workspace) + _uncounted(workspace, reading, verdicts)
    gone = told.keys() - {_key(value) for value in known}
    problems += differing
    problems += [f"receipt {told[key][0]} is of {_name(key)}, which is not in the database" for key in sorted(gone)]
    return Verified(
        receipts=reading.count, head=reading.last, problems=tuple(problems), notes=tuple(unknown), kept=len(kept.heads)
    )


def verify_file(path: Path, head: Head | None, report: Reporter) -> Verified:
    """Verify an exported file; UsageError when it cannot be read."""
    reading = _Reading(total=0, report=report)
    try:
        with path.open("rb") as file:
            lines = iter(lambda: file.readline(LONGEST_LINE_BYTES + 1), b"")
            problems = _first(verify(reading.watch(read_lines(lines)), head))
    except OSError as error:
        raise UsageError(
            f"The file {str(path)!r} cannot be read: {error.strerror}.", hint="Make one: freehold receipts export FILE"
        ) from error
    if not reading.count and not problems:
        problems = ["the file holds no receipt"]
    return Verified(receipts=reading.count, head=reading.last, problems=tuple(problems))


def export(workspace: Workspace, write: Callable[[str], object]) -> Head:
    """Write all receipts, a line each, and return the newest's number and hash; DataError where one is unreadable."""
    last = START
    for receipt in workspace.store.receipts.stream():
        if isinstance(receipt, str):
            raise DataError(f"The chain cannot be exported: {receipt}.", hint="Run: freehold receipts verify")
        write(receipt.line + "\n")
        last = Head(receipt.number, receipt.hash)
    return last


def export_file(workspace: Workspace, path: Path) -> Head:
    """Write all receipts to a new file, which is there whole or not at all; UsageError when something is there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.exists() or path.is_symlink():
            raise UsageError(f"There is something at {str(path)!r} already.", hint="Give a name that is not taken.")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    except OSError as error:
        raise UsageError(
            f"The file {str(path)!r} cannot be written: {error.strerror}.",
            hint="Name a file in a folder that is there.",
        ) from error
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            last = export(workspace, file.write)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return last


def _first(problems: Iterable[str]) -> list[str]:
    """The first problems, and how many more there are: a file that is no export has one in every line."""
    every = iter(problems)
    told = list(islice(every, _MOST_PROBLEMS))
    more = sum(1 for _ in every)
    return [*told, f"and {more:,} more problems"] if more else told


Key = tuple[str, str, int]
"""A verdict (its id) or a version of a task's route."""


@dataclass(slots=True)
class _Reading:
    """A chain as it is read: how far, and what was last told of each verdict and each version of a route."""

    total: int
    report: Reporter
    count: int = 0
    last: Head = START
    first_at: float | None = None
    told: dict[Key, tuple[int, object]] = field(default_factory=dict)

    def watch(self, found: Iterator[Receipt | str]) -> Iterator[Receipt | str]:
        """The same receipts, noted as they pass."""
        for receipt in found:
            if isinstance(receipt, Receipt):
                self._note(receipt)
            if self.count and self.count % _PROGRESS_EVERY == 0:
                total = max(self.total, self.count)
                self.report(Progress(stage="receipts", done=self.count, total=total, note="verified"))
            yield receipt

    def _note(self, receipt: Receipt) -> None:
        self.count += 1
        self.last = Head(receipt.number, receipt.hash)
        self.first_at = receipt.created_at if self.first_at is None else self.first_at
        with contextlib.suppress(DataError):  # a changed document is found by its hash, and tells nothing
            content = receipt.content
            said = content.get(receipt.kind)
            if isinstance(said, dict) and receipt.kind != "watch":
                kept = {name: content.get(name) for name in (receipt.kind, "figures")}
                self.told[_told_of(receipt, said)] = (receipt.number, kept)


def _compare(reading: _Reading, known: list[Verdict | Route]) -> tuple[list[str], list[str]]:
    """What differs from what was told of it; and, as notes, what nothing was told of because it is older."""
    problems, unknown = [], []
    begun: set[str] = set()
    for value in known:
        key = _key(value)
        number, said = reading.told.get(key, (None, None))
        if number is None:
            is_older = reading.first_at is None or value.created_at < reading.first_at
            if is_older and not (isinstance(value, Route) and value.task_id in begun):
                unknown.append(key)
            else:
                problems.append(f"{_name(key)} has no receipt: it was not written by Freehold")
            continue
        if isinstance(value, Route):
            begun.add(value.task_id)
        if not agrees(said, value):
            problems.append(f"{_name(key)} is not what receipt {number} says of it")
    notes = [
        f"{len(unknown)} verdicts and routes are older than the first receipt, so nothing can be held against them"
    ]
    newest = {_key(value) for value in {v.task_id: v for v in known if isinstance(v, Route)}.values()}
    notes += [f"{_name(key)} is in force and is one of them" for key in unknown if key in newest]
    return problems, notes if unknown else []


def _elsewhere(workspace: Workspace) -> list[str]:
    """Routes in force that are served out of another folder than their model's; receipts name no paths."""
    problems = []
    for task_id, route in workspace.store.registry.routes().items():
        card = workspace.store.registry.model(route.model_id) if route.model_id else None
        if card is not None and route.model_path not in (None, card.path):
            key = _name(("route", task_id, route.version))
            problems.append(f"{key} serves model {card.id} out of {route.model_path}, and it lies in {card.path}")
    return problems


def _uncounted(workspace: Workspace, reading: _Reading, verdicts: Iterable[Verdict]) -> list[str]:
    """Attempts of verdicts with a receipt that nothing counts any more: later proofs would spend too much."""
    told = [(verdict, reading.told[key][0]) for verdict in verdicts if (key := _key(verdict)) in reading.told]
    attempts = {
        task_id: workspace.store.attempts.of_task(task_id) for task_id in {verdict.task_id for verdict, _ in told}
    }
    counted = {(task_id, attempt.number) for task_id, found in attempts.items() for attempt in found}
    return [
        f"attempt {verdict.attempt} of task {verdict.task_id}, of which receipt {number} tells, is not counted any more"
        for verdict, number in told
        if (verdict.task_id, verdict.attempt) not in counted
    ]


def _told_of(receipt: Receipt, said: Mapping[str, object]) -> Key:
    if receipt.kind == "verdict":
        return ("verdict", str(said.get("id")), 0)
    version = said.get("version")
    return ("route", receipt.task_id, version if isinstance(version, int) else 0)


def _key(value: Verdict | Route) -> Key:
    return ("verdict", value.id, 0) if isinstance(value, Verdict) else ("route", value.task_id, value.version)


def _name(key: Key) -> str:
    return f"verdict {key[1]}" if key[0] == "verdict" else f"version {key[2]} of the route of task {key[1]}"


def _readable(found: Receipt | str | None, name: str) -> Receipt:
    if found is None:
        raise NotFoundError(
            f"There is no receipt {name!r}.", hint="Give a number, the beginning of a hash or a verdict's id."
        )
    if isinstance(found, str):
        raise DataError(f"{found[:1].upper()}{found[1:]}.", hint="Run: freehold receipts verify")
    return found
