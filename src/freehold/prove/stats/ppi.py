"""Many cheap scores of a judge, corrected by few labels of people: what the mean of D is, and a bet on it that is safe.

D in [-1, 1] is what people say of a pair of answers (1: the owned one is better), f in [-1, 1] what the judge says of
the same pair. n pairs have both; N others have f alone. Whether f is any good is never assumed.

Shown (PPI++, Angelopoulos, Duchi & Zrnic, arXiv 2311.01453):

    theta = lambda mean_N(f) + mean_n(D - lambda f)        lambda = Cov_n(D, f) / ((1 + n/N) Var f), kept in [0, 1]
    se^2  = lambda^2 Var_N(f) / N + Var_n(D - lambda f) / n

Its interval is a normal approximation, and lambda is fitted on the same labels: it is shown and decides nothing. With
rare differences it misses more often than it says.

Decided by (the bets of `prove.stats.betting`, guaranteed at every look): label t takes B judged pairs of its own,

    Z_t = D_t - lambda_t f_t + lambda_t mean_B(f)  in  [-(1 + 2 lambda_t), 1 + 2 lambda_t]
    K_t = prod (1 + b_t (Z_t + m)),  b_t = min( target-recalculating bet on Z,  0.95 / (1 + 2 lambda_t - m) )
    lambda_t = (C_{t-1} + k l v) / (V_{t-1} + k v) B / (B + 1), kept in [0, 1];  k = 30, l = 0.3, v = 0.1

where C and V are the sums of products and squares about the mean over the labels before t. lambda_t looks at earlier
labels alone, so E[Z_t] = E[D] whatever the judge says, and K is a supermartingale under E[D] <= -m: P(ever K_t >=
1/alpha) <= alpha (Ville). Assumes that labelled and judged pairs are drawn alike and independently, in an order that
was fixed before either looked at them, and that n, N and B were; and that the judge can tell neither which pairs people
compare nor what they said: it was not fitted to these labels, and is asked about all pairs in an order of its own
(`prove.run.judge`). k pairs' worth of l stands in for labels that are not there yet: without it the first bets gain
nothing, with it a useless judge costs about one point of power.

1 - rho^2 is what is left of the variance when the judge is as good as its correlation with people and N is boundless.
Checkable: D = f = (1, 0, -1, 0) and N = 4 scores (1, 1, 0, 0) give lambda = .5, theta = .25, se = .2165.

Not covered: who is asked, and in what order (`prove.judge`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freehold.text.intervals import Z95

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PRIOR_PAIRS, _PRIOR_WEIGHT, _PRIOR_VARIANCE = 30, 0.3, 0.1
_LARGEST_BET = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Powered:
    """The PPI++ estimate of E[D] with its 95% interval; `weight` is lambda, `rho` the judge's correlation with people.

    `rho` is None where people or the judge never varied. `n` pairs have labels, `judged` others a score alone. `worth`
    is how many labels without a judge would have as small an error; None where that is unknown.
    """

    mean: float
    low: float
    high: float
    se: float
    weight: float
    rho: float | None
    worth: float | None
    n: int
    judged: int

    @property
    def variance_left(self) -> float | None:
        """1 - rho^2: the share of the variance that the judge leaves at best; None where rho is unknown.

        All of it where rho is negative: lambda is kept in [0, 1], so that a judge who contradicts people helps nothing.
        """
        return None if self.rho is None else 1 - max(self.rho, 0.0) ** 2


def powered_mean(labels: Sequence[float], scores: Sequence[float], others: Sequence[float]) -> Powered:
    """The estimate from labels, the judge's scores of the same pairs, and its scores of the `others`.

    ValueError without a label, or where labels and scores differ in number.
    """
    import numpy as np

    if not labels or len(labels) != len(scores):
        raise ValueError(f"{len(labels)} labels and {len(scores)} scores are no pairs")
    d, f = np.asarray([labels], dtype=float), np.asarray([scores], dtype=float)
    mean, se, weight = powered_means(d, f, np.asarray([others], dtype=float))
    centre, error = float(mean[0]), float(se[0])
    return Powered(
        mean=centre,
        low=centre - Z95 * error,
        high=centre + Z95 * error,
        se=error,
        weight=float(weight[0]),
        rho=_correlation(d[0], f[0]),
        worth=float(d.var()) / error**2 if error > 0 else None,
        n=len(labels),
        judged=len(others),
    )


def powered_means(
    labels: NDArray[np.float64], scores: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, standard error and lambda of many runs at once; shapes (runs, n), (runs, n) and (runs, N)."""
    import numpy as np

    n, count = labels.shape[1], others.shape[1]
    if not count:
        return labels.mean(1), labels.std(1) / math.sqrt(n), np.zeros(len(labels))
    about = (labels - labels.mean(1, keepdims=True)) * (scores - scores.mean(1, keepdims=True))
    spread = np.concatenate([scores, others], axis=1).var(1, ddof=1)
    fitted = about.mean(1) / np.where(spread > 0, (1 + n / count) * spread, 1.0)
    weight = np.clip(np.where(spread > 0, fitted, 0.0), 0.0, 1.0)
    rest = labels - weight[:, None] * scores
    mean = weight * others.mean(1) + rest.mean(1)
    se = np.sqrt(weight**2 * others.var(1) / count + rest.var(1) / n)
    return mean, se, weight


def powered_log_wealth(
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    others: NDArray[np.float64],
    margin: float,
    *,
    alpha: float,
    cap: int,
) -> NDArray[np.float64]:
    """ln K after each label, for many runs at once: shapes (runs, n), (runs, n) and (runs, n, B); B = 0 is no judge.

    `cap` is the planned number of labels.
    """
    import numpy as np

    runs, n = labels.shape
    per_label = others.shape[2]
    means = others.mean(2) if per_label else np.zeros((runs, n))
    goal = math.log(1 / alpha)
    wealth, squares = np.zeros(runs), np.zeros(runs)
    path = np.empty((runs, n))
    weights = _Weights(runs, per_label)
    for t in range(n):
        weight = weights.weight()
        unit = labels[:, t] + weight * (means[:, t] - scores[:, t])
        variance = (2.5 + squares) / (10 + t)
        missing = np.maximum(goal - wealth, 0.0)
        largest = _LARGEST_BET / (1 + 2 * weight - margin)
        bet = np.minimum(np.sqrt(2 * missing / (max(cap - t, 1) * variance)), largest)
        wealth = wealth + np.log1p(bet * (unit + margin))
        squares = squares + unit**2
        path[:, t] = wealth
        weights.add(labels[:, t], scores[:, t])
    return path


class _Weights:
    """lambda out of the labels so far."""

    def __init__(self, runs: int, per_label: int) -> None:
        import numpy as np

        self._runs, self._n = runs, 0
        self._shrink = per_label / (per_label + 1)
        self._d, self._f, self._df, self._ff = np.zeros((4, runs))

    def weight(self) -> NDArray[np.float64]:
        import numpy as np

        n = max(self._n, 1)
        prior = _PRIOR_PAIRS * _PRIOR_VARIANCE
        together = self._df - self._d * self._f / n + prior * _PRIOR_WEIGHT
        spread = np.maximum(self._ff - self._f**2 / n, 0.0) + prior
        return np.clip(together / spread * self._shrink, 0.0, 1.0)

    def add(self, labels: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        self._n += 1
        self._d, self._f = self._d + labels, self._f + scores
        self._df, self._ff = self._df + labels * scores, self._ff + scores**2


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    import numpy as np

    if len(first) < 2 or not first.std() or not second.std():
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))
