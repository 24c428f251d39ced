"""Lineage: from a call to the models that learned from it, and from a model to its calls.

    call -> datasets with it, by split -> models trained on them -> verdicts -> routes

A dataset's files say which calls are behind each example: the call whose answer was kept and those with the same input
whose answers were weighed. A model learns from the train split of the dataset that it was trained on, and dev chooses
its checkpoint there. The dataset that it was proven on may be a newer one: its dev split fits the confidence, its proof
split judges. The files are read line by line. Not covered: calls that only nearly repeat an example's input, which
are in no dataset; who corrected an answer, which nobody records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from freehold.errors import NotFoundError, UsageError
from freehold.model import Call, ModelCard, Route, Verdict
from freehold.model.dataset import SPLITS, Split
from freehold.model.dataset_folder import split_file
from freehold.model.lineage import Contents, Lineage, ModelLine, RouteLine, Thing, Use, VerdictLine
from freehold.pipeline.workspace import Workspace
from freehold.store import DatasetRow

FIRST_CALLS = 3
_LEAST_ID_CHARS = 4


class _Row(msgspec.Struct):
    """What a line of a dataset says about calls."""

    id: str
    source: str
    also: tuple[str, ...] = ()


def trace(workspace: Workspace, name: str) -> Lineage:
    """The lineage of a call, an example, a dataset, a model or a verdict, by its id or the beginning of one."""
    kind, found = _find(workspace, name)
    if kind == "call":
        return _of_call(workspace, found)
    card: ModelCard | None = None
    dataset_hash = found
    if kind == "verdict":
        verdict = workspace.store.registry.verdict(found)
        card = None if verdict is None else workspace.store.registry.model(verdict.model_id)
        dataset_hash = "" if verdict is None else verdict.dataset_hash
    elif kind == "model":
        card = workspace.store.registry.model(found)
        dataset_hash = "" if card is None else card.dataset_hash
    row = workspace.store.registry.dataset(dataset_hash)
    contents, problems = ([], [f"dataset {dataset_hash} is not in the record"]) if row is None else _contents(row)
    if kind == "verdict" and card is not None and card.dataset_hash != dataset_hash:
        contents = [found for found in contents if found.split != "train"]  # the model learned from another dataset
    cards = [card] if card else workspace.store.registry.models(None) if kind == "dataset" else []
    own = [card for card in cards if card.dataset_hash == dataset_hash or kind != "dataset"]
    return Lineage(
        kind=kind,
        id=found,
        task=None if row is None else row.manifest.task,
        dataset=dataset_hash,
        contents=tuple(contents),
        models=tuple(_model_lines(workspace, own)),
        recipe=card.recipe if card else None,
        problems=tuple(problems),
    )


def calls_behind(workspace: Workspace, lineage: Lineage) -> Iterator[tuple[Split, str]]:
    """All calls behind a dataset, a model or a verdict, with their split."""
    row = workspace.store.registry.dataset(lineage.dataset or "")
    for split in (contents.split for contents in lineage.contents):
        for line in _lines(row, split, []) if row else ():
            example = _decode(line)
            for call_id in (example.id, *example.also) if example else ():
                yield split, call_id


def calls_of_dataset(row: DatasetRow) -> frozenset[str] | None:
    """All calls behind a dataset's examples; None where its files do not tell, or are not what was frozen."""
    found: set[str] = set()
    examples = 0
    problems: list[str] = []
    for split in SPLITS:
        for line in _lines(row, split, problems):
            example = _decode(line)
            found.update((example.id, *example.also) if example else ())
            examples += 1
        if problems:
            return None
    return None if _keeps_one_id(row) and len(found) == examples else frozenset(found)


def _find(workspace: Workspace, name: str) -> tuple[Thing, str]:
    """What is meant by a name; UsageError when it could be several things."""
    book = workspace.store.registry
    known: list[tuple[Thing, str]] = [
        *(("verdict", verdict.id) for verdict in book.verdicts(None)),
        *(("model", card.id) for card in book.models(None)),
        *(("dataset", row.id) for row in book.datasets(None)),
    ]
    exact = [thing for thing in known if thing[1] == name]
    near = [thing for thing in known if len(name) >= _LEAST_ID_CHARS and thing[1].startswith(name)]
    call = workspace.store.calls.get(name)
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
        f"There is no single call, example, dataset, model or verdict {name!r}.",
        hint="Ids stand in: freehold calls. Where several calls fit, give more of the id.",
    )


def _of_call(workspace: Workspace, call_id: str) -> Lineage:
    problems: list[str] = []
    call = workspace.store.calls.get(call_id)
    rows = workspace.store.registry.datasets(None)
    cards, verdicts = workspace.store.registry.models(None), workspace.store.registry.verdicts(None)
    uses = tuple(
        replace(use, models=tuple(_touched(use, cards, verdicts)))
        for row in rows
        for use in _uses(row, call_id, problems)
    )
    touched = {model_id for use in uses for model_id in use.models}
    names = {task.id: task.name for task in workspace.store.registry.tasks()}
    feedback = workspace.store.calls.feedback_of(call_id)
    if call is not None and not uses:
        problems += [_why_unseen(row) for row in rows if row.task_id == call.task_id and _keeps_one_id(row)]
    return Lineage(
        kind="call",
        id=call_id,
        task=names.get(call.task_id or "")
        if call
        else next((row.manifest.task for row in rows if row.id in {use.dataset for use in uses}), None),
        uses=uses,
        role=None if call is None else _role(workspace, call),
        is_corrected=any(item.kind == "correction" for item in feedback),
        models=tuple(_model_lines(workspace, [card for card in cards if card.id in touched])),
        problems=tuple(problems),
    )


def _touched(use: Use, cards: Sequence[ModelCard], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The models for which a call in a split counted: by training on its dataset, or by being proven on it."""
    proven = {verdict.model_id for verdict in verdicts if verdict.dataset_hash == use.dataset}
    for card in cards:
        is_trained, is_proven = card.dataset_hash == use.dataset, card.id in proven
        if (is_trained and use.split != "proof") or (is_proven and use.split != "train"):
            yield card.id


def _role(workspace: Workspace, call: Call) -> str | None:
    """What a call was there for; None for a client's call that the provider answered."""
    history = workspace.store.registry.route_history(call.task_id) if call.task_id else []
    route = next((route for route in history if route.version == call.route_version), None)
    model = f"model {route.model_id}" if route and route.model_id else "the owned model"
    match call.arm:
        case "owned":
            return f"answered by {model} (route version {call.route_version})"
        case "audit":
            return f"an audit of call {call.parent_id}, which {model} had answered (route version {call.route_version})"
        case "shadow":
            return f"asked of {model} beside call {call.parent_id} (route version {call.route_version})"
    return None


def _uses(row: DatasetRow, call_id: str, problems: list[str]) -> Iterator[Use]:
    """The examples of a dataset that a call is behind; adds to `problems` what could not be read."""
    needle = msgspec.json.encode(call_id)
    for split in SPLITS:
        for line in _lines(row, split, problems, "whether the call was in it cannot be told"):
            example = _decode(line) if needle in line else None
            if example is not None and call_id in (example.id, *example.also):
                is_kept = call_id == example.id
                yield Use(dataset=row.id, split=split, example=example.id, is_kept=is_kept, source=example.source)


def _contents(row: DatasetRow) -> tuple[list[Contents], list[str]]:
    """What each split of a dataset holds, and what is wrong with its files."""
    contents: list[Contents] = []
    problems: list[str] = []
    for split in SPLITS:
        examples, calls, corrections = 0, 0, 0
        first: list[str] = []
        for line in _lines(row, split, problems):
            example = _decode(line)
            if example is not None:
                examples, calls = examples + 1, calls + 1 + len(example.also)
                corrections += example.source == "correction"
                first += (example.id, *example.also)[: FIRST_CALLS - len(first)]
        if _path(row, split).is_file():
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


def _model_lines(workspace: Workspace, cards: Sequence[ModelCard]) -> Iterator[ModelLine]:
    verdicts, routes = workspace.store.registry.verdicts(None), workspace.store.registry.route_history(None)
    current = {task_id: route.version for task_id, route in workspace.store.registry.routes().items()}
    for card in cards:
        yield ModelLine(
            id=card.id,
            dataset=card.dataset_hash,
            base=card.base,
            verdicts=tuple(
                VerdictLine(id=v.id, dataset=v.dataset_hash, words=v.words)
                for v in reversed(verdicts)
                if v.model_id == card.id
            ),
            routes=tuple(_route_line(r, current) for r in reversed(routes) if r.model_id == card.id),
        )


def _route_line(route: Route, current: dict[str, int]) -> RouteLine:
    is_in_force = current.get(route.task_id) == route.version
    return RouteLine(version=route.version, kind=route.kind, is_in_force=is_in_force)


def _path(row: DatasetRow, split: Split) -> Path:
    return Path(row.path) / split_file(split)


def _lines(
    row: DatasetRow, split: Split, problems: list[str], loss: str = "its calls cannot be told"
) -> Iterator[bytes]:
    """The lines of a split's file; adds to `problems` that it is gone, with the `loss`, or is not what was frozen."""
    path = _path(row, split)
    if not path.is_file():
        problems.append(f"{path.name} of dataset {row.id[:16]} is gone: {loss}")
        return
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for line in file:
            digest.update(line)
            yield line
    if digest.hexdigest() != row.manifest.files.get(path.name):
        problems.append(f"{path.name} of dataset {row.id[:16]} is not what was frozen: {path}")


def _decode(line: bytes) -> _Row | None:
    """A line's example; None for one that cannot be read, which the file's hash tells."""
    try:
        return msgspec.json.decode(line, type=_Row)
    except msgspec.MsgspecError:
        return None
