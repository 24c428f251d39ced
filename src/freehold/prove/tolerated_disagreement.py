"""How often a proven model answers unlike the provider and is no worse for it: what audits, which ask it, must bear.

    whole      P(unlike), of usable answers: the replacement was shown to be no worse in all
    cascade    P(local, unlike, right) of all calls (contract A), P(unlike, right | local) (contract B)

A cascade's answer that is unlike the provider's is right only where people said what was wanted; without corrections
the share is 0. Live, hardly anybody has corrected a call by the time its audit is read, so there such an answer looks
wrong. P(looks wrong) = P(wrong) + share, hence an alarm at risk + share is as seldom false as one at the risk with
true labels. The share is not known, so the upper end of its 95% interval is tolerated; where the true one is larger
than that, a model at its risk is taken back sooner than it should be, which costs money and no quality. Where the
provider answers better later than it did in the proof, harm is noticed at a larger share.

Checkable: 11 of 100 local answers unlike and right have an interval of [6.3, 18.6]: audits bear 18.6 points more.

Not covered: what is done with it (`freehold.pipeline`), a ramp's pairs, which take the provider's answers for right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freehold.prove.evaluate import Evaluation
from freehold.prove.labels.judge import is_same
from freehold.prove.measure import ScoredSplit
from freehold.prove.stats.intervals import share_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """`count` of `n` calls are answered unlike the provider and no worse; `upper` is what audits bear of them.

    `by_slice` counts them in each slice that is answered locally.
    """

    count: int
    n: int
    share: float
    upper: float
    by_slice: dict[str, int]


def unlike(held: ScoredSplit, owned: Evaluation) -> list[bool]:
    """Whether each call's owned answer is unlike the provider's."""
    pairs = zip(held.examples, owned.guesses, strict=True)
    return [not is_same(held.kind, guess.text, example.incumbent) for example, guess in pairs]


def borne(held: ScoredSplit, owned: Evaluation, is_unlike: Sequence[bool], names: Sequence[Sequence[str]]) -> Borne:
    """What a move of these answers has to bear; `is_unlike` as of `unlike`, `names` the slices each call lies in."""
    is_whole = owned.outcome.scope == "whole"
    local = [guess.confidence > 0 for guess in owned.guesses] if is_whole else owned.is_local
    is_unit = local if is_whole or owned.cascade.contract == "B" else [True] * len(local)
    counted = [
        is_in and differs and (is_whole or score.is_exact)
        for is_in, differs, score in zip(local, is_unlike, owned.scores, strict=True)
    ]
    units = [i for i, is_one in enumerate(is_unit) if is_one]
    count = sum(counted)
    _, high = (
        share_interval([float(counted[i]) for i in units], [held.groups[i] for i in units]) if count else (0.0, 0.0)
    )
    found = [name for of, counts in zip(names, counted, strict=True) if counts for name in of]
    return Borne(
        count=count,
        n=len(units),
        share=count / max(len(units), 1),
        upper=high,
        by_slice={name: found.count(name) for name in sorted(set(found))},
    )
