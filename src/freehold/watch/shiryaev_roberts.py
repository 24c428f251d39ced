"""Sums of evidence: the generalised Shiryaev-Roberts recursion over several bets at once, kept as logarithms.

    S_t = S_{t-1} e_t + v_t,   S_0 = 0,   e_t >= 0 with E[e_t | past] <= 1,   v_t >= 0

Then S_t - sum_{i<=t} v_i is a supermartingale, and so is the mean over the bets: by optional stopping and Markov
P(alarm by t) <= E[sum_{i<=t} v_i] / A for an alarm at S >= A (Shin, Ramdas & Rinaldo, arXiv 2203.03532). A unit is
added after its bet, not before: v_t may depend on what was observed (`watch.detector`), and (S + v) e would then carry
v e, whose mean need not be that of v. Logarithms, so that 1e300 and more is a number like any other.
Checkable: factor 2 and unit 1, three times from nothing: 1, 3, 7.

Not covered: which factors are e-values (each detector says why its own are).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NOTHING = -1e9
"""The logarithm that stands for 0: finite, because JSON has no infinity."""
LARGEST = 1e300
"""Evidence is shown up to here."""


def nothing(bets: int) -> tuple[float, ...]:
    """The log sums before the first observation."""
    return (NOTHING,) * bets


def grow(log_sums: Sequence[float], factors: Sequence[float], unit: float) -> tuple[float, ...]:
    """Each sum times its factor, plus the unit; factors and unit are positive."""
    log_unit = math.log(unit)
    return tuple(
        _log_add(log_sum + math.log(factor), log_unit) for log_sum, factor in zip(log_sums, factors, strict=True)
    )


def mean(log_sums: Sequence[float]) -> float:
    """The mean of the sums themselves, at most `LARGEST`."""
    top = max(log_sums)
    log_mean = top + math.log(math.fsum(math.exp(log_sum - top) for log_sum in log_sums) / len(log_sums))
    return math.exp(log_mean) if log_mean < math.log(LARGEST) else LARGEST


def _log_add(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high))
