"""Puts one set of scored answers through the whole proof: paired test, comparisons, cascade, slices, outcome.

The owned model and every baseline go through `weigh`, so that all are held to the same proof. Comparisons by people are
of the owned model's answers alone.

Not covered: scoring answers (`prove.measure`), the rules (`prove.decide`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freehold.prove.apply_policy import serve
from freehold.prove.decide import Outcome, Paired, decide
from freehold.prove.labels.judge import Compared, Opinions, preferences, weigh_opinions
from freehold.prove.measure import (
    Guess,
    MetricRow,
    Scored,
    ScoredSplit,
    Side,
    can_replace,
    compare,
    of_known,
)
from freehold.prove.policy import Tuning, find_policy, tune
from freehold.prove.settings import ProofSettings
from freehold.prove.slices import Slice, Sliced, answered_locally, shape_slices, slice_calls
from freehold.prove.stats.cascade import Cascade
from freehold.text.scoring import Score
from freehold.text.slices import SliceShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One set of answers, scored and put through the whole proof; `paired` is the metric furthest from certified.

    `slices` are judged under the policy that the outcome serves, `withheld` names those that it keeps out, and
    `is_local` says of each call whether it is answered locally. `compared` is how comparisons by people stand, where
    there are any.
    """

    side: Side
    guesses: tuple[Guess, ...]
    scores: tuple[Score, ...]
    metrics: tuple[MetricRow, ...]
    paired: Paired
    cascade: Cascade
    outcome: Outcome
    slices: tuple[Slice, ...] = ()
    withheld: tuple[str, ...] = ()
    is_local: tuple[bool, ...] = ()
    compared: Compared | None = None


def tune_on(dev: ScoredSplit, scored: Scored, settings: ProofSettings) -> Tuning:
    """Fix on the dev split's answers what must be fixed before the proof split is looked at."""
    shape = shape_slices(dev.kind, dev.examples, [guess.text for guess in scored.guesses])
    return tune(shape, _sliced(shape, dev, scored, is_by_call=True), settings)


def weigh(
    scored: Scored,
    held: ScoredSplit,
    settings: ProofSettings,
    tuning: Tuning | None = None,
    planned: ProofSettings | None = None,
    opinions: Opinions | None = None,
) -> Evaluation:
    """Decide on scored answers; `opinions` are those of people and a judge on these very answers.

    `tuning` is what the dev split fixed (`tune_on`); without it no slices are judged. `planned` is what a next proof
    may spend, where that is not what this one does.
    """
    scores = tuple(judged.score for judged in scored.judged)
    by_metric = [compare(held, scored.judged, i, settings) for i in range(len(held.metrics))]
    paired = max((pair for _, pair in by_metric), key=_distance)
    asked, preferred = _compared(scored, held, settings, opinions)
    tuned = tuning or Tuning()
    calls = _sliced(tuned.shape, held, scored)
    policy = find_policy(calls, tuned, settings)
    outcome = decide(
        paired,
        policy.cascade,
        can_replace=can_replace(held, [row for row, _ in by_metric]),
        distinct_targets=held.distinct_targets,
        settings=settings,
        planned=planned or settings,
        compared=None if preferred is None else asked,
        besides=[pair for (_, pair), metric in zip(by_metric, held.metrics, strict=True) if not metric.is_agreement],
    )
    known = None if preferred is None else [value is not None for value in preferred]
    served, outcome = serve(outcome, policy, calls.paired(_harms(scores, held, preferred)), settings, known)
    return Evaluation(
        side=of_known(held, scored.name, scores),
        guesses=scored.guesses,
        scores=scores,
        metrics=tuple(row for row, _ in by_metric),
        paired=paired,
        cascade=policy.cascade,
        outcome=outcome,
        slices=served.slices,
        withheld=served.withheld,
        is_local=answered_locally(calls, outcome.threshold, served.withheld),
        compared=asked,
    )


def _harms(scores: Sequence[Score], held: ScoredSplit, preferred: Sequence[float | None] | None) -> list[float]:
    """What each call loses by the owned answer: by comparisons where those decide (unknown: 0), else by scores."""
    if preferred is not None:
        return [-(value or 0.0) for value in preferred]
    return [float(b.is_exact) - float(a.is_exact) for a, b in zip(scores, held.incumbent, strict=True)]


def _compared(
    scored: Scored, held: ScoredSplit, settings: ProofSettings, opinions: Opinions | None
) -> tuple[Compared | None, list[float | None] | None]:
    """How the test on comparisons stands, and, where it decides, what was preferred in each call."""
    if opinions is None:
        return None, None
    texts = [guess.text for guess in scored.guesses]
    found = weigh_opinions(held.kind, held.examples, texts, opinions, settings)
    preferred = preferences(held.kind, held.examples, texts, opinions, settings)
    return found, preferred if held.is_compared else None


def _sliced(shape: SliceShape, held: ScoredSplit, scored: Scored, *, is_by_call: bool = False) -> Sliced:
    return slice_calls(
        shape,
        held.examples,
        [guess.text for guess in scored.guesses],
        confidences=[guess.confidence for guess in scored.guesses],
        losses=[float(not judged.score.is_exact) for judged in scored.judged],
        is_by_call=is_by_call,
    )


def _distance(paired: Paired) -> tuple[bool, float]:
    """How far a paired test is from certifying: the one that has not, then the one with the least evidence."""
    return not paired.is_certified, -max(paired.log_wealth, default=0.0)
