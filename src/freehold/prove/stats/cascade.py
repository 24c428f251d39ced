"""Contract A: how low may the confidence threshold be, so that few calls are answered locally and wrong?

    risk(tau) = P(confidence >= tau and the answer is wrong), per call, not per local answer
    chosen:  the lowest tau such that  upper(k_tau, n, delta) <= risk  for it and for every higher tau

with k_tau the wrong local answers among all n calls and `upper` the Clopper-Pearson bound at 1 - delta. risk(tau) only
falls as tau rises, so one level delta serves all thresholds (RCPS: Bates et al. 2021, arXiv 2101.02703; argument: to
go wrong, the bound must fail at the one threshold where the true risk just exceeds the contract).

Where users make several calls each, calls are not independent and Clopper-Pearson is too sure. Then the same claim must
also be certified by `prove.stats.betting` on the users' mean losses, at the same delta, for the threshold and every
higher one: E[-loss] >= -risk is a paired test whose incumbent is never wrong. Both must pass, so the chosen threshold
is never lower than contract A alone would give. What is exact then is the claim for a call drawn by drawing a user
first. Where some users make more calls than others, the share among calls may be larger; Clopper-Pearson, with n and k
taken for what they are worth (`prove.stats.cluster_means`), bounds it approximately.

Withholding more calls afterwards, whichever and for whatever reason, only lowers P(local and wrong): what is proven of
a threshold holds for every policy that answers a part of what it would have answered (`prove.policy` relies on it).

Checkable: k = 0, n = 45 has upper(.10) = .0499; k = 0, n = 44 has .0510.

Not covered: contract B, P(wrong | local), which is not monotone (`prove.stats.contract_b`); which slices are withheld
(`prove.policy`); moving the threshold on live traffic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freehold.model.verdict import Contract
from freehold.prove.stats.betting import log_wealth, user_order
from freehold.prove.stats.cluster_means import is_uneven, worth
from freehold.text.confidence import LEAST_CONFIDENCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One threshold: `local` calls at or above it, `wrong` of them wrong, `upper` bounds the share of those.

    That is the share in all calls under contract A, and in the local ones under contract B.
    """

    threshold: float
    local: int
    wrong: int
    upper: float
    is_proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """What a contract gives: the curve from the highest threshold down, and the point chosen (None: none is proven).

    `threshold` is the proven one: LEAST_CONFIDENCE where every usable answer may be used.
    """

    n: int
    curve: tuple[CurvePoint, ...]
    chosen: CurvePoint | None
    threshold: float | None
    is_by_user: bool
    contract: Contract = "A"

    @property
    def coverage(self) -> float:
        """The share of the proof's calls answered locally at the chosen threshold."""
        return self.chosen.local / self.n if self.chosen else 0.0


def contract_a(
    confidences: Sequence[float],
    is_right: Sequence[bool],
    groups: Sequence[str],
    *,
    risk: float,
    delta: float,
    seed: int,
) -> Cascade:
    """Find the lowest proven threshold; an answer with confidence 0.0 is never used at any threshold."""
    import numpy as np

    scores = usable_scores(confidences)
    wrong = ~np.asarray(is_right, dtype=bool)
    n = len(scores)
    levels = np.unique(scores[scores > 0])[::-1]
    local = _at_or_above(scores, levels)
    errors = _at_or_above(scores[wrong], levels)
    is_by_user = len(set(groups)) < n
    share, certified = np.ones(len(levels)), np.ones(len(levels), dtype=bool)
    if is_by_user and len(levels):
        lost, sizes = _wrong_by_user(scores, wrong, groups, levels, seed=seed)
        path = log_wealth(-lost / sizes, risk, alpha=delta, cap=len(sizes))
        certified = path.max(axis=1) >= math.log(1 / delta)
        share = worth(lost, sizes[None, :]) if is_uneven(groups) else share
    uppers = upper_bound(errors * share, n * share, delta)
    proven = np.logical_and.accumulate(certified & (uppers <= risk))
    curve = tuple(
        CurvePoint(threshold=float(t), local=int(a), wrong=int(k), upper=float(u), is_proven=bool(ok))
        for t, a, k, u, ok in zip(levels, local, errors, uppers, proven, strict=True)
    )
    last = int(proven.sum()) - 1
    chosen = curve[last] if last >= 0 else None
    threshold = None if chosen is None else LEAST_CONFIDENCE if chosen is curve[-1] else chosen.threshold
    return Cascade(n=n, curve=curve, chosen=chosen, threshold=threshold, is_by_user=is_by_user)


def usable_scores(confidences: Sequence[float]) -> NDArray[np.float64]:
    """The confidences as an array; one that is no number is 0.0, so that its answer is never used."""
    import numpy as np

    scores = np.asarray(confidences, dtype=float)
    return np.where(np.isfinite(scores), scores, 0.0)


def _at_or_above(scores: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.int_]:
    import numpy as np

    return len(scores) - np.searchsorted(np.sort(scores), levels, side="left")


def upper_bound(
    errors: NDArray[np.float64] | NDArray[np.int_] | Sequence[int], n: int | NDArray[np.float64], delta: float
) -> NDArray[np.float64]:
    """Clopper and Pearson's upper bounds at 1 - delta for `errors` out of n: quantiles of Beta(k+1, n-k)."""
    import numpy as np
    from scipy.special import betaincinv

    k = np.asarray(errors, dtype=float)
    return np.where(k >= n, 1.0, betaincinv(k + 1, np.maximum(n - k, 1e-9), 1 - delta))


def lower_bound(successes: int, n: int, delta: float) -> float:
    """Clopper and Pearson's lower bound at 1 - delta for `successes` out of n."""
    return 1.0 - float(upper_bound([n - successes], n, delta)[0])


def least_n(errors_share: float, *, risk: float, delta: float, power: float = 0.8) -> int | None:
    """The calls of which a share of errors satisfies contract A with this probability; None where no number does.

    The most errors that pass among n are the largest k with BinomCDF(k; n, risk) <= delta; the probability is
    BinomCDF(k; n, errors_share). Checkable: without an error, 45 at 5%/10%, whatever the power.
    """
    if errors_share >= risk:
        return None
    low, high = 1, 1
    while not _would_pass(errors_share, high, risk, delta, power):
        low, high = high, high * 2
        if high > 10_000_000:
            return None
    while low < high:
        middle = (low + high) // 2
        is_enough = _would_pass(errors_share, middle, risk, delta, power)
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return high


def _would_pass(errors_share: float, n: int, risk: float, delta: float, power: float) -> bool:
    from scipy.special import bdtr, bdtrik

    if (1 - risk) ** n > delta:
        return False
    most = math.floor(bdtrik(delta, n, risk))
    most -= bdtr(most, n, risk) > delta
    return bool(bdtr(most, n, max(errors_share, 0.0)) >= power)


def _wrong_by_user(
    scores: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    groups: Sequence[str],
    levels: NDArray[np.float64],
    *,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each threshold each user's local and wrong calls, shape (levels, users); and each user's calls."""
    import numpy as np

    users = user_order(groups, seed=seed)
    place = {user: i for i, user in enumerate(users)}
    member = np.array([place[group] for group in groups])
    lost = np.zeros((len(levels), len(users)))
    for i in np.flatnonzero(wrong & (scores > 0)):
        lost[levels <= scores[i], member[i]] += 1
    return lost, np.bincount(member, minlength=len(users)).astype(float)
