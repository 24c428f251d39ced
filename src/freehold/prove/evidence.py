"""Gathers every figure of a proof into one value: what the report shows and the verdict keeps.

Not covered: computing the figures (`prove.measure`, `prove.report.tables`), showing them (`prove.report.report`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import msgspec

from freehold import __version__
from freehold.model.dataset import Manifest
from freehold.model.engine import NOT_ASKED, OwnedAnswer
from freehold.model.evidence import answers as of_answers
from freehold.model.evidence import decision as of_decision
from freehold.model.evidence import outlook as of_outlook
from freehold.model.evidence.calls import DatasetFigures
from freehold.model.evidence.evidence import Evidence
from freehold.model.evidence.terms import FactsFigures, SettingsFigures
from freehold.model.verdict import Verdict
from freehold.prove.attempts import level
from freehold.prove.calibrator import ranking
from freehold.prove.decide import Paired, calls_needed, whole_calls
from freehold.prove.differences import MOST_DIFFERENCES, difference_rows
from freehold.prove.evaluate import Evaluation
from freehold.prove.forecast import MOST_TOLERATED, plan_ramp, plan_rollback
from freehold.prove.labels.judge import Compared
from freehold.prove.measure import ScoredSplit, Side, can_replace, of_known, summarise
from freehold.prove.population import population
from freehold.prove.report.grounds import is_enough
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
from freehold.prove.stats.cascade import Cascade, CurvePoint, lower_bound
from freehold.prove.stats.intervals import share_interval
from freehold.prove.tolerated_disagreement import borne, unlike
from freehold.text.slices import SliceShape

TURNED_TIMES = 3
"""The report says how soon it would be noticed that wrong answers are so many times as frequent as promised."""
_MOST_STEPS = 200
Part = dict[str, Any]
"""Some fields of the evidence, by name; a name that it does not have is a TypeError where they are put together."""
S = TypeVar("S", bound=msgspec.Struct)


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
) -> Evidence:
    """The evidence; floats stay as computed, so that a reader of the JSON can check every one.

    `settings` are what was asked for; the verdict's attempt spent its part of them. `readings` are what other settings
    would have given.
    """
    spent, planned = settings.spending(verdict.level), settings.spending(level(verdict.attempt + 1))
    return Evidence(
        task=manifest.task,
        kind=manifest.kind,
        outcome=_same(of_decision.OutcomeFigures, owned.outcome),
        paired=_paired(owned.paired, spent),
        judged=_opinions(owned.compared),
        cascade=_cascade(owned.cascade, spent, _wrong_interval(held, owned)),
        calls_that_would_decide=calls_needed(
            owned.paired, owned.cascade, can_replace=can_replace(held, owned.metrics), settings=planned
        ),
        speed=_same(of_answers.SpeedFigures, speed([given for given in answers if given is not NOT_ASKED])),
        savings=_same(of_outlook.SavingsFigures, savings(owned, facts)),
        sensitivity=_sensitivity(readings),
        settings=_same(SettingsFigures, settings),
        facts=_same(FactsFigures, facts, training=msgspec.to_builtins(facts.training) if facts.training else {}),
        dataset=DatasetFigures(hash=manifest.hash, counts=manifest.counts, dropped=manifest.dropped),
        freehold=__version__,
        **_counted(held),
        **population(manifest, held, owned, verdict.used),
        **_compared(held, owned, others, facts),
        **_attempt(verdict, spent),
        **_judged(held, owned, settings, shape),
        **_listed(held, owned),
        **_after(held, owned, settings, facts, shape),
    )


def _same(kind: type[S], value: object, **more: Any) -> S:
    """The figures of a computed value, field by field; TypeError where the two do not have the same fields."""
    given = {one.name: getattr(value, one.name) for one in fields(value)} | more  # type: ignore[arg-type]  # a dataclass
    if lacking := set(kind.__struct_fields__) - given.keys():
        raise TypeError(f"{type(value).__name__} does not say {sorted(lacking)} of {kind.__name__}")
    return kind(**given)


def _counted(held: ScoredSplit) -> Part:
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


def _compared(held: ScoredSplit, owned: Evaluation, others: Sequence[Evaluation], facts: ProofFacts) -> Part:
    """Both sides and the baselines, and whether a baseline would do."""
    provider = of_known(held, facts.provider, held.incumbent)
    passing = [other for other in others if other.outcome.decision == "move"]
    return {
        "apart": _apart(held, owned),
        "sides": (_side(provider), *(_side(e.side, e.outcome.decision, e.outcome.coverage) for e in (owned, *others))),
        "passing_baselines": tuple(other.side.name for other in passing),
        "needs_no_model": any(is_enough(other.outcome.coverage, owned.outcome.coverage) for other in passing),
    }


def _side(side: Side, decision: str = "", coverage: float | None = None) -> of_answers.SideFigures:
    return _same(of_answers.SideFigures, side, decision=decision, coverage=coverage)


def _apart(held: ScoredSplit, owned: Evaluation) -> tuple[of_answers.ApartFigures, ...]:
    """Both sides where people said what was wanted, and where the provider's answer stands for it."""
    found = []
    for of, source in (("people", True), ("provider", False)):
        some = [i for i, e in enumerate(held.examples) if e.is_known is source and not e.is_rejected and not e.is_aside]
        if some:
            groups = [held.groups[i] for i in some]
            provider, own = (
                _same(of_answers.PlainSide, summarise(name, [scores[i] for i in some], groups))
                for name, scores in (("provider", held.incumbent), ("owned", owned.scores))
            )
            found.append(of_answers.ApartFigures(of=of, n=len(some), provider=provider, owned=own))
    return tuple(found)


def _attempt(verdict: Verdict, spent: ProofSettings) -> Part:
    """Which of the task's proofs this is, what it may spend, and the calls that it used up."""
    return {
        "attempt": verdict.attempt,
        "level": verdict.level,
        "used": verdict.used,
        "spent": of_decision.SpentFigures(alpha=spent.alpha, delta=spent.delta),
    }


def _judged(held: ScoredSplit, owned: Evaluation, settings: ProofSettings, shape: SliceShape) -> Part:
    """The owned model's answers under each metric, by their confidence, and in each slice."""
    return {
        "metrics": tuple(_same(of_answers.MetricFigures, row) for row in owned.metrics),
        "ranking": _ranking(held, owned),
        "confidence": tuple(_same(of_answers.BinFigures, row) for row in confidence_bins(owned)),
        "contract": settings.contract,
        "withheld": owned.withheld,
        "slices_of": describe(shape, is_proven=owned.cascade.chosen is not None or owned.outcome.scope == "whole"),
        "slice_limit": settings.slice_limit,
        "slices": tuple(_slice(row, owned, held) for row in owned.slices),
    }


def _ranking(held: ScoredSplit, owned: Evaluation) -> float | None:
    """How well the confidence orders the answers to the calls that are asked."""
    rows = zip(held.examples, held.asked, owned.guesses, owned.scores, strict=True)
    asked = [(g.confidence, s.is_exact and not e.is_aside) for e, is_asked, g, s in rows if is_asked]
    return ranking([confidence for confidence, _ in asked], [is_right for _, is_right in asked])


def _listed(held: ScoredSplit, owned: Evaluation) -> Part:
    """Fields and differing calls, worst first, with how many there are in all."""
    by_field, differences = field_rows(owned), difference_rows(held, owned)
    return {
        "fields": tuple(_same(of_answers.FieldFigures, row) for row in by_field[:MOST_ROWS]),
        "fields_left_out": max(0, len(by_field) - MOST_ROWS),
        "differences": tuple(_same(of_answers.DifferenceFigures, row) for row in differences[:MOST_DIFFERENCES]),
        "differences_in_all": len(differences),
    }


def _slice(row: Slice, owned: Evaluation, held: ScoredSplit) -> of_answers.SliceFigures:
    """A slice with the share lost in it, and its share of right answers with an interval that holds for all slices."""
    per_user = len(held.groups) / max(len(set(held.groups)), 1)
    low, high = agreement_interval(row.right, row.n, slices=len(owned.slices), calls_per_user=per_user)
    return _same(
        of_answers.SliceFigures,
        row,
        lost=(row.wrong - row.better) / row.n if row.n else None,
        share=row.right / row.n if row.n else None,
        share_low=low,
        share_high=high,
    )


def _after(held: ScoredSplit, owned: Evaluation, settings: ProofSettings, facts: ProofFacts, shape: SliceShape) -> Part:
    """What would follow a move: the ramp, and how soon a rollback would come, by the bounds that live traffic has.

    Live, answers are held against the provider's. What a model differs by and is no worse is tolerated
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
    found: Part = {"unlike": differing, "borne": _same(of_outlook.BorneFigures, bears)}
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
        found["rollback"] = _same(of_outlook.RollbackFigures, plan)
    if facts.harm is not None and bears.upper <= settings.risk:
        ramp = plan_ramp(differing, 0.0, harm=facts.harm, alpha=settings.alpha)
        steps = tuple(_same(of_outlook.RampStepFigures, step) for step in ramp.steps)
        found["ramp"] = _same(of_outlook.RampFigures, ramp, steps=steps)
    return found


def _paired(paired: Paired, settings: ProofSettings) -> of_decision.PairedFigures:
    """The paired test, its path thinned out to some steps of (unit, ln K)."""
    return _same(
        of_decision.PairedFigures,
        paired,
        log_wealth=_thinned(paired.log_wealth, paired.decided_at),
        calls_for_80_percent_power=whole_calls(paired, settings),
    )


def _opinions(compared: Compared | None) -> of_decision.ComparedFigures | None:
    """The test on comparisons, where people or a judge were asked."""
    if compared is None:
        return None
    powered = compared.powered
    return _same(
        of_decision.ComparedFigures,
        compared,
        powered=_same(of_decision.PoweredFigures, powered) if powered else None,
        is_certified=compared.is_certified,
        variance_left=powered.variance_left if powered else None,
        log_wealth=_thinned(compared.log_wealth, compared.decided_at),
    )


def _sensitivity(found: Sensitivity) -> of_decision.SensitivityFigures:
    readings = tuple(_same(of_decision.ReadingFigures, one) for one in found.readings)
    return _same(of_decision.SensitivityFigures, found, readings=readings)


def _thinned(path: Sequence[float], decided_at: int | None) -> tuple[of_decision.Step, ...]:
    """Some steps of a path of evidence: (unit, ln K)."""
    if not path:
        return ()
    step = max(1, math.ceil(len(path) / _MOST_STEPS))
    kept = sorted({*range(0, len(path), step), len(path) - 1, (decided_at or 1) - 1})
    return tuple((i + 1, path[i]) for i in kept)


def _wrong_interval(held: ScoredSplit, owned: Evaluation) -> tuple[float, float] | None:
    """95% for the share that the contract bounds, as seen, wider where users made several calls; None: no cascade."""
    if owned.outcome.scope != "cascade":
        return None
    rows = zip(owned.is_local, owned.scores, held.groups, strict=True)
    counted = [row for row in rows if row[0] or owned.cascade.contract == "A"]
    wrong = [float(is_local and not score.is_exact) for is_local, score, _ in counted]
    return share_interval(wrong, [group for _, _, group in counted])


def _cascade(
    cascade: Cascade, settings: ProofSettings, interval: tuple[float, float] | None
) -> of_decision.CascadeFigures:
    chosen = cascade.chosen
    return of_decision.CascadeFigures(
        threshold=cascade.threshold,
        coverage=cascade.coverage if chosen else None,
        coverage_at_least=lower_bound(chosen.local, cascade.n, settings.delta) if chosen else None,
        least_coverage=settings.least_coverage,
        chosen=_point(chosen) if chosen else None,
        wrong_share_interval=interval,
        is_by_user=cascade.is_by_user,
        contract=cascade.contract,
        curve=tuple(map(_point, curve_points(cascade))),
    )


def _point(point: CurvePoint) -> of_decision.CurveFigures:
    return _same(of_decision.CurveFigures, point)
