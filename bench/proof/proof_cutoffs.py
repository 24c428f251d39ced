"""Ways to choose a cascade's threshold, for many runs at once: the naive one, and those of other papers.

Each takes marks of wrong answers, shape (runs, n), the most confident first, and gives the number of calls that each
run would answer locally. Contract A bounds wrong local answers among all calls, contract B among the local ones.

    naive        the loosest threshold whose observed risk is within the contract
    crc          conformal risk control, (k + 1) / (n + 1) <= risk (Angelopoulos et al., arXiv 2208.02814)
    hoeffding    RCPS with Hoeffding's bound instead of the exact one (Bates et al., arXiv 2101.02703)
    sgr          selection with guaranteed risk: a binary search, each bound at delta / log2 n (Geifman & El-Yaniv,
                 arXiv 1705.08500)
    bonferroni   Learn then Test over 50 thresholds, each at delta / 50 (arXiv 2110.01052)
    one_start    fixed-sequence testing from the strictest threshold down, until the first failure

Not covered: what Freehold does (`prove.stats.cascade`, `prove.stats.contract_b`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from freehold.prove.stats.cascade import upper_bound

Marks = NDArray[np.bool_]
Counts = NDArray[np.int64]
GRID = 50


def naive_a(wrong: Marks, risk: float, _delta: float) -> Counts:
    """The most calls with k / n <= risk."""
    return _last(np.cumsum(wrong, axis=1) <= risk * wrong.shape[1])


def crc_a(wrong: Marks, risk: float, _delta: float) -> Counts:
    """The most calls with (k + 1) / (n + 1) <= risk: controls the expected risk, not the chance of a breach."""
    return _last(np.cumsum(wrong, axis=1) + 1 <= risk * (wrong.shape[1] + 1))


def hoeffding_a(wrong: Marks, risk: float, delta: float) -> Counts:
    """The most calls with k / n + sqrt(ln(1 / delta) / 2n) <= risk."""
    n = wrong.shape[1]
    return _last(np.cumsum(wrong, axis=1) / n + math.sqrt(math.log(1 / delta) / (2 * n)) <= risk)


def naive_b(wrong: Marks, risk: float, _delta: float) -> Counts:
    """The most calls with k / local <= risk."""
    return _last(np.cumsum(wrong, axis=1) <= risk * np.arange(1, wrong.shape[1] + 1))


def sgr_b(wrong: Marks, risk: float, delta: float) -> Counts:
    """A binary search for the threshold; every look is a bound of its own."""
    runs, n = wrong.shape
    errors = np.cumsum(wrong, axis=1)
    looks = math.ceil(math.log2(n))
    low, high, best = np.ones(runs, dtype=int), np.full(runs, n), np.zeros(runs, dtype=int)
    for _ in range(looks):
        middle = (low + high + 1) // 2
        k = errors[np.arange(runs), middle - 1]
        holds = np.array([upper_bound([a], int(b), delta / looks)[0] for a, b in zip(k, middle, strict=True)]) <= risk
        best = np.where(holds, np.maximum(best, middle), best)
        low, high = np.where(holds, middle, low), np.where(holds, high, np.maximum(middle - 1, 1))
    return best


def bonferroni_b(wrong: Marks, risk: float, delta: float) -> Counts:
    """The loosest of 50 thresholds that is accepted at delta / 50."""
    at = _grid(wrong)
    accepted = _p_values(wrong, at, risk) <= delta / len(at)
    return np.where(accepted, at, 0).max(axis=1)


def one_start_b(wrong: Marks, risk: float, delta: float) -> Counts:
    """The loosest of the thresholds before the first failure; starts where a threshold can pass at all."""
    at = _grid(wrong)
    at = at[at >= 2 * math.log(delta) / math.log(1 - risk)]
    accepted = np.logical_and.accumulate(_p_values(wrong, at, risk) <= delta, axis=1)
    return np.where(accepted, at, 0).max(axis=1)


CONTRACT_A: dict[str, Callable[[Marks, float, float], Counts]] = {
    "naive: observed risk within the contract": naive_a,
    "conformal risk control": crc_a,
    "RCPS with Hoeffding's bound": hoeffding_a,
}
CONTRACT_B: dict[str, Callable[[Marks, float, float], Counts]] = {
    "naive: observed risk within the contract": naive_b,
    "SGR": sgr_b,
    "Learn then Test, Bonferroni over 50": bonferroni_b,
    "fixed sequence from the strictest": one_start_b,
}


def _grid(wrong: Marks) -> Counts:
    return np.unique(np.linspace(0, wrong.shape[1], GRID + 1)[1:].astype(int))


def _p_values(wrong: Marks, at: Counts, risk: float) -> NDArray[np.float64]:
    return np.asarray(bdtr(np.cumsum(wrong, axis=1)[:, at - 1].astype(float), at, risk))


def _last(holds: NDArray[np.bool_]) -> Counts:
    n = holds.shape[1]
    return np.where(holds.any(axis=1), n - holds[:, ::-1].argmax(axis=1), 0)
