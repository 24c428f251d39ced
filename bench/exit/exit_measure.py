"""Reading a replay out of the record, and the figures that follow; see `exit.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from freehold.demo.traffic import Request
from freehold.model import Call, Verdict
from freehold.pipeline.workspace import Workspace
from freehold.store import CallFilter
from freehold.text.intervals import wilson
from freehold.text.read_call import read_call
from freehold.text.scoring import score

Also = tuple[str, Callable[[str], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one held-out row: who answered, what, and what the owned model said in any case."""

    row: str
    gold: str
    reference: str
    arm: str
    text: str
    owned_text: str | None = None
    owned_tokens: int | None = None
    owned_ms: float | None = None
    rented_tokens: int | None = None
    rented_ms: float | None = None


def outcomes(workspace: Workspace, requests: Sequence[Request], *, part: str) -> dict[str, Outcome]:
    """The replay's outcome by row; the last whole call of a row counts."""
    wanted = {request.row: request for request in requests}
    answered: dict[str, Call] = {}
    local: dict[str, Call] = {}
    parents: dict[str, str] = {}
    for call in workspace.store.calls.stream(CallFilter(is_failed=False)):
        row = call.tags.get("row", "")
        if call.parent_id is None and call.tags.get("part") == part and row in wanted:
            answered[row] = call
            parents[call.id] = row
        elif call.arm == "shadow" and call.parent_id is not None:
            local[call.parent_id] = call
    return {row: _outcome(wanted[row], call, local.get(call.id)) for row, call in answered.items()}


def _outcome(request: Request, call: Call, shadow: Call | None) -> Outcome:
    owned = call if call.arm == "owned" else shadow
    rented = call if call.arm == "rented" else None
    return Outcome(
        row=request.row,
        gold=request.gold,
        reference=request.gold if request.teacher is None else request.teacher,
        arm=call.arm,
        text=read_call(call).answer_text,
        owned_text=read_call(owned).answer_text if owned else None,
        owned_tokens=owned.output_tokens if owned else None,
        owned_ms=owned.latency_ms if owned else None,
        rented_tokens=rented.output_tokens if rented else None,
        rented_ms=rented.latency_ms if rented else None,
    )


def measure(found: Sequence[Outcome], verdict: Verdict, *, also: Also | None) -> dict[str, Any]:
    """The figures of a replay: accuracy of the owned model alone, coverage and realised risk of the cascade."""
    kind = verdict.figures.kind or "text"
    alone = [_is_right(kind, o.gold, o.owned_text or "") for o in found]
    local = [o for o in found if o.arm == "owned"]
    wrong = sum(not _is_right(kind, o.reference, o.text) for o in local)
    figures: dict[str, Any] = {
        "n_held_out": len(found),
        "owned_exact": _share(alone),
        "cascade_exact": _share([_is_right(kind, o.gold, o.text) for o in found]),
        "coverage": _share([o.arm == "owned" for o in found]),
        "realised_risk": _share([o.arm == "owned" and not _is_right(kind, o.reference, o.text) for o in found]),
        "wrong_among_local": {"share": wrong / len(local) if local else None, "n": len(local)},
        "kept_contract": wrong / len(found) <= verdict.risk if local else None,
        "owned_tokens": _mean(o.owned_tokens for o in found),
        "owned_p50_ms": _median(o.owned_ms for o in found),
        "rented_tokens": _mean(o.rented_tokens for o in found),
        "rented_p50_ms": _median(o.rented_ms for o in found),
    }
    if any(o.reference != o.gold for o in found):
        figures["agreement_with_teacher"] = _share([_is_right(kind, o.reference, o.owned_text or "") for o in found])
        figures["teacher_exact"] = _share([_is_right(kind, o.gold, o.reference) for o in found])
    if also is not None:
        name, read = also
        figures[name] = _share([read(o.gold) == read(o.owned_text or "") for o in found])
        if "teacher_exact" in figures:
            figures[f"teacher, {name}"] = _share([read(o.gold) == read(o.reference) for o in found])
            figures[f"agreement, {name}"] = _share([read(o.reference) == read(o.owned_text or "") for o in found])
    return figures


def _is_right(kind: str, wanted: str, given: str) -> bool:
    return score(kind, wanted, given).is_exact


def _share(marks: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(marks), len(marks))
    return {"share": sum(marks) / len(marks) if marks else None, "low": low, "high": high, "n": len(marks)}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(mean(known), 1) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 1) if known else None
