"""The worlds with known truth in which the proof is simulated.

    paired     D in {-1, 0, 1} with P(-1) = (psi - difference) / 2 and P(1) = (psi + difference) / 2
    clustered  the same shares, but each user has shares of its own, drawn from a Dirichlet around them:
               the D of one user's calls are correlated by rho
    ranked     confidences u ~ U(0, 1); wrong with probability 0.25 (1 - u)^1.5: 10% in all, P(u >= t and wrong)
               = 0.1 (1 - t)^2.5, P(wrong | u >= t) = 0.1 (1 - t)^1.5

Not covered: replays on recorded answers (`proof_splits`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RHO = 0.5


@dataclass(frozen=True, slots=True)
class Shares:
    """How often only the owned model is wrong, and how often only the provider is."""

    worse: float
    better: float

    @classmethod
    def of(cls, discordance: float, difference: float) -> Shares:
        """The shares with this discordance and this mean difference; ValueError where there are none."""
        if discordance < abs(difference) - 1e-12:
            raise ValueError(f"a difference of {difference!r} needs more discordance than {discordance!r}")
        return cls((discordance - difference) / 2, max(0.0, (discordance + difference) / 2))


def paired(rng: np.random.Generator, runs: int, n: int, shares: Shares) -> Floats:
    """Independent differences, shape (runs, n), column by column in memory: tests read them so."""
    u = rng.random((n, runs)).T
    return np.where(u < shares.worse, -1.0, np.where(u < shares.worse + shares.better, 1.0, 0.0))


def clustered(
    rng: np.random.Generator, runs: int, users: int, per_user: int, shares: Shares, *, rho: float = RHO
) -> Floats:
    """Differences of users with `per_user` calls each, shape (runs, users, per_user)."""
    size = 1 / rho - 1
    same = 1 - shares.worse - shares.better
    worse = _beta(rng, size * shares.worse, size * (1 - shares.worse), (runs, users))
    better = (1 - worse) * _beta(rng, size * shares.better, size * same, (runs, users))
    u = rng.random((runs, users, per_user))
    lost = u < worse[:, :, None]
    return np.where(lost, -1.0, np.where(u < (worse + better)[:, :, None], 1.0, 0.0))


def _beta(rng: np.random.Generator, a: float, b: float, shape: tuple[int, int]) -> Floats:
    """Beta draws with its limits: 0 where a is 0, 1 where b is."""
    if a <= 0:
        return np.zeros(shape)
    return rng.beta(a, b, shape) if b > 0 else np.ones(shape)


def graded_losses(rng: np.random.Generator, runs: int, n: int, margin: float) -> Floats:
    """The provider is always right; one answer in some is partly wrong, as F1 scores are. Mean: -margin."""
    hit = 2 * margin > rng.random((n, runs)).T
    return np.where(hit, -rng.beta(2, 2, (n, runs)).T, 0.0)


def graded_pairs(rng: np.random.Generator, runs: int, n: int, margin: float) -> Floats:
    """Two F1-like scores: exact or Beta(5, 2); the owned one is exact less often. Mean: -margin."""
    lost = 1 - 5 / 7
    score = np.where(rng.random((2, n, runs)) < 0.7, 1.0, rng.beta(5, 2, (2, n, runs)))
    spoiled = np.where(rng.random((n, runs)) < margin / (0.7 + 0.3 * (1 - lost)), 0.0, score[0])
    return (spoiled - score[1]).T


def graded_rare(rng: np.random.Generator, runs: int, n: int, margin: float) -> Floats:
    """Slightly better nearly always, wholly wrong now and then: the skew that deceives a mean. Mean: -margin."""
    gain = 0.01
    return np.where((margin + gain) / (1 + gain) > rng.random((n, runs)).T, -1.0, gain)


GRADED: dict[str, Callable[[np.random.Generator, int, int, float], Floats]] = {
    "partial losses": graded_losses,
    "two F1 scores": graded_pairs,
    "small gains, rare losses": graded_rare,
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A world of confidences: `risk_at(s)` is P(wrong) at the share s of all calls, the most confident first."""

    name: str
    risk_at: Callable[[Floats], Floats]
    wrong_up_to: Callable[[Floats], Floats]

    def draw(self, rng: np.random.Generator, runs: int, n: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Shares in ascending order (the most confident first) and whether each answer is wrong, shape (runs, n)."""
        share = np.sort(rng.random((runs, n)), axis=1)
        return share, rng.random((runs, n)) < self.risk_at(share)

    def oracle(self, risk: float, *, is_among_local: bool) -> float:
        """The largest coverage whose true risk is at most `risk`, of all calls or of those answered locally."""
        grid = np.linspace(1e-6, 1, 1_000_001)
        wrong = self.wrong_up_to(grid)
        holds = (wrong / grid if is_among_local else wrong) <= risk
        return float(grid[holds].max()) if holds.any() else 0.0


PLAIN = Ranked("smooth", lambda s: 0.25 * s**1.5, lambda s: 0.1 * s**2.5)
OVERSURE = Ranked(
    "surest 2% are 36% wrong",
    lambda s: np.where(s < 0.02, 0.36, 0.6 * np.clip(s - 0.02, 0, None) ** 4),
    lambda s: 0.36 * np.minimum(s, 0.02) + 0.12 * np.clip(s - 0.02, 0, None) ** 5,
)
