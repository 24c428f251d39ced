"""A receipt in plain words: what was decided, on which data, by which model, by whom, with which figures.

Not covered: what stands before and after it, and whether the files that it names are still there (`ops.receipts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from freehold.model.evidence.answers import SideFigures
from freehold.model.evidence.evidence import Evidence
from freehold.model.evidence.lenient import read
from freehold.model.evidence.terms import SettingsFigures
from freehold.model.receipt import Receipt
from freehold.model.statement import watch_words

Line = tuple[str, str]
_HASH_CHARS = 16
_MOST_LISTED = 6
_BY = {
    "proof": "the proof",
    "person": "a person",
    "road": "`run --move`, as a person had asked for beforehand",
    "demo": "the demo",
    "api": "a caller of the HTTP API",
    "ramp": "the ramp: live evidence, and no person",
    "slices": "the watch: live evidence, and no person",
    "rollback": "the watch: live evidence, and no person",
    "watch": "the watch: live evidence, and no person",
}


def explain(receipt: Receipt) -> list[Line]:
    """Labelled lines; whatever a receipt does not say is said to be unknown. DataError for a changed document."""
    said = receipt.content
    task = repr(said.get("task") or receipt.task_id)
    match receipt.kind:
        case "verdict":
            lines = list(_of_verdict(said, _object(said, "verdict"), task, receipt.number))
        case "route":
            lines = list(_of_route(said, _object(said, "route"), task))
        case "watch":
            lines = list(_of_watch(said, _object(said, "watch"), task))
    code, by = _object(said, "code"), said.get("decided_by")
    return [
        *lines,
        ("by", f"{_BY.get(str(by), _known(by))}; in a process of account {_known(said.get('account'))}"),
        ("at", moment(receipt.created_at)),
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


def _of_verdict(said: Mapping[str, Any], verdict: Mapping[str, Any], task: str, number: int) -> Iterator[Line]:
    figures, settings = Evidence.from_json(said.get("figures")), _object(said, "settings")
    asked = read(SettingsFigures, settings)
    is_whole, is_move = figures.outcome.scope == "whole", verdict.get("decision") == "move"
    yield "what", f"The proof of task {task} says {_decision(verdict, is_whole=is_whole)}"
    if figures.outcome.reason:
        yield "why", figures.outcome.reason
    local, whole = _bound(verdict, asked.delta), _margin(verdict, asked.alpha)
    if is_move:
        yield "promise", whole if is_whole else local
    else:
        yield "asked", f"{local} Or: {whole} Neither is shown, so nothing is promised."
    yield from _withheld(verdict)
    yield "seen", f"{_known(figures.calls)} calls that were held out, of {_known(figures.users)} users"
    for side in figures.sides:
        yield "", _side(side, _held_against(figures))
    level = _share(verdict.get("level"))
    yield "attempt", f"proof {_known(verdict.get('attempt'))} of this task, which may spend {level} of these chances"
    yield "data", _data(_object(said, "dataset"))
    if used := ", ".join(f"{name} {value}" for name, value in _used(_object(verdict, "used"))):
        yield "used up", used
    yield "model", _model(_object(said, "model"))
    yield "settings", ", ".join(f"{name} {value or 'none'}" for name, value in flat(settings)) or "unknown"
    yield "figures", f"all of them: freehold receipts show {number} --json"
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
        budget = _share(route["harm"])
        yield "budget", f"at most {budget} more failures per call than the provider's, while it is ramped"
    yield from _withheld(route)
    if route.get("verdict_id"):
        yield _grounds(said, route)


def _of_watch(said: Mapping[str, Any], watch: Mapping[str, Any], task: str) -> Iterator[Line]:
    """A step of the watch: a ramp that grew, audits that were raised, evidence that went stale."""
    before, route, seen = _object(said, "before"), _object(said, "route"), _object(said, "figures")
    changed = "; ".join(watch_words(before, watch)) or "nothing"
    yield "what", f"The watch of task {task} set on version {_known(route.get('version'))} of its route: {changed}."
    share, audits = _share(watch.get("share")), _share(watch.get("audit_rate"))
    yield "effect", f"the owned model may answer {share} of calls where it is sure enough; {audits} of that is audited"
    if stale := _items(watch, "stale"):
        yield "stale", "; ".join(_known(reason) for reason in stale)
    yield "seen", ", ".join(f"{name} {_known(seen.get(name))}" for name in ("calls", "local", "audited", "missing"))
    for detector in _objects(seen, "detectors"):
        if isinstance(evidence := detector.get("evidence"), float) and evidence > 1:
            acts_at = _known(detector.get("patience"))
            yield (
                "",
                f"{_known(detector.get('name'))}: evidence {_known(evidence)}; the route is taken back at {acts_at}",
            )
    ramp = _object(seen, "ramp")
    if ramp:
        pairs, most = _known(ramp.get("pairs")), _share(_less(ramp.get("low")))
        yield "ramp", f"{pairs} pairs of answers show at most {most} more failures per call than the provider's"
    if said.get("model"):
        yield "model", _model(_object(said, "model"))
    if route.get("verdict_id"):
        yield _grounds(said, route)


def _withheld(said: Mapping[str, Any]) -> Iterator[Line]:
    if names := _items(said, "withheld"):
        yield "withheld", "these stay with the provider: " + ", ".join(_known(name) for name in names)


def _grounds(said: Mapping[str, Any], route: Mapping[str, Any]) -> Line:
    number, _, digest = str(said.get("verdict_receipt")).partition(":")
    named = f"receipt {number}, {_start(digest)}" if digest else "which has no receipt"
    return "grounds", f"verdict {_known(route.get('verdict_id'))}, {named}"


def _decision(verdict: Mapping[str, Any], *, is_whole: bool) -> str:
    match verdict.get("decision"):
        case "move" if is_whole:
            return "move: the owned model may answer in the provider's place."
        case "move":
            threshold, coverage = _known(verdict.get("threshold")), _share(verdict.get("coverage"))
            return (
                f"move: the owned model may answer where it is at least {threshold} sure of its answer, which it was in"
                f" {coverage} of the proof's calls. The provider answers the others."
            )
        case "need":
            what = "comparisons by people" if verdict.get("need_of") == "labels" else "held-out calls"
            return f"need: about {_known(verdict.get('need'))} more {what} would decide. Nothing moves until then."
        case "hold":
            return "hold: nothing moves, and more calls of this kind would hardly change that."
        case other:
            return f"{_known(other)}."


def _bound(verdict: Mapping[str, Any], delta: float | None) -> str:
    """What a cascade promises, and how often one that breaks it would pass all the same."""
    most = _share(verdict.get("risk"))
    if verdict.get("contract") == "B":
        bound = f"Of the calls that are answered locally, at most {most} are answered wrongly"
    else:
        bound = f"Of all calls, at most {most} are answered locally and wrongly"
    return f"{bound} (contract {_known(verdict.get('contract'))}). {_passing('delta', delta)}"


def _margin(verdict: Mapping[str, Any], alpha: float | None) -> str:
    """What a whole replacement promises."""
    margin = verdict.get("margin")
    points = f"{100 * margin:.3g} points" if isinstance(margin, float) else "an unknown margin"
    return f"The owned model alone is at most {points} worse than the provider. {_passing('alpha', alpha)}"


def _passing(error: str, share: float | None) -> str:
    chance = f"{_share(share)} ({error})"
    return f"One that breaks this passes with a chance of at most {chance} in all proofs of the task together."


def _held_against(figures: Evidence) -> str:
    """What an answer did that counts: it is called right only where people said of every call what was wanted."""
    known = figures.known_calls + figures.rejected_calls
    if known and known == (figures.calls if figures.scored_calls is None else figures.scored_calls):
        return "right"
    return "as wanted" if known or figures.is_agreement is False else "agrees with the provider"


def _side(side: SideFigures, how: str) -> str:
    within = "" if side.low is None or side.high is None else f" [{_share(side.low)}, {_share(side.high)}]"
    return f"{side.name or 'unknown'}: {_share(side.share)}{within} {how}, n={_known(side.n)}"


def _used(used: Mapping[str, Any]) -> Iterator[Line]:
    """What a verdict used up, with times as dates."""
    for name, value in flat(used):
        yield name, moment(used.get(name)) if name.endswith("_at") else value


def _data(dataset: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{_known(count)} {split}" for split, count in _object(dataset, "counts").items())
    return f"dataset {_start(dataset.get('hash'))}: {counts or 'its counts are unknown'}"


def _model(model: Mapping[str, Any]) -> str:
    files = _object(model, "files")
    served = next((f"{name} {_start(digest)}" for name, digest in files.items() if name.endswith(".gguf")), "")
    return f"{_known(model.get('id'))}: {served or 'its file is unknown'}, base {_known(model.get('base'))}"


def _object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def _items(values: Mapping[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    return value if isinstance(value, list) else []


def _objects(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for item in _items(values, name) if isinstance(item, dict)]


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


def _less(value: object) -> object:
    return max(0.0, -value) if isinstance(value, float) else value


def _share(value: object) -> str:
    return _known(value) if isinstance(value, bool) or not isinstance(value, int | float) else f"{100 * value:.3g}%"
