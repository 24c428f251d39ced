"""A receipt in plain words: what was decided, on which data, by which model, by whom, with which figures.

Not covered: what stands before and after it, and whether the files that it names are still there (`loop.receipts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from freehold.core.receipt import Receipt

Line = tuple[str, str]
_HASH_CHARS = 16
_MOST_FIGURES = 40
_MOST_LISTED = 6
_FIRST = ("outcome", "calls", "users", "sides", "paired", "cascade")
"""The figures that a decision is read by."""
_CONTRACTS = {"A": "answered locally and wrong", "B": "wrong among those answered locally"}


def explain(receipt: Receipt) -> list[Line]:
    """Labelled lines; whatever a receipt does not say is said to be unknown. DataError for a changed document."""
    said = receipt.content
    verdict, route = _object(said, "verdict"), _object(said, "route")
    task = repr(said.get("task") or receipt.task_id)
    lines = list(_of_verdict(said, verdict, task) if verdict else _of_route(said, route, task))
    code = _object(said, "code")
    by = _known(said.get("decided_by"))
    return [
        *lines,
        ("by", f"{by}, as account {_known(said.get('account'))} of its machine, at {moment(receipt.created_at)}"),
        ("code", f"freehold {_known(code.get('version'))}, sources {_start(code.get('sha256'))}"),
    ]


def moment(stamp: object) -> str:
    """A Unix time as a date, UTC."""
    if not isinstance(stamp, int | float):
        return "unknown"
    try:
        return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "unknown"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[Line]:
    """The numbers and names in nested values, by dotted name; of lists of objects those that have a name."""
    for name, value in values.items():
        match value:
            case dict():
                yield from flat(value, f"{prefix}{name}.")
            case list() if value and all(isinstance(item, dict) for item in value):
                for item in value:
                    if "name" in item:
                        yield from flat(item, f"{prefix}{name}.{item['name']}.")
            case list():
                more = f" and {len(value) - _MOST_LISTED} more" if len(value) > _MOST_LISTED else ""
                yield f"{prefix}{name}", (", ".join(_known(item) for item in value[:_MOST_LISTED]) or "none") + more
            case _:
                yield f"{prefix}{name}", _known(value)


def _of_verdict(said: Mapping[str, Any], verdict: Mapping[str, Any], task: str) -> Iterator[Line]:
    yield "what", f"The proof of task {task} says {_decision(verdict)}."
    contract = verdict.get("contract")
    promise = _CONTRACTS.get(str(contract), "wrong")
    yield "promise", f"at most {_share(verdict.get('risk'))} of calls {promise} (contract {_known(contract)})"
    yield "margin", f"{_share(verdict.get('margin'))} below the provider at most, for replacing it wholly"
    yield "attempt", f"{_known(verdict.get('attempt'))}, with level {_known(verdict.get('level'))} of alpha and delta"
    if verdict.get("withheld"):
        yield "withheld", "these stay with the provider: " + ", ".join(_known(name) for name in verdict["withheld"])
    yield "data", _data(_object(said, "dataset"))
    if used := ", ".join(f"{name} {value}" for name, value in flat(_object(verdict, "used"))):
        yield "used up", used
    yield "model", _model(_object(said, "model"))
    yield "settings", ", ".join(f"{name} {value}" for name, value in flat(_object(said, "settings"))) or "unknown"
    yield from _figures(said)
    report = _object(said, "report")
    yield "report", ", ".join(f"{name} {_start(digest)}" for name, digest in report.items()) or "no file was there"


def _of_route(said: Mapping[str, Any], route: Mapping[str, Any], task: str) -> Iterator[Line]:
    before = _object(said, "before")
    was = f"{_known(before.get('kind'))} (version {_known(before.get('version'))})"
    now = f"{_known(route.get('kind'))} (version {_known(route.get('version'))})"
    yield "what", f"The route of task {task} went from {was} to {now}."
    yield "why", _known(route.get("reason")) if route.get("reason") else "no reason was given"
    if route.get("kind") == "rented":
        yield "effect", "every call goes to the provider"
    elif route.get("kind") == "shadow":
        yield "effect", "the provider answers every call; the owned model is asked beside it"
        yield "model", _model(_object(said, "model"))
    else:
        threshold = route.get("threshold")
        least = "" if threshold is None else f" where its confidence is at least {_known(threshold)}"
        yield "effect", f"the owned model may answer{least}; {_share(route.get('audit_rate'))} of that is audited"
        yield "model", _model(_object(said, "model"))
    if route.get("harm") is not None:
        yield (
            "budget",
            f"at most {_share(route['harm'])} more failures per call than the provider's, while it is ramped",
        )
    if route.get("withheld"):
        yield "withheld", "these stay with the provider: " + ", ".join(_known(name) for name in route["withheld"])
    if route.get("verdict_id"):
        grounds = said.get("verdict_receipt")
        number, _, digest = str(grounds).partition(":")
        named = f"receipt {number}, {_start(digest)}" if grounds else "which has no receipt"
        yield "grounds", f"verdict {_known(route['verdict_id'])}, {named}"


def _decision(verdict: Mapping[str, Any]) -> str:
    match verdict.get("decision"):
        case "move":
            threshold, coverage = _known(verdict.get("threshold")), _share(verdict.get("coverage"))
            return f"move: {coverage} of the proof's calls at confidence {threshold} or more"
        case "need":
            return f"need {_known(verdict.get('need'))} more calls"
        case other:
            return _known(other)


def _data(dataset: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{_known(count)} {split}" for split, count in _object(dataset, "counts").items())
    return f"dataset {_start(dataset.get('hash'))}: {counts or 'its counts are unknown'}"


def _model(model: Mapping[str, Any]) -> str:
    files = _object(model, "files")
    served = next((f"{name} {_start(digest)}" for name, digest in files.items() if name.endswith(".gguf")), "")
    return f"{_known(model.get('id'))}: {served or 'its file is unknown'}, base {_known(model.get('base'))}"


def _figures(said: Mapping[str, Any]) -> Iterator[Line]:
    every = _object(said, "figures")
    order = (*_FIRST, *sorted(every.keys() - {*_FIRST, "settings", "facts"}))
    shown = {name: every[name] for name in order if name in every}
    found = [line for line in flat(shown) if line[0].rsplit(".", 1)[-1] not in ("name", "items", "sha256")]
    for name, value in found[:_MOST_FIGURES]:
        yield "figure", f"{name} {value}"
    if len(found) > _MOST_FIGURES:
        yield "figure", f"and {len(found) - _MOST_FIGURES} more: freehold receipts show --json"


def _object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def _start(digest: object) -> str:
    return digest[:_HASH_CHARS] if isinstance(digest, str) and digest else "unknown"


def _known(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def _share(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, bool) or not isinstance(value, int | float) else f"{100 * value:.3g}%"
