"""Scores one set of answers on the proof split and gathers its figures: shares, paired test, cascade, outcome.

The owned model and every baseline go through `examine`, so that all are held to the same proof. A share's interval is
Wilson's where every user made one call; else it is normal, from the users' totals (cluster-robust; Wilson's over users
where all calls are alike), and approximate: shown, never decided by.

Not covered: where the answers come from; the tables of a report (`prove.tables`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.core.example import Example
from freehold.core.intervals import Z95, wilson
from freehold.core.scoring import Score, is_acceptable, normal_label, normal_text, score
from freehold.prove.betting import star, user_means
from freehold.prove.cascade import Cascade, contract_a
from freehold.prove.decide import Outcome, Paired, decide
from freehold.prove.judging import Judged, Opinions, weigh
from freehold.prove.settings import ProofSettings
from freehold.prove.tango import tango_interval, tango_z


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """An answer and the confidence in it, from 0 to 1; 0.0 is never used."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side's answers beside the wanted ones; the interval is 95%."""

    name: str
    n: int
    right: int
    share: float
    low: float
    high: float
    graded: float
    valid: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The proof split with the provider's answers scored against the wanted ones."""

    kind: str
    examples: tuple[Example, ...]
    incumbent: tuple[Score, ...]

    @property
    def groups(self) -> list[str]:
        """The user or session of each call."""
        return [example.group for example in self.examples]

    @property
    def has_corrections(self) -> bool:
        """Whether the provider can be wrong here: some wanted answer is not what it answered."""
        return not all(s.is_exact for s in self.incumbent)

    @property
    def is_compared(self) -> bool:
        """Whether comparisons of answers, where there are any, decide in place of scores, which say too little."""
        return self.kind == "text" or not self.has_corrections

    @property
    def distinct_targets(self) -> int:
        """How many different answers are wanted."""
        normal = normal_label if self.kind == "label" else normal_text
        return len({normal(example.target) for example in self.examples})


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One set of answers, scored and put through the whole proof."""

    side: Side
    guesses: tuple[Guess, ...]
    scores: tuple[Score, ...]
    paired: Paired
    cascade: Cascade
    outcome: Outcome
    judged: Judged | None = None


def hold_out(kind: str, examples: Sequence[Example]) -> Held:
    """Score the provider on the proof split."""
    incumbent = tuple(score(kind, example.target, example.incumbent) for example in examples)
    return Held(kind=kind, examples=tuple(examples), incumbent=incumbent)


def examine(
    name: str, held: Held, guesses: Sequence[Guess], settings: ProofSettings, opinions: Opinions | None = None
) -> Examined:
    """Score `guesses`, one per call of the proof split, and decide on them as on an owned model's.

    `opinions` are those of people and a judge on these very answers.
    """
    usable = tuple(g if is_acceptable(held.kind, g.text) else Guess(text=g.text, confidence=0.0) for g in guesses)
    pairs = zip(held.examples, usable, strict=True)
    scores = tuple(score(held.kind, example.target, guess.text) for example, guess in pairs)
    paired = compare(held, scores, settings)
    cascade = contract_a(
        [guess.confidence for guess in usable],
        [s.is_exact for s in scores],
        held.groups,
        risk=settings.risk,
        delta=settings.delta,
        seed=settings.seed,
    )
    judged = _judged(held, usable, opinions, settings)
    outcome = decide(
        paired,
        cascade,
        has_corrections=held.has_corrections,
        distinct_targets=held.distinct_targets,
        settings=settings,
        judged=judged if held.is_compared else None,
    )
    side = summarise(name, scores, held.groups)
    return Examined(
        side=side, guesses=usable, scores=scores, paired=paired, cascade=cascade, outcome=outcome, judged=judged
    )


def _judged(held: Held, guesses: Sequence[Guess], opinions: Opinions | None, settings: ProofSettings) -> Judged | None:
    if opinions is None:
        return None
    return weigh(held.kind, held.examples, [guess.text for guess in guesses], opinions, settings)


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


def compare(held: Held, owned: Sequence[Score], settings: ProofSettings) -> Paired:
    """The paired test of the owned answers alone against the provider's."""
    differences = [float(a.is_exact) - float(b.is_exact) for a, b in zip(owned, held.incumbent, strict=True)]
    units = user_means(differences, held.groups, seed=settings.seed)
    evidence = star(units, settings.margin, alpha=settings.alpha, cap=len(units))
    n, worse, better = len(differences), differences.count(-1.0), differences.count(1.0)
    by_call = len(units) == n
    low, high = tango_interval(worse, better, n) if by_call else mean_interval(differences, held.groups)
    return Paired(
        n=n,
        users=len(units),
        difference=(better - worse) / n,
        low=low,
        high=high,
        discordance=(better + worse) / n,
        owned_only_wrong=worse,
        incumbent_only_wrong=better,
        is_certified=evidence.is_certified,
        decided_at=evidence.decided_at,
        log_wealth=evidence.log_wealth,
        log_goal=evidence.log_goal,
        tango_z=tango_z(worse, better, n, settings.margin),
    )


def share_interval(values: Sequence[float], groups: Sequence[str]) -> tuple[float, float]:
    """A 95% interval for a share: Wilson's, or cluster-robust where users made several calls."""
    if len(set(groups)) == len(values):
        return wilson(round(math.fsum(values)), len(values))
    users = len(set(groups))
    if len(set(values)) == 1:
        return wilson(round(values[0]) * users, users)
    low, high = mean_interval(values, groups)
    return max(0.0, low), min(1.0, high)


def mean_interval(values: Sequence[float], groups: Sequence[str]) -> tuple[float, float]:
    """A 95% normal interval for the mean per call, from the residual totals of each user; (-1, 1) for one user."""
    n = len(values)
    mean = math.fsum(values) / n
    totals: dict[str, float] = {}
    for value, group in zip(values, groups, strict=True):
        totals[group] = totals.get(group, 0.0) + value - mean
    users = len(totals)
    if users < 2:
        return -1.0, 1.0
    error = math.sqrt(users / (users - 1) * math.fsum(t * t for t in totals.values())) / n
    return mean - Z95 * error, mean + Z95 * error
