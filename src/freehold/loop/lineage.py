"""Lineage: from a call to the models that learned from it, and from a model to its calls.

    call -> datasets with it, by split -> models trained on them -> verdicts -> routes

A dataset's files say which calls are behind each example: the call whose answer was kept and those with the same input
whose answers were weighed. A model learns from the train split; dev chooses its checkpoint and fits its confidence,
proof judges it. The files are read line by line. Not covered: calls that only nearly repeat an example's input, which
are in no dataset; who corrected an answer, which nobody records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import msgspec

from freehold.core import ModelCard, Route
from freehold.core.dataset import SPLITS, Split
from freehold.errors import NotFoundError, UsageError
from freehold.loop.estate import Estate
from freehold.store import DatasetRow

Kind = Literal["call", "dataset", "model", "verdict"]
FIRST_CALLS = 3
_LEAST_ID_CHARS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A call in a dataset: `example` is the example that it is behind, `is_kept` whether its own answer was kept."""

    dataset: str
    split: Split
    example: str
    is_kept: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """A verdict on a model, and what it says."""

    id: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLine:
    """A version of a route that used a model."""

    version: int
    kind: str
    is_in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """A model and what followed from it, oldest first."""

    id: str
    dataset: str
    base: str
    verdicts: tuple[VerdictLine, ...]
    routes: tuple[RouteLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The calls of one split: `examples` are lines, `calls` all ids behind them, `corrections` the corrected."""

    split: Split
    examples: int
    calls: int
    corrections: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What came of a thing and what it came from; `problems` say where that cannot be told."""

    kind: Kind
    id: str
    task: str | None
    uses: tuple[Use, ...] = ()
    is_corrected: bool = False
    dataset: str | None = None
    contents: tuple[Contents, ...] = ()
    models: tuple[ModelLine, ...] = ()
    recipe: dict[str, object] | None = None
    problems: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """The lineage as JSON-able values."""
        return asdict(self)


class _Row(msgspec.Struct):
    """What a line of a dataset says about calls."""

    id: str
    source: str
    also: tuple[str, ...] = ()


def trace(estate: Estate, name: str) -> Lineage:
    """The lineage of a call, an example, a dataset, a model or a verdict, by its id or the beginning of one."""
    kind, found = _find(estate, name)
    if kind == "call":
        return _of_call(estate, found)
    card: ModelCard | None = None
    dataset_hash = found
    if kind == "verdict":
        verdict = estate.store.book.verdict(found)
        card = None if verdict is None else estate.store.book.model(verdict.model_id)
        dataset_hash = "" if verdict is None else verdict.dataset_hash
    elif kind == "model":
        card = estate.store.book.model(found)
        dataset_hash = "" if card is None else card.dataset_hash
    row = estate.store.book.dataset(dataset_hash)
    contents, problems = ([], [f"dataset {dataset_hash} is not in the record"]) if row is None else _contents(row)
    cards = estate.store.book.models(None) if kind == "dataset" else [card] if card else []
    own = [card for card in cards if card.dataset_hash == dataset_hash or kind != "dataset"]
    return Lineage(
        kind=kind,
        id=found,
        task=None if row is None else row.manifest.task,
        dataset=dataset_hash,
        contents=tuple(contents),
        models=tuple(_model_lines(estate, own)),
        recipe=card.recipe if card else None,
        problems=tuple(problems),
    )


def calls_behind(estate: Estate, lineage: Lineage) -> Iterator[tuple[Split, str]]:
    """All calls behind a dataset, a model or a verdict, with their split."""
    row = estate.store.book.dataset(lineage.dataset or "")
    for split in SPLITS if row else ():
        path = Path(row.path) / f"{split}.jsonl" if row else Path()
        if path.is_file():
            for line in _lines(path):
                example = _decode(line)
                for call_id in (example.id, *example.also) if example else ():
                    yield split, call_id


def _find(estate: Estate, name: str) -> tuple[Kind, str]:
    """What is meant by a name; UsageError when it could be several things."""
    book = estate.store.book
    known: list[tuple[Kind, str]] = [
        *(("verdict", verdict.id) for verdict in book.verdicts(None)),
        *(("model", card.id) for card in book.models(None)),
        *(("dataset", row.id) for row in book.datasets(None)),
    ]
    exact = [thing for thing in known if thing[1] == name]
    near = [thing for thing in known if len(name) >= _LEAST_ID_CHARS and thing[1].startswith(name)]
    call = estate.store.calls.get(name)
    if call is not None:
        near.append(("call", call.id))
    found = exact or near
    if len(found) > 1:
        listed = ", ".join(f"{kind} {thing_id}" for kind, thing_id in found[:4])
        raise UsageError(f"{name!r} could be several things: {listed}.", hint="Give more of the id.")
    if found:
        return found[0]
    if any(True for row in book.datasets(None) for _ in _uses(row, name, [])):
        return "call", name
    raise NotFoundError(
        f"There is no single call, example, dataset, model or verdict {name!r}.", hint="Ids stand in: freehold calls"
    )


def _of_call(estate: Estate, call_id: str) -> Lineage:
    problems: list[str] = []
    call = estate.store.calls.get(call_id)
    rows = estate.store.book.datasets(None)
    uses = tuple(use for row in rows for use in _uses(row, call_id, problems))
    hashes = {use.dataset for use in uses}
    cards = [card for card in estate.store.book.models(None) if card.dataset_hash in hashes]
    names = {task.id: task.name for task in estate.store.book.tasks()}
    feedback = estate.store.calls.feedback_of(call_id)
    if call is not None and not uses:
        problems += [_why_unseen(row) for row in rows if row.task_id == call.task_id and _keeps_one_id(row)]
    return Lineage(
        kind="call",
        id=call_id,
        task=names.get(call.task_id or "")
        if call
        else next((row.manifest.task for row in rows if row.id in hashes), None),
        uses=uses,
        is_corrected=any(item.kind == "correction" for item in feedback),
        models=tuple(_model_lines(estate, cards)),
        problems=tuple(problems),
    )


def _uses(row: DatasetRow, call_id: str, problems: list[str]) -> Iterator[Use]:
    """The examples of a dataset that a call is behind; adds to `problems` what could not be read."""
    needle = msgspec.json.encode(call_id)
    for split in SPLITS:
        path = Path(row.path) / f"{split}.jsonl"
        if not path.is_file():
            problems.append(f"{path.name} of dataset {row.id[:16]} is gone: whether the call was in it cannot be told")
            continue
        digest = hashlib.sha256()
        for line in _lines(path):
            digest.update(line)
            example = _decode(line) if needle in line else None
            if example is not None and call_id in (example.id, *example.also):
                is_kept = call_id == example.id
                yield Use(dataset=row.id, split=split, example=example.id, is_kept=is_kept, source=example.source)
        if digest.hexdigest() != row.manifest.files.get(path.name):
            problems.append(f"{path.name} of dataset {row.id[:16]} is not what was frozen: {path}")


def _contents(row: DatasetRow) -> tuple[list[Contents], list[str]]:
    """What each split of a dataset holds, and what is wrong with its files."""
    contents, problems = [], []
    for split in SPLITS:
        path = Path(row.path) / f"{split}.jsonl"
        if not path.is_file():
            problems.append(f"{path.name} of dataset {row.id[:16]} is gone: its calls cannot be told")
            continue
        digest, examples, calls, corrections = hashlib.sha256(), 0, 0, 0
        first: list[str] = []
        for line in _lines(path):
            digest.update(line)
            example = _decode(line)
            if example is not None:
                examples, calls = examples + 1, calls + 1 + len(example.also)
                corrections += example.source == "correction"
                first += (example.id, *example.also)[: FIRST_CALLS - len(first)]
        if digest.hexdigest() != row.manifest.files.get(path.name):
            problems.append(f"{path.name} of dataset {row.id[:16]} is not what was frozen: {path}")
        contents.append(
            Contents(split=split, examples=examples, calls=calls, corrections=corrections, first=tuple(first))
        )
    if _keeps_one_id(row) and sum(c.calls for c in contents) == sum(c.examples for c in contents):
        problems.append(_why_unseen(row))
    return contents, problems


def _keeps_one_id(row: DatasetRow) -> bool:
    """Whether calls with the same input were left out; older datasets do not name them."""
    return bool(row.manifest.dropped.get("exact_duplicate") or row.manifest.dropped.get("conflicting"))


def _why_unseen(row: DatasetRow) -> str:
    left_out = sum(row.manifest.dropped.get(reason, 0) for reason in ("exact_duplicate", "conflicting"))
    return f"dataset {row.id[:16]} left out {left_out} calls with inputs that it has already, and may not name them"


def _model_lines(estate: Estate, cards: Sequence[ModelCard]) -> Iterator[ModelLine]:
    verdicts, routes = estate.store.book.verdicts(None), estate.store.book.route_history(None)
    current = {task_id: route.version for task_id, route in estate.store.book.routes().items()}
    for card in cards:
        yield ModelLine(
            id=card.id,
            dataset=card.dataset_hash,
            base=card.base,
            verdicts=tuple(VerdictLine(id=v.id, words=v.words) for v in reversed(verdicts) if v.model_id == card.id),
            routes=tuple(_route_line(r, current) for r in reversed(routes) if r.model_id == card.id),
        )


def _route_line(route: Route, current: dict[str, int]) -> RouteLine:
    is_in_force = current.get(route.task_id) == route.version
    return RouteLine(version=route.version, kind=route.kind, is_in_force=is_in_force)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _decode(line: bytes) -> _Row | None:
    """A line's example; None for one that cannot be read, which the file's hash tells."""
    try:
        return msgspec.json.decode(line, type=_Row)
    except msgspec.MsgspecError:
        return None
