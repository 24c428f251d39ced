"""What would follow a move: how traffic would open to an equal model, and how soon harm would be noticed.

Both are plans, computed with the formulas that live traffic is judged by, for traffic that behaves as expected.

The ramp. L_n is the lower confidence bound for the mean paired difference D: the largest mu with

    mean_j prod_i [ (1 - c_j) + c_j (1 + D_i) / (1 + mu) ]  >=  1 / alpha,    20 log-spaced c_j in [.01, .98]

and p_n = min(1, h / max(h, -max L)) is the share of traffic, for a budget of h extra failures per call (betting:
Waudby-Smith & Ramdas, arXiv 2010.09686). Shown is the mean of some seeded runs of a model that is as good as the
provider and differs from it as often as this one did. Checkable: h = .02, discordance .10, alpha = .05 start at 2%,
with about a third of the traffic at 200 pairs, half at 500, and all of it at about 2,000 in half of the runs.

The rollback. An e-detector with patience A (Shin, Ramdas & Rinaldo, arXiv 2203.03532) watches audited calls for more
than a share r of wrong ones. When the share becomes p > r its evidence grows by g = KL(p || r) a call, from every call
on anew, so that it reaches A after about ln(A (1 - e^-g)) / g audited calls. Checkable: A = 73,000, r = .05, p = .15
give 122 (simulated median: 107).

Assumes audits drawn at random and answered. Not covered: the detectors themselves (`freehold.watch`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BETS, _SMALLEST_BET, _LARGEST_BET = 20, 0.01, 0.98
_RUNS = 100
_MOST_PAIRS = 20_000
_PER_DECADE = 16
_HALVINGS = 24


@dataclass(frozen=True, slots=True)
class RampStep:
    """The mean share of traffic after this many compared pairs."""

    pairs: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RampPlan:
    """How the share would grow; `pairs_until_all` is where half of the runs have all traffic (None: not within)."""

    harm: float
    steps: tuple[RampStep, ...]
    pairs_until_all: int | None


def ramp_of_equal(discordance: float, *, harm: float, alpha: float, seed: int = 0) -> RampPlan:
    """Play the ramp of an equal model; ValueError for a harm, alpha or discordance that is no share."""
    import numpy as np

    if not (0 < harm < 1 and 0 < alpha < 1 and 0 <= discordance <= 1):
        raise ValueError(f"harm {harm!r}, alpha {alpha!r} and discordance {discordance!r} must be shares")
    sizes = _sizes()
    chances = [discordance / 2, 1 - discordance, discordance / 2]
    rng = np.random.default_rng(seed)
    new = np.stack([rng.multinomial(pairs, chances, size=_RUNS) for pairs in np.diff(sizes, prepend=0)], axis=1)
    low = np.maximum.accumulate(_lower_bounds(new.cumsum(axis=1), alpha), axis=1)
    shares = np.minimum(1.0, harm / np.maximum(harm, -low))
    half = np.flatnonzero(np.median(shares, axis=0) >= 1)
    last = int(half[0]) + 1 if len(half) else len(sizes)
    steps = [RampStep(int(n), float(p)) for n, p in zip(sizes[:last], shares.mean(axis=0)[:last], strict=True)]
    return RampPlan(
        harm=harm, steps=(RampStep(0, harm), *steps), pairs_until_all=int(sizes[half[0]]) if len(half) else None
    )


def audits_until_rollback(tolerated: float, actual: float, *, patience: float) -> int | None:
    """About how many audited calls a rollback takes once the share of wrong ones is `actual`; None for no harm."""
    if not 0 < tolerated < actual <= 1 or patience <= 1:
        return None
    growth = actual * math.log(actual / tolerated)
    if actual < 1:
        growth += (1 - actual) * math.log((1 - actual) / (1 - tolerated))
    return max(1, math.ceil(math.log(max(patience * -math.expm1(-growth), math.e)) / growth))


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
