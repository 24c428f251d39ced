"""What would follow a move: how its ramp would open, and how soon harm would be noticed.

Both are plans, computed with the formulas that live traffic is judged by, for traffic that behaves as expected.

The ramp. L_n is the lower confidence bound for the mean paired difference D: the largest mu with

    mean_j prod_i [ (1 - c_j) + c_j (1 + D_i) / (1 + mu) ]  >=  1 / alpha,    20 log-spaced c_j in [.01, .98]

and p_n = min(1, h / max(h, -max L)) is the share of traffic, for a budget of h extra failures per call (betting:
Waudby-Smith & Ramdas, arXiv 2010.09686). Shown are the median and the middle four in five of some seeded runs in which
calls turn out as the held-out ones did. Nobody has corrected live calls yet when they are compared: the provider counts
as right there, so a local answer unlike its own is -1 and all else 0. L tends to the mean of D, so p tends to
min(1, h / -mean D): a cascade that loses more than the budget stops half-way, however good it is in truth. Checkable:
h = .02, .05 worse and .05 better, alpha = .05 start at 2%, with about 30% of the traffic at 200 pairs, 46% at 500, and
all of it at about 2,000; .04 worse and none better tend to 50%.

The rollback. An e-detector with patience A (Shin, Ramdas & Rinaldo, arXiv 2203.03532) watches audits for more than a
share r of wrong ones. When the share becomes p > r its evidence grows by g = KL(p || r) an audit, from every one on
anew, so that it reaches A after about ln(A (1 - e^-g)) / g audits. Checkable: A = 73,000, r = .05, p = .15 give 122
(simulated median: 107). A bound on all calls (contract A) counts a call that the provider answered as a share of an
audit as large as the rate, so that at rate q the audits are met after 1/q times as many calls, whatever the coverage;
a bound on local answers after 1/q times as many of these. Rates that rise with the evidence make it sooner.

Assumes audits drawn at random and answered. Not covered: the detectors themselves (`freehold.watch`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TOLERATED = 0.99
"""A share of wrong answers above which audits can tell nothing (as in `watch.run.bounds`)."""
_BETS, _SMALLEST_BET, _LARGEST_BET = 20, 0.01, 0.98
_RUNS = 100
_MOST_PAIRS = 20_000
_PER_DECADE = 16
_HALVINGS = 24


@dataclass(frozen=True, slots=True)
class RampStep:
    """The share of traffic after this many compared pairs: the runs' median, their 10th and 90th percentile."""

    pairs: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RampPlan:
    """How the share would grow, and what it tends to; `worse` and `better` are the shares of pairs with D of -1 and 1.

    `pairs_until_half` and `pairs_until_all` are where half of the runs have that much (None: not within).
    """

    harm: float
    worse: float
    better: float
    steps: tuple[RampStep, ...]
    tends_to: float
    pairs_until_half: int | None
    pairs_until_all: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """When a route would go back if the share of wrong answers rose from `tolerated` to `turned_to`.

    `calls` are all calls of the task until then, `wrong` the wrong answers among them; None is unknown or never.
    """

    tolerated: float
    turned_to: float
    audits: int | None
    calls: float | None
    wrong: float | None
    days: float | None


def plan_ramp(worse: float, better: float, *, harm: float, alpha: float, seed: int = 0) -> RampPlan:
    """Play the ramp where these shares of pairs lose and gain; ValueError for what is no share."""
    import numpy as np

    if not (0 < harm < 1 and 0 < alpha < 1 and worse >= 0 and better >= 0 and worse + better <= 1):
        raise ValueError(f"harm {harm!r}, alpha {alpha!r}, worse {worse!r} and better {better!r} must be shares")
    sizes = _sizes()
    chances = [worse, 1 - worse - better, better]
    rng = np.random.default_rng(seed)
    new = np.stack([rng.multinomial(pairs, chances, size=_RUNS) for pairs in np.diff(sizes, prepend=0)], axis=1)
    low = np.maximum.accumulate(_lower_bounds(new.cumsum(axis=1), alpha), axis=1)
    shares = np.minimum(1.0, harm / np.maximum(harm, -low))
    lowest, median, highest = np.quantile(shares, (0.1, 0.5, 0.9), axis=0)
    tends_to = harm / max(harm, worse - better)
    reached = [_first(sizes, median, share) for share in (0.5, 1.0, 0.9 * tends_to)]
    last = next((i + 1 for i, n in enumerate(sizes) if n == (reached[1] or reached[2])), len(sizes))
    rows = zip(sizes[:last], median[:last], lowest[:last], highest[:last], strict=True)
    return RampPlan(
        harm=harm,
        worse=worse,
        better=better,
        steps=(RampStep(0, harm, harm, harm), *(RampStep(int(n), float(m), float(a), float(b)) for n, m, a, b in rows)),
        tends_to=tends_to,
        pairs_until_half=reached[0],
        pairs_until_all=reached[1],
    )


def plan_rollback(
    tolerated: float, turned_to: float, *, patience: float, rate: float, local: float | None, a_day: float | None
) -> RollbackPlan:
    """Calls, wrong answers and days until a rollback, at the audit rate `rate` and `a_day` calls a day.

    Shares are of local answers where `local`, their part of all calls, is given, and of all calls otherwise.
    """
    audits = audits_until_rollback(tolerated, turned_to, patience=patience)
    counted = audits / rate if audits and rate > 0 else None
    calls = counted / (1.0 if local is None else local) if counted and local != 0 else None
    return RollbackPlan(
        tolerated=tolerated,
        turned_to=turned_to,
        audits=audits,
        calls=calls,
        wrong=turned_to * counted if counted else None,
        days=calls / a_day if calls and a_day else None,
    )


def audits_until_rollback(tolerated: float, actual: float, *, patience: float) -> int | None:
    """About how many audited calls a rollback takes once the share of wrong ones is `actual`; None for no harm."""
    if not 0 < tolerated < actual <= 1 or patience <= 1:
        return None
    growth = actual * math.log(actual / tolerated)
    if actual < 1:
        growth += (1 - actual) * math.log((1 - actual) / (1 - tolerated))
    return max(1, math.ceil(math.log(max(patience * -math.expm1(-growth), math.e)) / growth))


def _first(sizes: NDArray[np.int_], shares: NDArray[np.float64], share: float) -> int | None:
    return next((int(n) for n, reached in zip(sizes, shares, strict=True) if reached >= share), None)


def _sizes() -> NDArray[np.int_]:
    """Numbers of pairs, evenly spread on a log scale from 10 on."""
    import numpy as np

    places = np.arange(round(_PER_DECADE * math.log10(_MOST_PAIRS / 10)) + 1)
    return np.unique(np.round(10 * 10 ** (places / _PER_DECADE)).astype(int))


def _lower_bounds(counts: NDArray[np.int_], alpha: float) -> NDArray[np.float64]:
    """L for each run and size, from the numbers of worse, equal and better pairs: shape (runs, sizes, 3) in."""
    import numpy as np

    bets = _SMALLEST_BET * (_LARGEST_BET / _SMALLEST_BET) ** (np.arange(_BETS) / (_BETS - 1))
    low, high = np.full(counts.shape[:2], -1 + 1e-9), np.ones(counts.shape[:2])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        payoff = np.array([0.0, 1.0, 2.0]) / (1 + middle)[..., None, None]
        logs = (np.log(1 - bets[:, None] + bets[:, None] * payoff) * counts[:, :, None, :]).sum(axis=-1)
        most = logs.max(axis=-1)
        is_refuted = most + np.log(np.exp(logs - most[..., None]).mean(axis=-1)) >= -math.log(alpha)
        low, high = np.where(is_refuted, middle, low), np.where(is_refuted, high, middle)
    return low
