"""The paired test: is the owned model no worse than the provider by more than a margin?

    D_t = Y_owned - Y_incumbent in [-1, 1], one per user (the mean over the user's calls), in an order drawn by a seed
    K_t = prod (1 + lambda_t (D_t + m))
    lambda_t = min( max( sqrt( 2 (ln(1/alpha) - ln K_{t-1}) / R_t ),  (1 + m) / R_t ),  0.95 / (1 - m) ),  0 once there
    R_t = (N - t + 1) v_{t-1},   v_{t-1} = (2.5 + sum_{i<t} D_i^2) / (10 + t - 1)

Under H0: E[D] <= -m, K is a nonnegative supermartingale whatever the (predictable) bets, so P(ever K_t >= 1/alpha) is
at most alpha (Ville). Certified at the first t with K_t >= 1/alpha, valid at every look, for yes/no and graded scores
alike. The bets are those that would just reach the goal by the planned cap N (after STaR-Bets, arXiv 2505.22422;
betting: Waudby-Smith & Ramdas, arXiv 2010.09686). Assumes users drawn alike and independently; calls of one user may
depend on each other. Checkable: of N = 200 users without any difference, user 174 certifies at m = 0.02, alpha = 0.05.

A missing D (NaN) enters as -1, the worst that it can have been. That alone would keep the error rate, but a loss may
still help later: less evidence makes the next bets larger, and a larger v makes them smaller. So that deleting a score
never gains anything, K is here the least over all values that the missing ones can have had:

- The floor (1 + m) / R_t makes ln K_t never fall as ln K_{t-1} rises. Where the root is the larger of the two,
  d lambda / d ln K = -1 / (lambda R) and lambda R >= 1 + m >= x = D + m, so d ln K_t / d ln K_{t-1} =
  1 - (x / (lambda R)) / (1 + lambda x) >= 0; elsewhere the bet does not depend on K. (It costs no power: simulated.)
- v lies between its value with every missing D^2 = 0 and with every one = 1; the bet is taken at whichever gives less.

Hence replacing any D by a missing one never raises min(K_t, 1/alpha), at that or any later t.

Not covered: fixed-sample tests (`prove.stats.tango`), tests on live traffic, repeated proofs (`prove.attempts`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How a paired test went; `log_wealth` is ln K after each unit, `decided_at` the unit that certified (from 1)."""

    log_wealth: tuple[float, ...]
    log_goal: float
    decided_at: int | None

    @property
    def is_certified(self) -> bool:
        """Whether the wealth ever reached its goal."""
        return self.decided_at is not None


def star(differences: Sequence[float], margin: float, *, alpha: float, cap: int) -> Evidence:
    """Run the test over the units' differences, at most `cap` of them; NaN is missing. ValueError outside [-1, 1]."""
    import numpy as np

    units = np.asarray(differences, dtype=float)[None, :cap]
    if np.any(np.abs(units) > 1):
        raise ValueError("a difference lies outside [-1, 1]")
    path = log_wealth(units, margin, alpha=alpha, cap=cap)[0]
    goal = math.log(1 / alpha)
    reached = np.flatnonzero(path >= goal)
    return Evidence(
        log_wealth=tuple(path.tolist()), log_goal=goal, decided_at=int(reached[0]) + 1 if len(reached) else None
    )


def log_wealth(units: NDArray[np.float64], margin: float, *, alpha: float, cap: int) -> NDArray[np.float64]:
    """ln K after each unit, for many runs at once: shape (runs, units) in and out; NaN is a missing unit."""
    import numpy as np

    runs, n = units.shape
    goal, largest_bet = math.log(1 / alpha), 0.95 / (1 - margin)
    is_missing = np.isnan(units)
    gains = np.where(is_missing, -1.0, units) + margin
    squares = np.where(is_missing, 0.0, units**2)
    wealth, seen, unseen = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    path = np.empty((runs, n))
    for t in range(n):
        gain = gains[:, t]
        spread = 2.5 + seen + np.where(gain > 0, unseen, 0.0)
        room = max(cap - t, 1) * spread / (10 + t)
        bet = np.maximum(np.sqrt(2 * np.maximum(goal - wealth, 0.0) / room), (1 + margin) / room)
        bet = np.where(wealth < goal, np.minimum(bet, largest_bet), 0.0)
        wealth = wealth + np.log1p(bet * gain)
        seen, unseen = seen + squares[:, t], unseen + is_missing[:, t]
        path[:, t] = wealth
    return path


def user_order(groups: Sequence[str], *, seed: int) -> tuple[str, ...]:
    """Each user once, in the order that the seed draws; it does not depend on the order of the calls."""
    users = sorted(set(groups))
    random.Random(seed).shuffle(users)  # noqa: S311 - an order to bet in, not a secret
    return tuple(users)


def user_means(values: Sequence[float], groups: Sequence[str], *, seed: int | None) -> tuple[float, ...]:
    """The mean of `values` per user; one missing value (NaN) makes it NaN.

    Users stand in the order that the seed draws, without one in that of their first calls.
    """
    by_user: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        by_user.setdefault(group, []).append(value)
    order = tuple(by_user) if seed is None else user_order(groups, seed=seed)
    return tuple(math.fsum(by_user[user]) / len(by_user[user]) for user in order)
