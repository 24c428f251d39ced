"""Between what bounds the mean difference of these calls lay, also where it changed from one to the next.

The paired test asks whether a difference that stays what it is lies above the margin. Here nothing has to stay: with
mu_i = E[D_i | all before], the bounds hold the mean of mu_1 .. mu_t at every t at once, with probability 1 - alpha.

    S_t = sum (D_i - mu_i),   V_t = sum (D_i - C_i)^2,   C_i = min(0, the mean of D before i)       D in [-1, 1]

As D_i - C_i >= -1, exp(l S_t - (-ln(1 - l) - l) V_t) is a supermartingale for every l in [0, 1) (Howard et al. 2021,
arXiv 1810.08240, theorem 4: empirical Bernstein; C_i may be any value known before). Mixed over l by the conjugate
(gamma) weight with r, proposition 9, it is

    ln M(s, v) = r ln r - ln G(r) - ln P(r, r) + ln G(v + r) + ln P(v + r, s + v + r) - (v + r) ln(s + v + r) + s + v

with G the gamma function and P the regularised lower incomplete one. S_t stays below the s with M(s, V_t) = 2 / alpha,
so the mean is at least mean D - s / t; the other bound is the same of -D. r is such that the bounds are narrowest where
a tenth of the units differ. A missing D (NaN) is -1 below and 1 above.

Checkable: M(0, 0) = 1; 500 units without any difference give +-1.6 points at alpha = 0.05.
Not covered: deciding (`prove.stats.betting`), whose promise is for traffic that goes on as it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_PLANNED_SHARE = 0.1


def running_bounds(differences: Sequence[float], *, alpha: float) -> tuple[float, float]:
    """The bounds of the mean after the last of the differences, in the order in which they came; (-1, 1) of none."""
    low = -_reach([-1.0 if math.isnan(d) else d for d in differences], alpha / 2)
    high = _reach([-1.0 if math.isnan(d) else -d for d in differences], alpha / 2)
    return low, high


def _reach(values: Sequence[float], alpha: float) -> float:
    """How far below 0 the mean of these may be; at most 1."""
    n, total, spread = len(values), 0.0, 0.0
    if not n:
        return 1.0
    for i, value in enumerate(values):
        spread += (value - min(0.0, total / max(i, 1))) ** 2
        total += value
    return float(min(1.0, max(-1.0, (_boundary(spread, alpha, planned=_PLANNED_SHARE * n) - total) / n)))


def _boundary(spread: float, alpha: float, *, planned: float) -> float:
    """The s at which the mixture is 1 / alpha, where V is `spread`; narrowest, for its V, at `planned`."""
    from scipy.optimize import brentq
    from scipy.special import gammainc, gammaln

    goal = math.log(1 / alpha)
    r = planned / (2 * goal + math.log1p(2 * goal))
    v = spread + r
    fixed = r * math.log(r) - gammaln(r) - math.log(gammainc(r, r)) + gammaln(v) + spread

    def short(s: float) -> float:
        return float(fixed + math.log(gammainc(v, s + v)) - v * math.log(s + v) + s - goal)

    most = 1.0
    while short(most) < 0:
        most *= 2
    return float(brentq(short, 0.0, most))
