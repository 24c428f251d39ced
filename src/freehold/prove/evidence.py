"""Gathers every figure of a proof into one JSON object: what the report shows and the verdict keeps.

Not covered: computing the figures (`prove.measure`, `prove.report.tables`), showing them (`prove.report.report`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from freehold import __version__
from freehold.model.dataset import Manifest
from freehold.model.engine import NOT_ASKED, OwnedAnswer
from freehold.model.verdict import Verdict
from freehold.prove.attempts import level
from freehold.prove.calibrator import ranking
from freehold.prove.decide import Paired, calls_needed, whole_calls
from freehold.prove.differences import MOST_DIFFERENCES, difference_rows
from freehold.prove.evaluate import Evaluation
from freehold.prove.forecast import MOST_TOLERATED, plan_ramp, plan_rollback
from freehold.prove.labels.judge import Compared
from freehold.prove.measure import ScoredSplit, can_replace, of_known, summarise
from freehold.prove.population import population
from freehold.prove.report.risks import is_enough
from freehold.prove.report.tables import (
    MOST_ROWS,
    agreement_interval,
    confidence_bins,
    curve_points,
    field_rows,
    savings,
    speed,
)
from freehold.prove.sensitivity import Sensitivity
from freehold.prove.settings import ProofFacts, ProofSettings
from freehold.prove.slices import Slice, describe
from freehold.prove.stats.cascade import Cascade, lower_bound
from freehold.prove.stats.intervals import share_interval
from freehold.prove.tolerated_disagreement import borne, unlike
from freehold.text.json_text import JsonValue
from freehold.text.slices import SliceShape

TURNED_TIMES = 3
"""The report says how soon it would be noticed that wrong answers are so many times as frequent as promised."""
_MOST_STEPS = 200
Figures = dict[str, JsonValue]


def gather(
    manifest: Manifest,
    held: ScoredSplit,
    owned: Evaluation,
    others: Sequence[Evaluation],
    answers: Sequence[OwnedAnswer],
    *,
    verdict: Verdict,
    settings: ProofSettings,
    facts: ProofFacts,
    shape: SliceShape,
    readings: Sensitivity,
) -> Figures:
    """The evidence; floats stay as computed, so that a reader of the JSON can check every one.

    `settings` are what was asked for; the verdict's attempt spent its part of them. `readings` are what other settings
    would have given.
    """
    spent, planned = settings.spending(verdict.level), settings.spending(level(verdict.attempt + 1))
    return {
        "task": manifest.task,
        "kind": manifest.kind,
        **_counted(held),
        **population(manifest, held, owned, verdict.used),
        "outcome": _plain(owned.outcome),
        **_compared(held, owned, others, facts),
        "paired": _paired(owned.paired, spent),
        **_opinions(owned.compared),
        "cascade": _cascade(owned.cascade, spent, _wrong_interval(held, owned)),
        "calls_that_would_decide": calls_needed(
            owned.paired, owned.cascade, can_replace=can_replace(held, owned.metrics), settings=planned
        ),
        **_attempt(verdict, spent),
        **_judged(held, owned, settings, shape),
        **_listed(held, owned),
        "speed": _plain(speed([given for given in answers if given is not NOT_ASKED])),
        "savings": _plain(savings(owned, facts)),
        **_after(held, owned, settings, facts, shape),
        "sensitivity": _plain(readings),
        "settings": _plain(settings),
        "facts": _plain(facts),
        "dataset": {"hash": manifest.hash, "counts": {**manifest.counts}, "dropped": {**manifest.dropped}},
        "freehold": __version__,
    }


def _counted(held: ScoredSplit) -> Figures:
    """How many calls and users there were, and whether anything was corrected or rated bad."""
    rejected = sum(example.is_rejected for example in held.examples)
    return {
        "calls": len(held.examples),
        "users": len(set(held.groups)),
        "busiest_user_calls": max(Counter(held.groups).values()),
        "is_agreement": not held.has_corrections,
        "known_calls": sum(example.is_known for example in held.examples),
        "corrected_calls": sum(not judged.is_equal for judged in held.judged) - rejected,
        "rejected_calls": rejected,
    }


def _compared(held: ScoredSplit, owned: Evaluation, others: Sequence[Evaluation], facts: ProofFacts) -> Figures:
    """Both sides and the baselines, and whether a baseline would do."""
    provider = of_known(held, facts.provider, held.incumbent)
    passing = [other for other in others if other.outcome.decision == "move"]
    return {
        "apart": _apart(held, owned),
        "sides": [{**_plain(provider), "decision": "", "coverage": None}, *(_side(e) for e in (owned, *others))],
        "passing_baselines": [other.side.name for other in passing],
        "needs_no_model": any(is_enough(other.outcome.coverage, owned.outcome.coverage) for other in passing),
    }


def _apart(held: ScoredSplit, owned: Evaluation) -> list[JsonValue]:
    """Both sides where people said what was wanted, and where the provider's answer stands for it."""
    found: list[JsonValue] = []
    for of, source in (("people", True), ("provider", False)):
        some = [i for i, e in enumerate(held.examples) if e.is_known is source and not e.is_rejected and not e.is_aside]
        if some:
            groups = [held.groups[i] for i in some]
            sides = (("provider", held.incumbent), ("owned", owned.scores))
            told = {name: _plain(summarise(name, [scores[i] for i in some], groups)) for name, scores in sides}
            found.append({"of": of, "n": len(some), **told})
    return found


def _attempt(verdict: Verdict, spent: ProofSettings) -> Figures:
    """Which of the task's proofs this is, what it may spend, and the calls that it used up."""
    return {
        "attempt": verdict.attempt,
        "level": verdict.level,
        "used": _json(verdict.used),
        "spent": {"alpha": spent.alpha, "delta": spent.delta},
    }


def _judged(held: ScoredSplit, owned: Evaluation, settings: ProofSettings, shape: SliceShape) -> Figures:
    """The owned model's answers under each metric, by their confidence, and in each slice."""
    return {
        "metrics": [_plain(row) for row in owned.metrics],
        "ranking": _ranking(held, owned),
        "confidence": [_plain(row) for row in confidence_bins(owned)],
        "contract": settings.contract,
        "withheld": [*owned.withheld],
        "slices_of": describe(shape, is_proven=owned.cascade.chosen is not None or owned.outcome.scope == "whole"),
        "slice_limit": settings.slice_limit,
        "slices": [_slice(row, owned, held) for row in owned.slices],
    }


def _ranking(held: ScoredSplit, owned: Evaluation) -> float | None:
    """How well the confidence orders the answers to the calls that are asked."""
    rows = zip(held.examples, held.asked, owned.guesses, owned.scores, strict=True)
    asked = [(g.confidence, s.is_exact and not e.is_aside) for e, is_asked, g, s in rows if is_asked]
    return ranking([confidence for confidence, _ in asked], [is_right for _, is_right in asked])


def _listed(held: ScoredSplit, owned: Evaluation) -> Figures:
    """Fields and differing calls, worst first, with how many there are in all."""
    fields, differences = field_rows(owned), difference_rows(held, owned)
    return {
        "fields": [_plain(row) for row in fields[:MOST_ROWS]],
        "fields_left_out": max(0, len(fields) - MOST_ROWS),
        "differences": [_plain(row) for row in differences[:MOST_DIFFERENCES]],
        "differences_in_all": len(differences),
    }


def _slice(row: Slice, owned: Evaluation, held: ScoredSplit) -> Figures:
    """A slice with the share lost in it, and its share of right answers with an interval that holds for all slices."""
    per_user = len(held.groups) / max(len(set(held.groups)), 1)
    low, high = agreement_interval(row.right, row.n, slices=len(owned.slices), calls_per_user=per_user)
    return {
        **_plain(row),
        "lost": (row.wrong - row.better) / row.n if row.n else None,
        "share": row.right / row.n if row.n else None,
        "share_low": low,
        "share_high": high,
    }


def _after(
    held: ScoredSplit, owned: Evaluation, settings: ProofSettings, facts: ProofFacts, shape: SliceShape
) -> Figures:
    """What would follow a move: the ramp, and how soon a rollback would come, by the bounds that live traffic has.

    Live, answers are held against the provider's. What a model differs by and is no worse is borne
    (`prove.tolerated_disagreement`, `watch.run.bounds`), and where that is more than the risk there is no ramp
    (`route.run.move`).
    """
    if owned.outcome.decision != "move":
        return {}
    is_unlike = unlike(held, owned)
    differing = sum(map(all, zip(owned.is_local, is_unlike, strict=True))) / len(is_unlike)
    pairs = zip(held.examples, owned.guesses, strict=True)
    names = [shape.names(example.messages, guess.text) for example, guess in pairs]
    bears = borne(held, owned, is_unlike, names)
    found: Figures = {"unlike": differing, "borne": _plain(bears)}
    tolerated = settings.risk + bears.upper
    if tolerated <= MOST_TOLERATED:
        plan = plan_rollback(
            tolerated,
            min(1.0, tolerated + (TURNED_TIMES - 1) * settings.risk),
            patience=facts.patience,
            rate=facts.audit_rate,
            local=owned.outcome.coverage if settings.contract == "B" else None,
            a_day=facts.calls_per_day,
        )
        found["rollback"] = _plain(plan)
    if facts.harm is not None and bears.upper <= settings.risk:
        found["ramp"] = _plain(plan_ramp(differing, 0.0, harm=facts.harm, alpha=settings.alpha))
    return found


def _side(examined: Evaluation) -> Figures:
    outcome = examined.outcome
    return {**_plain(examined.side), "decision": outcome.decision, "coverage": outcome.coverage}


def _paired(paired: Paired, settings: ProofSettings) -> Figures:
    """The paired test, its path thinned out to some steps of (unit, ln K)."""
    figures = _plain(paired)
    figures["log_wealth"] = _thinned(paired.log_wealth, paired.decided_at)
    figures["calls_for_80_percent_power"] = whole_calls(paired, settings)
    return figures


def _opinions(compared: Compared | None) -> Figures:
    """The test on comparisons, where people or a judge were asked."""
    if compared is None:
        return {}
    left = compared.powered.variance_left if compared.powered else None
    path = _thinned(compared.log_wealth, compared.decided_at)
    told = {"is_certified": compared.is_certified, "variance_left": left, "log_wealth": path}
    return {"judged": {**_plain(compared), **told}}


def _thinned(path: Sequence[float], decided_at: int | None) -> list[JsonValue]:
    """Some steps of a path of evidence: (unit, ln K)."""
    if not path:
        return []
    step = max(1, math.ceil(len(path) / _MOST_STEPS))
    kept = sorted({*range(0, len(path), step), len(path) - 1, (decided_at or 1) - 1})
    return [[i + 1, path[i]] for i in kept]


def _wrong_interval(held: ScoredSplit, owned: Evaluation) -> tuple[float, float] | None:
    """95% for the share that the contract bounds, as seen, wider where users made several calls; None: no cascade."""
    if owned.outcome.scope != "cascade":
        return None
    rows = zip(owned.is_local, owned.scores, held.groups, strict=True)
    counted = [row for row in rows if row[0] or owned.cascade.contract == "A"]
    wrong = [float(is_local and not score.is_exact) for is_local, score, _ in counted]
    return share_interval(wrong, [group for _, _, group in counted])


def _cascade(cascade: Cascade, settings: ProofSettings, interval: tuple[float, float] | None) -> Figures:
    chosen = cascade.chosen
    return {
        "threshold": cascade.threshold,
        "coverage": cascade.coverage if chosen else None,
        "coverage_at_least": lower_bound(chosen.local, cascade.n, settings.delta) if chosen else None,
        "least_coverage": settings.least_coverage,
        "chosen": _plain(chosen) if chosen else None,
        "wrong_share_interval": [*interval] if interval else None,
        "is_by_user": cascade.is_by_user,
        "contract": cascade.contract,
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
