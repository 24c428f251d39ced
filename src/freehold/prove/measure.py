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
from freehold.prove.cascade import Cascade
from freehold.prove.decide import Outcome, Paired, decide
from freehold.prove.policy import Tuning, find_policy, tune
from freehold.prove.served import serve
from freehold.prove.settings import ProofSettings
from freehold.prove.slices import Slice, answered_locally, shape_slices, slice_calls
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
    def distinct_targets(self) -> int:
        """How many different answers are wanted."""
        normal = normal_label if self.kind == "label" else normal_text
        return len({normal(example.target) for example in self.examples})


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One set of answers, scored and put through the whole proof.

    `slices` are judged under the policy that the outcome serves, `withheld` names those that it keeps out, and
    `is_local` says of each call whether it is answered locally.
    """

    side: Side
    guesses: tuple[Guess, ...]
    scores: tuple[Score, ...]
    paired: Paired
    cascade: Cascade
    outcome: Outcome
    slices: tuple[Slice, ...] = ()
    withheld: tuple[str, ...] = ()
    is_local: tuple[bool, ...] = ()


def hold_out(kind: str, examples: Sequence[Example]) -> Held:
    """Score the provider on the proof split."""
    incumbent = tuple(score(kind, example.target, example.incumbent) for example in examples)
    return Held(kind=kind, examples=tuple(examples), incumbent=incumbent)


def tune_on(dev: Held, guesses: Sequence[Guess], settings: ProofSettings) -> Tuning:
    """Fix on the dev split's answers what must be fixed before the proof split is looked at."""
    usable, scores = score_guesses(dev, guesses)
    texts = [guess.text for guess in usable]
    shape = shape_slices(dev.kind, dev.examples, texts)
    calls = slice_calls(
        shape,
        dev.examples,
        texts,
        confidences=[guess.confidence for guess in usable],
        losses=[float(not s.is_exact) for s in scores],
        is_by_call=True,
    )
    return tune(shape, calls, settings)


def examine(
    name: str, held: Held, guesses: Sequence[Guess], settings: ProofSettings, tuning: Tuning | None = None
) -> Examined:
    """Score `guesses`, one per call of the proof split, and decide on them as on an owned model's.

    `tuning` is what the dev split fixed (`tune_on`); without it no slices are judged.
    """
    usable, scores = score_guesses(held, guesses)
    paired = compare(held, scores, settings)
    tuned = tuning or Tuning()
    calls = slice_calls(
        tuned.shape,
        held.examples,
        [guess.text for guess in usable],
        confidences=[guess.confidence for guess in usable],
        losses=[float(not s.is_exact) for s in scores],
    )
    policy = find_policy(calls, tuned, settings)
    outcome = decide(
        paired,
        policy.cascade,
        has_corrections=held.has_corrections,
        distinct_targets=held.distinct_targets,
        settings=settings,
    )
    harms = [float(b.is_exact) - float(a.is_exact) for a, b in zip(scores, held.incumbent, strict=True)]
    served, outcome = serve(outcome, policy, calls.paired(harms), settings)
    return Examined(
        side=summarise(name, scores, held.groups),
        guesses=usable,
        scores=scores,
        paired=paired,
        cascade=policy.cascade,
        outcome=outcome,
        slices=served.slices,
        withheld=served.withheld,
        is_local=answered_locally(calls, outcome.threshold, served.withheld),
    )


def score_guesses(held: Held, guesses: Sequence[Guess]) -> tuple[tuple[Guess, ...], tuple[Score, ...]]:
    """The guesses, those that no client could read at confidence 0.0, and their scores."""
    usable = tuple(g if is_acceptable(held.kind, g.text) else Guess(text=g.text, confidence=0.0) for g in guesses)
    pairs = zip(held.examples, usable, strict=True)
    return usable, tuple(score(held.kind, example.target, guess.text) for example, guess in pairs)


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
