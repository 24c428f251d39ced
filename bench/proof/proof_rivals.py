"""Tests that others decide by, for the same question as `prove.stats.betting`: is the owned model
no worse by more than m?

Each takes differences of shape (runs, cap) and says at which unit each run certifies (0: never).

    tango          score test (Tango 1998) once at n; or, wrongly, at every look
    group          O'Brien-Fleming: five looks at Tango's z, z_k >= C sqrt(5 / k), C by numerical integration
    asymptotic     one-sided asymptotic confidence sequence (Waudby-Smith et al., arXiv 2103.06476; the form of
                   Adobe, arXiv 2302.10108), at every look from the 100th unit on
    bootstrap      percentile bootstrap, once
    paired t       once
    mixture        mean over 20 fixed bets of the same wealth, at every look (anytime-valid, no planned cap)

Not covered: tests whose two sides are unpaired.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import norm
from scipy.stats import t as student

Floats = NDArray[np.float64]
Stops = NDArray[np.int64]


def tango(worse: Floats, better: Floats, n: Floats | int, margin: float) -> Floats:
    """Tango's z for many tables at once; `prove.stats.tango` has the formula."""
    half_b = -(worse + better) - (2 * n - better + worse) * margin
    root = np.sqrt(np.maximum(half_b**2 - 8 * n * worse * margin * (1 + margin), 0.0))
    variance = n * (2 * (-half_b + root) / (4 * np.asarray(n)) - margin * (1 + margin))
    return (better - worse + n * margin) / np.sqrt(np.maximum(variance, 1e-12))


def counts(units: Floats, n: int) -> tuple[Floats, Floats]:
    """How often only the owned model, and only the provider, is wrong among the first n."""
    return (units[:, :n] < 0).sum(axis=1).astype(float), (units[:, :n] > 0).sum(axis=1).astype(float)


def tango_once(units: Floats, margin: float, alpha: float, n: int) -> Stops:
    """The score test at n."""
    z = tango(*counts(units, n), n, margin)
    return np.where(z >= ndtri(1 - alpha), n, 0)


def tango_peeked(units: Floats, margin: float, alpha: float, first: int = 30) -> Stops:
    """The score test at every look as if each were the only one: what a dashboard invites to."""
    n = np.arange(1, units.shape[1] + 1, dtype=float)
    z = tango(np.cumsum(units < 0, axis=1), np.cumsum(units > 0, axis=1), n, margin)
    return _first((z >= ndtri(1 - alpha)) & (n >= first))


def group(units: Floats, margin: float, alpha: float, looks: int = 5) -> Stops:
    """O'Brien-Fleming on Tango's z; looks in equal steps up to the cap."""
    cap, edge = units.shape[1], obrien_fleming(looks, alpha)
    stops = np.zeros(len(units), dtype=np.int64)
    for k in range(1, looks + 1):
        n = round(cap * k / looks)
        z = tango(*counts(units, n), n, margin)
        stops = np.where((stops == 0) & (z >= edge * math.sqrt(looks / k)), n, stops)
    return stops


@lru_cache
def obrien_fleming(looks: int, alpha: float) -> float:
    """The C with P(some S_k >= C sqrt(looks)) = alpha for a walk S of `looks` standard normal steps."""
    low, high = 1.0, 4.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if _crossing(middle * math.sqrt(looks), looks) < alpha else (middle, high)
    return high


def _crossing(edge: float, looks: int, points: int = 300) -> float:
    """P(a normal walk reaches `edge` within `looks` steps), by integrating what has not reached it step by step."""
    grid, width = np.linspace(-6 * math.sqrt(looks), edge, points, retstep=True)
    weights = np.full(points, width)
    weights[[0, -1]] /= 2
    density = norm.pdf(grid)
    crossed = float(norm.sf(edge))
    for _ in range(looks - 1):
        mass = density * weights
        crossed += float(mass @ norm.sf(edge - grid))
        density = norm.pdf(grid[:, None] - grid[None, :]) @ mass
    return crossed


def asymptotic(units: Floats, margin: float, alpha: float, aimed_at: int, first: int = 100) -> Stops:
    """Certify once mean - sd sqrt(2 (n r + 1) / (n^2 r) ln(1 + sqrt(n r + 1) / (2 alpha))) > -m; r tuned to a size."""
    r = (-2 * math.log(2 * alpha) + math.log(-2 * math.log(2 * alpha) + 1)) / aimed_at
    n = np.arange(1, units.shape[1] + 1, dtype=float)
    mean = np.cumsum(units, axis=1) / n
    spread = np.sqrt(np.maximum(np.cumsum(units**2, axis=1) / n - mean**2, 0.0))
    radius = np.sqrt(2 * (n * r + 1) / (n**2 * r) * np.log1p(np.sqrt(n * r + 1) / (2 * alpha)))
    return _first((mean - spread * radius > -margin) & (n >= first))


def bootstrap(rng: np.random.Generator, units: Floats, margin: float, alpha: float, n: int, draws: int = 400) -> Stops:
    """The alpha quantile of resampled means at n lies above -m: for counts, resampling is a multinomial draw."""
    worse, better = counts(units, n)
    shares = np.stack([worse, better, n - worse - better], axis=1) / n
    resampled = rng.multinomial(n, np.repeat(shares[None], draws, axis=0))
    low = np.quantile((resampled[:, :, 1] - resampled[:, :, 0]) / n, alpha, axis=0, method="inverted_cdf")
    return np.where(low > -margin, n, 0)


def paired_t(units: Floats, margin: float, alpha: float, n: int) -> Stops:
    """The one-sided paired t test at n; without any variation it certifies."""
    mean, spread = units[:, :n].mean(axis=1), units[:, :n].std(axis=1, ddof=1)
    low = mean - student.ppf(1 - alpha, n - 1) * spread / math.sqrt(n)
    return np.where(low > -margin, n, 0)


def mixture(units: Floats, margin: float, alpha: float, bets: int = 20) -> Stops:
    """Certify once the mean over fixed bets c of prod ((1 - c) + c (1 + D) / (1 - m)) reaches 1 / alpha."""
    c = np.geomspace(0.01, 0.98, bets)
    log_wealth = np.zeros((len(units), bets))
    stops = np.zeros(len(units), dtype=np.int64)
    gains = {d: np.log((1 - c) + c * (1 + d) / (1 - margin)) for d in (-1.0, 0.0, 1.0)}
    for t in range(units.shape[1]):
        d = units[:, t, None]
        log_wealth += np.where(d < 0, gains[-1.0], np.where(d > 0, gains[1.0], gains[0.0]))
        top = log_wealth.max(axis=1)
        reached = top + np.log(np.exp(log_wealth - top[:, None]).mean(axis=1)) >= math.log(1 / alpha)
        stops = np.where((stops == 0) & reached, t + 1, stops)
    return stops


def _first(certifies: NDArray[np.bool_]) -> Stops:
    return np.where(certifies.any(axis=1), certifies.argmax(axis=1) + 1, 0)
