"""The harm-budgeted ramp: how much traffic the owned model may answer, given what paired answers have shown.

    L_t = largest mu in [-1, 1] with  mean_j prod_{i<=t} [1 - c_j + c_j (1 + D_i) / (1 + mu)] >= 1 / alpha
    p_t = min(1, h / max(h, -max_{s<=t} L_s)),    20 log-spaced c_j in [.01, .98],    D = Y_owned - Y_provider

For mu = E[D] the product is a nonnegative martingale, so P(some L_t > E[D]) <= alpha (Ville; betting: Waudby-Smith &
Ramdas, arXiv 2010.09686), and while no L_t lies above E[D], p_t (-E[D]) <= h: with probability 1 - alpha the expected
excess failures per request stay within h at all times, from the first request on. Assumes that E[D] stays what it is
while the ramp runs, and that pairs are drawn from all requests alike. So a pair is a request whose coin said provider
and whose owned answer was asked in the background; or, with one coin for both thrown beforehand, one that the cascade
decided and whose audit is due: then D of a request that it left to the provider is 0, and counts too.

D is rounded DOWN to 1/1000 (lower L, never higher), so that the state is one count for each value. L is looked at after
every pair up to 100, then after each further 1%; any subset of looks is valid. A missing answer counts -1 here.
Checkable: h = 2%, equal models that differ in 10%: share 2% at first, about 33% after 200 pairs, 53% after 500, 100%
after about 2,000; a model 50 points worse stays at 4% or less.

Not covered: throwing the coin (`gateway`), taking back (`watch.detector`), models that change during the ramp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from freehold.watch import state

BETS = tuple(0.01 * 98 ** (step / 19) for step in range(20))
GRID = 1000
_HALVINGS = 20
_LONGEST_HISTORY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Pairs so far: `counts` of differences in thousandths, lower bound `low` of E[D], owned `share` now.

    `history` is (pairs, share) where the share changed, thinned as it grows.
    """

    harm: float
    alpha: float
    counts: tuple[tuple[int, int], ...] = ()
    pairs: int = 0
    low: float = -1.0
    share: float
    history: tuple[tuple[int, float], ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether all traffic may be answered by the owned model."""
        return self.share >= 1.0

    @property
    def mean(self) -> float | None:
        """The mean difference seen; None before the first pair."""
        return sum(value * times for value, times in self.counts) / (GRID * self.pairs) if self.pairs else None

    def to_json(self) -> dict[str, object]:
        """The state as a JSON object."""
        return {
            "harm": self.harm,
            "alpha": self.alpha,
            "counts": [list(pair) for pair in self.counts],
            "pairs": self.pairs,
            "low": self.low,
            "history": [list(point) for point in self.history],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Ramp:
        """The state again, exactly; ValueError where it is none."""
        fresh = new_ramp(harm=state.number(document, "harm"), alpha=state.number(document, "alpha"))
        counts = state.counts(document, "counts")
        pairs = state.count(document, "pairs")
        if sum(times for _, times in counts) != pairs or any(abs(value) > GRID for value, _ in counts):
            raise ValueError("the ramp's differences do not add up")
        low = state.within(document.get("low"), -1, 1, "low")
        history = tuple(_point(value) for value in state.array(document, "history"))
        return replace(
            fresh, counts=counts, pairs=pairs, low=low, share=_share(fresh.harm, low), history=history or fresh.history
        )


def new_ramp(*, harm: float, alpha: float) -> Ramp:
    """A ramp before its first pair: share h. ValueError unless 0 < harm <= 1 and 0 < alpha < 1."""
    if not 0 < state.as_number(harm, "harm") <= 1:
        raise ValueError(f"harm is {harm!r}, not in (0, 1]")
    if not 0 < state.as_number(alpha, "alpha") < 1:
        raise ValueError(f"alpha is {alpha!r}, not in (0, 1)")
    share = _share(harm, -1.0)
    return Ramp(harm=float(harm), alpha=float(alpha), share=share, history=((0, share),))


def observe_pair(r: Ramp, difference: float | None) -> Ramp:
    """One more pair; a missing difference counts -1. ValueError for one outside [-1, 1]."""
    found = -1.0 if difference is None else state.within(difference, -1, 1, "a difference")
    counts = state.with_one_more(r.counts, math.floor(found * GRID))
    pairs = r.pairs + 1
    seen = replace(r, counts=counts, pairs=pairs)
    if pairs > 100 and pairs % (pairs // 100):
        return seen
    low = lower_bound(counts, alpha=r.alpha, above=r.low)
    share = _share(r.harm, low)
    return replace(seen, low=low, share=share, history=_with_point(r.history, pairs, share))


def lower_bound(counts: tuple[tuple[int, int], ...], *, alpha: float, above: float = -1.0) -> float:
    """L for differences counted in thousandths, to 2e-6 from below, or `above` where it is no higher."""
    goal = math.log(1 / alpha)
    low, high = above, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if log_wealth(counts, middle) >= goal:
            low = middle
        else:
            high = middle
    return low


def log_wealth(counts: tuple[tuple[int, int], ...], mu: float) -> float:
    """ln of the mean product against E[D] <= mu, for mu > -1; falls as mu grows."""
    gains = [((1 + value / GRID) / (1 + mu) - 1, times) for value, times in counts]
    logs = [math.fsum(times * math.log1p(bet * gain) for gain, times in gains) for bet in BETS]
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs))


def _share(harm: float, low: float) -> float:
    return min(1.0, harm / max(harm, -low))


def _with_point(history: tuple[tuple[int, float], ...], pairs: int, share: float) -> tuple[tuple[int, float], ...]:
    if history and history[-1][1] == share:
        return history
    longer = (*history, (pairs, share))
    return longer if len(longer) <= _LONGEST_HISTORY else (*longer[:-1:2], longer[-1])


def _point(value: object) -> tuple[int, float]:
    match value:
        case [int(pairs), float() | int() as share] if pairs >= 0:
            return pairs, state.within(share, 0, 1, "a share")
        case _:
            raise ValueError(f"the ramp's history holds {value!r}")
