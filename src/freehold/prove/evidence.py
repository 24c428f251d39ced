"""Gathers every figure of a proof into one JSON object: what the report shows and the verdict keeps.

Not covered: computing the figures (`prove.measure`, `prove.tables`), showing them (`prove.report`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from freehold.core.engine import OwnedAnswer
from freehold.core.intervals import wilson
from freehold.core.scoring import JsonValue
from freehold.core.slices import SliceShape
from freehold.prove.cascade import Cascade, lower_bound
from freehold.prove.decide import Paired, calls_needed, whole_calls
from freehold.prove.folder import Frozen
from freehold.prove.head import ranking
from freehold.prove.measure import Examined, Held, summarise
from freehold.prove.settings import ProofFacts, ProofSettings
from freehold.prove.slices import describe
from freehold.prove.story import needs_no_model
from freehold.prove.tables import (
    MOST_DIFFERENCES,
    MOST_ROWS,
    curve_points,
    difference_rows,
    field_rows,
    savings,
    speed,
)

_MOST_STEPS = 200
Figures = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The promise that was asked for, what this attempt `spent` of its levels, and what the next one may."""

    promise: ProofSettings
    spent: ProofSettings
    planned: ProofSettings


def gather(
    frozen: Frozen,
    held: Held,
    owned: Examined,
    others: Sequence[Examined],
    answers: Sequence[OwnedAnswer],
    *,
    levels: Levels,
    facts: ProofFacts,
    shape: SliceShape,
) -> Figures:
    """The evidence; floats stay as computed, so that a reader of the JSON can check every one."""
    settings = levels.spent
    fields, differences = field_rows(owned), difference_rows(held, owned)
    passing = [examined.side.name for examined in others if examined.outcome.decision == "move"]
    return {
        "task": frozen.task,
        "kind": frozen.kind,
        "calls": len(held.examples),
        "users": len(set(held.groups)),
        "is_agreement": not held.has_corrections,
        "corrected_calls": sum(not judged.is_equal for judged in held.judged),
        "outcome": _plain(owned.outcome),
        "sides": [_provider(held, facts), *(_side(e) for e in (owned, *others))],
        "passing_baselines": [*passing],
        "needs_no_model": any(needs_no_model(owned, examined) for examined in others),
        "paired": _paired(owned.paired, settings),
        "cascade": _cascade(owned.cascade, settings),
        "calls_that_would_decide": calls_needed(
            owned.paired, owned.cascade, can_provider_err=held.can_provider_err, settings=levels.planned
        ),
        "spent": {"alpha": settings.alpha, "delta": settings.delta},
        "metrics": [_plain(row) for row in owned.metrics],
        "ranking": ranking([g.confidence for g in owned.guesses], [s.is_exact for s in owned.scores]),
        "fields": [_plain(row) for row in fields[:MOST_ROWS]],
        "fields_left_out": max(0, len(fields) - MOST_ROWS),
        **_slices(owned, settings, shape),
        "differences": [_plain(row) for row in differences[:MOST_DIFFERENCES]],
        "differences_in_all": len(differences),
        "speed": _plain(speed(answers)),
        "savings": _plain(savings(owned, facts)),
        "settings": _plain(levels.promise),
        "facts": _plain(facts),
        "dataset": {"hash": frozen.hash, "counts": {**frozen.counts}, "dropped": {**frozen.dropped}},
    }


def _provider(held: Held, facts: ProofFacts) -> Figures:
    return {**_plain(summarise(facts.provider, held.incumbent, held.groups)), "decision": "", "coverage": None}


def _slices(owned: Examined, settings: ProofSettings, shape: SliceShape) -> Figures:
    return {
        "contract": settings.contract,
        "withheld": [*owned.withheld],
        "slices_of": describe(shape),
        "slice_limit": settings.slice_limit,
        "slices": [_plain(row) for row in owned.slices],
    }


def _side(examined: Examined) -> Figures:
    outcome = examined.outcome
    return {**_plain(examined.side), "decision": outcome.decision, "coverage": outcome.coverage}


def _paired(paired: Paired, settings: ProofSettings) -> Figures:
    """The paired test, its path thinned out to some steps of (unit, ln K)."""
    path = paired.log_wealth
    step = max(1, math.ceil(len(path) / _MOST_STEPS))
    kept = sorted({*range(0, len(path), step), len(path) - 1, (paired.decided_at or 1) - 1})
    figures = _plain(paired)
    figures["log_wealth"] = [[i + 1, path[i]] for i in kept]
    figures["calls_for_80_percent_power"] = whole_calls(paired, settings)
    return figures


def _cascade(cascade: Cascade, settings: ProofSettings) -> Figures:
    chosen = cascade.chosen
    low, high = wilson(chosen.wrong, cascade.n) if chosen else (0.0, 1.0)
    return {
        "threshold": cascade.threshold,
        "coverage": cascade.coverage if chosen else None,
        "coverage_at_least": lower_bound(chosen.local, cascade.n, settings.delta) if chosen else None,
        "least_coverage": settings.least_coverage,
        "chosen": _plain(chosen) if chosen else None,
        "wrong_share_interval": [low, high] if chosen else None,
        "is_by_user": cascade.is_by_user,
        "curve": [_plain(point) for point in curve_points(cascade)],
    }


def _plain(value: object) -> Figures:
    """A dataclass as JSON values."""
    return {name: _json(item) for name, item in asdict(value).items()}  # type: ignore[call-overload]  # a dataclass


def _json(value: object) -> JsonValue:
    match value:
        case dict():
            return {str(name): _json(item) for name, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
