"""Contract B: how low may the threshold be, so that few of the answers given locally are wrong?

    risk(tau) = P(wrong | confidence >= tau), per local answer, not per call
    p(tau)    = BinomCDF(k_tau; n_tau, risk)       k_tau wrong among the n_tau local ones, of n calls

risk(tau) need not fall as tau rises: a model's most confident answers may be its worst. So the thresholds are tested
one after the other, each at delta, until the first that fails, and the loosest accepted one is used (Learn then Test:
Angelopoulos et al. 2021, arXiv 2110.01052). Thresholds and order are fixed before the proof split is looked at (split
fixed-sequence testing): of the quantiles of the dev split's confidences first the one with the least p-value there,
then ever looser ones. To accept any false one, the first false one in that order must be accepted, so the chance of it
is at most delta; any accepted threshold may be chosen, for whatever reason. Given which calls are local, the wrong ones
among them are binomial, so p is exact.

The order decides what is answered, not what is promised. All quantiles in the order of their p-values would test strict
ones in between, which fail for want of calls and end the sequence early: 43% of an oracle's coverage at 500 calls with
250 on dev and 69% at twice as many, where this order has 52% and 76%. From the strictest down nothing is left where the
surest answers are the worst (`bench/proof.py`).

The dev split has fitted the confidence head too. Its own answers look a little better to the head than others do; that
may put the thresholds in a poorer order and cost coverage, but no promise: nothing of the proof split went into either.

Where users make several calls each, or losses are graded, the binomial does not hold. Then each threshold is tested by
betting (`prove.stats.betting`) on D_u = the user's mean of (risk - loss) * 1{local}: its expectation is at least 0
exactly where E[loss * 1{local}] <= risk * E[1{local}], that is where E[loss | local] <= risk for a call drawn by
drawing a user first. It is a ratio of means, not a mean of the users' ratios, so users without a local answer bet
nothing. 1/sup K is its p-value. With users the binomial must pass as well, so they never loosen a threshold; where some
make more calls than others it is taken of what their calls are worth (`prove.stats.cluster_means`), as in contract A.

Checkable: k = 0 of n = 59 has p = .0485 at risk .05, of 58 has .0510; the fewest without an error are
ln(delta) / ln(1 - risk) = 58.4 at 5%/5%.

Not covered: withholding slices (`prove.policy`), which must be fixed on dev, too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freehold.prove.stats.betting import log_wealth, user_order
from freehold.prove.stats.cascade import Cascade, CurvePoint, upper_bound, usable_scores
from freehold.prove.stats.cluster_means import is_uneven, user_means_of, worth
from freehold.text.confidence import LEAST_CONFIDENCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CANDIDATES = 100
WITHOUT_DEV = (LEAST_CONFIDENCE,)
"""The one threshold to test where there is no dev split to take others from: every usable answer is used."""


def candidates(confidences: Sequence[float], losses: Sequence[float], *, risk: float) -> tuple[float, ...]:
    """The thresholds to test, in order: quantiles of the usable dev confidences, by their p-values there.

    LEAST_CONFIDENCE, at which every usable answer is used, is always among them.
    """
    import numpy as np

    scores, loss = usable_scores(confidences), np.asarray(losses, dtype=float)
    usable = scores[scores > 0]
    if not len(usable):
        return WITHOUT_DEV
    shares = np.linspace(0, 1, MOST_CANDIDATES + 1)[1:]
    levels = np.unique([LEAST_CONFIDENCE, *np.quantile(usable, shares, method="lower").tolist()])
    local, lost = _at_levels(scores, loss, levels)
    best = int(np.argmin(binomial_p(np.ceil(lost - 1e-9), local, risk)))
    return tuple(levels[best::-1].tolist())


def contract_b(
    confidences: Sequence[float],
    losses: Sequence[float],
    groups: Sequence[str],
    *,
    thresholds: Sequence[float],
    risk: float,
    delta: float,
    seed: int,
) -> Cascade:
    """Test `thresholds` in their order; `losses` are in [0, 1], 1 for a wrong answer. ValueError for others.

    In the curve, `wrong` counts the local answers with any loss.
    """
    import numpy as np

    scores, loss = usable_scores(confidences), np.asarray(losses, dtype=float)
    if not np.all((loss >= 0) & (loss <= 1)):
        raise ValueError("a loss lies outside [0, 1]")
    levels = np.asarray(thresholds, dtype=float)
    local, wrong = _at_levels(scores, np.ceil(loss), levels)
    is_by_user, is_graded = len(set(groups)) < len(loss), bool(np.any((loss > 0) & (loss < 1)))
    at_stake = (scores >= levels[:, None]) & (scores > 0)
    share = _worth(loss, at_stake, groups, seed=seed) if is_uneven(groups) else np.ones(len(levels))
    passes = np.ones(len(levels), dtype=bool)
    if not is_graded:
        passes = binomial_p(wrong * share, local * share, risk) <= delta
    if is_by_user or is_graded:
        units = user_means_of((risk - loss) * at_stake, groups, seed=seed)
        passes &= log_wealth(units, 0.0, alpha=delta, cap=units.shape[1]).max(axis=1) >= math.log(1 / delta)
    accepted = np.logical_and.accumulate(passes & (local > 0))
    points = [
        _point(float(levels[i]), int(local[i]), int(wrong[i]), delta, is_proven=bool(accepted[i]))
        for i in np.argsort(-levels)
    ]
    proven = [point for point in points if point.is_proven]
    chosen = proven[-1] if proven else None
    return Cascade(
        n=len(loss),
        curve=tuple(points),
        chosen=chosen,
        threshold=chosen.threshold if chosen else None,
        is_by_user=is_by_user,
        contract="B",
    )


def binomial_p(wrong: NDArray[np.float64], local: NDArray[np.float64], risk: float) -> NDArray[np.float64]:
    """P(at most `wrong` of `local`) where each is wrong with probability `risk`; 1 where none is local.

    By the incomplete beta function, so that either may be a fraction.
    """
    import numpy as np
    from scipy.special import betainc

    right = np.maximum(local - wrong, 0.0)
    return np.where(right > 0, betainc(np.where(right > 0, right, 1.0), wrong + 1, 1 - risk), 1.0)


def _worth(
    loss: NDArray[np.float64], at_stake: NDArray[np.bool_], groups: Sequence[str], *, seed: int
) -> NDArray[np.float64]:
    """What the local calls of each threshold are worth, as a share of their number."""
    import numpy as np

    made = Counter(groups)
    sizes = np.array([made[user] for user in user_order(groups, seed=seed)], dtype=float)
    lost, calls = (
        np.round(user_means_of(rows.astype(float), groups, seed=seed) * sizes)
        for rows in (at_stake & (loss > 0), at_stake)
    )
    return worth(lost, calls)


def _at_levels(
    scores: NDArray[np.float64], loss: NDArray[np.float64], levels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many answers are at or above each level, and what they lose in all; an answer at 0.0 never is."""
    import numpy as np

    order = np.argsort(scores)
    ranked = scores[order]
    lost = np.concatenate([[0.0], np.cumsum(loss[order][::-1])])
    local = len(ranked) - np.searchsorted(ranked, np.maximum(levels, np.nextafter(0.0, 1.0)), side="left")
    return local.astype(float), lost[local]


def _point(threshold: float, local: int, wrong: int, delta: float, *, is_proven: bool) -> CurvePoint:
    upper = float(upper_bound([wrong], local, delta)[0]) if local else 1.0
    return CurvePoint(threshold=threshold, local=local, wrong=wrong, upper=upper, is_proven=is_proven)
