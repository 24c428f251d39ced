"""Scores one set of answers on the proof split: each answer under every metric, each metric against the provider's.

A share's interval is
Wilson's where every user made one call; else it is normal, from the users' totals (cluster-robust; Wilson's over users
where all calls are alike), and approximate: shown, never decided by.

Whether an answer is "right" (`Score.is_exact` of the scores here) is for the metrics of the proof to say, see
`prove.metrics`; without any settings it is that it equals the wanted one.

The split holds all answered calls of its time. About some no owned model would be asked (`ScoredSplit.asked`): no
answer is local there, and nothing is lost. Of some nobody knows what was wanted (`ScoredSplit.known`): shares of right
answers are of the others, and say so by their n; what is decided, risk, coverage and the paired difference, is of all.

Not covered: where the answers come from; what follows from them (`prove.evaluate`); a report's tables
(`prove.report.tables`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from freehold.model.example import Example
from freehold.prove.decide import Paired
from freehold.prove.metrics import Judged, Metric, check_fields, judge, judge_aside, read_metrics
from freehold.prove.settings import ProofSettings
from freehold.prove.stats.betting import star, user_means
from freehold.prove.stats.confidence_sequence import running_bounds
from freehold.prove.stats.intervals import mean_interval, share_interval
from freehold.prove.stats.tango import tango_interval, tango_z
from freehold.text.scoring import Score, normal_label, normal_text
from freehold.text.traits import kind_of

LEAST_RIGHT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """An answer and the confidence in it, from 0 to 1; 0.0 is never used."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side's answers beside the wanted ones, where these are known; the interval is 95%."""

    name: str
    n: int
    right: int
    share: float
    low: float
    high: float
    graded: float
    valid: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of both sides; the interval of the difference is 95%, `missing` counts calls without a score.

    Means and `passed` are over the calls with a known answer, means over those that have one; the difference is over
    all `n`. `is_certified` says that the owned model alone is no worse than the provider
    by more than the margin; `passed` is the share of owned answers that reach the mark.
    """

    name: str
    mark: float
    n: int
    missing: int
    owned: float | None
    incumbent: float | None
    difference: float
    low: float
    high: float
    passed: float
    is_certified: bool
    decided_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSplit:
    """The proof split with the provider's answers scored against the wanted ones, under every metric."""

    kind: str
    examples: tuple[Example, ...]
    metrics: tuple[Metric, ...]
    judged: tuple[Judged, ...]
    unproven: frozenset[str] = frozenset()

    @property
    def asked(self) -> list[bool]:
        """Whether the gateway would ask an owned model; not about kinds of requests that are `unproven`."""
        return [e.is_askable and kind_of(e.traits) not in self.unproven for e in self.examples]

    @property
    def known(self) -> list[bool]:
        """Whether it is known what was wanted, or that the provider's answer was not."""
        return [not example.is_aside for example in self.examples]

    @property
    def incumbent(self) -> tuple[Score, ...]:
        """The provider's scores."""
        return tuple(judged.score for judged in self.judged)

    @property
    def groups(self) -> list[str]:
        """The user or session of each call."""
        return [example.group for example in self.examples]

    @property
    def has_corrections(self) -> bool:
        """Whether some wanted answer is not what the provider answered."""
        return not all(judged.is_equal for judged in self.judged)

    @property
    def can_provider_err(self) -> bool:
        """Whether the provider falls short of a full score anywhere, so that both sides can."""
        return not all(judged.score.is_exact and min(judged.values) == 1.0 for judged in self.judged)

    @property
    def is_compared(self) -> bool:
        """Whether comparisons of answers, where there are any, decide in place of agreement, which says too little."""
        return self.kind == "text" or not self.has_corrections

    @property
    def distinct_targets(self) -> int:
        """How many different answers are wanted."""
        normal = normal_label if self.kind == "label" else normal_text
        return len({normal(example.target) for example in self.examples if not example.is_aside})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One set of answers under every metric, before any test; an answer that no client could read has confidence 0."""

    name: str
    guesses: tuple[Guess, ...]
    judged: tuple[Judged, ...]


def hold_out(
    kind: str,
    examples: Sequence[Example],
    metrics: Sequence[Metric] | None = None,
    *,
    unproven: Collection[str] = (),
) -> ScoredSplit:
    """Score the provider on a split; without metrics, whether it answered what is wanted.

    `unproven` are the kinds of requests (`text.traits`) that are left to the provider, as too few of them were seen.
    """
    asked = tuple(metrics or read_metrics("exact"))
    check_fields(kind, asked, [example.target for example in examples if not example.is_aside])
    judged = tuple(
        judge_aside(asked, is_used=False) if e.is_aside else judge(kind, asked, e, e.incumbent) for e in examples
    )
    return ScoredSplit(kind=kind, examples=tuple(examples), metrics=asked, judged=judged, unproven=frozenset(unproven))


def score_guesses(name: str, held: ScoredSplit, guesses: Sequence[Guess]) -> Scored:
    """Score `guesses`, one per call of a split; one that the gateway would not ask for has no confidence."""
    usable = tuple(
        guess if is_asked and example.takes(held.kind, guess.text) else replace(guess, confidence=0.0)
        for guess, is_asked, example in zip(guesses, held.asked, held.examples, strict=True)
    )
    judged = tuple(_judged(held, example, guess) for example, guess in zip(held.examples, usable, strict=True))
    return Scored(name=name, guesses=usable, judged=judged)


def _judged(held: ScoredSplit, example: Example, guess: Guess) -> Judged:
    if not example.is_aside:
        return judge(held.kind, held.metrics, example, guess.text)
    is_valid = example.takes(held.kind, guess.text)
    return judge_aside(held.metrics, is_used=guess.confidence > 0, is_valid=is_valid)


def of_known(held: ScoredSplit, name: str, scores: Sequence[Score]) -> Side:
    """The figures of one side's scores, of the calls with a known answer."""
    rows = [(s, group) for s, group, is_known in zip(scores, held.groups, held.known, strict=True) if is_known]
    return summarise(name, [s for s, _ in rows], [group for _, group in rows])


def summarise(name: str, scores: Sequence[Score], groups: Sequence[str]) -> Side:
    """The figures of one side's scores."""
    n = len(scores)
    right = sum(s.is_exact for s in scores)
    low, high = share_interval([float(s.is_exact) for s in scores], groups)
    return Side(
        name=name,
        n=n,
        right=right,
        share=right / n,
        low=low,
        high=high,
        graded=math.fsum(s.graded for s in scores) / n,
        valid=sum(s.is_valid for s in scores) / n,
    )


def can_replace(held: ScoredSplit, rows: Sequence[MetricRow]) -> bool:
    """Whether replacing the provider wholly can be shown: it can be wrong, and the owned model is right now and then.

    Any answer is no worse than those of a provider that is always wrong, or of which nothing else is known. So under
    each metric the owned model must reach at least LEAST_RIGHT on average.
    """
    return held.can_provider_err and all((row.owned or 0.0) >= LEAST_RIGHT for row in rows)


def compare(
    held: ScoredSplit, owned: Sequence[Judged], place: int, settings: ProofSettings
) -> tuple[MetricRow, Paired]:
    """The paired test of the owned answers alone against the provider's, under the metric at `place`."""
    metric = held.metrics[place]
    ours, theirs = [j.values[place] for j in owned], [j.values[place] for j in held.judged]
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    units = user_means(differences, held.groups, seed=settings.seed)
    evidence = star(units, settings.margin, alpha=settings.alpha, cap=len(units))
    entered = [-1.0 if math.isnan(d) else d for d in differences]
    n, worse, better = len(entered), sum(d < 0 for d in entered), sum(d > 0 for d in entered)
    difference = math.fsum(entered) / n
    is_plain = len(units) == n and {*entered} <= {-1.0, 0.0, 1.0}
    low, high = tango_interval(worse, better, n) if is_plain else mean_interval(entered, held.groups)
    running = running_bounds(user_means(differences, held.groups, seed=None), alpha=0.05)
    paired = Paired(
        metric=metric.name,
        metrics=len(held.metrics),
        n=n,
        users=len(units),
        difference=difference,
        low=max(-1.0, min(low, difference)),
        high=min(1.0, max(high, difference)),
        running_low=running[0],
        running_high=running[1],
        discordance=math.fsum(d * d for d in entered) / n,
        owned_only_wrong=worse,
        incumbent_only_wrong=better,
        is_certified=evidence.is_certified,
        decided_at=evidence.decided_at,
        log_wealth=evidence.log_wealth,
        log_goal=evidence.log_goal,
        tango_z=tango_z(worse, better, n, settings.margin) if is_plain else None,
    )
    return _row(metric, held.known, ours, theirs, paired), paired


def _row(
    metric: Metric, known: Sequence[bool], ours: Sequence[float], theirs: Sequence[float], paired: Paired
) -> MetricRow:
    owned, incumbent = ([v for v, is_known in zip(values, known, strict=True) if is_known] for values in (ours, theirs))
    return MetricRow(
        name=metric.name,
        mark=metric.mark,
        n=paired.n,
        missing=sum(math.isnan(a - b) for a, b in zip(ours, theirs, strict=True)),
        owned=_mean_of_known(owned),
        incumbent=_mean_of_known(incumbent),
        difference=paired.difference,
        low=paired.low,
        high=paired.high,
        passed=sum(map(metric.passes, owned)) / max(len(owned), 1),
        is_certified=paired.is_certified,
        decided_at=paired.decided_at,
    )


def _mean_of_known(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else None
