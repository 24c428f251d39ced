"""Bounds of a mean that may change: the mixture against its integral, coverage at every look, missing values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammainc, gammaln

from freehold.prove.running import _boundary, running_bounds

NAN = float("nan")


@pytest.mark.parametrize(("spread", "planned"), [(0.0, 5.0), (3.0, 5.0), (40.0, 50.0), (200.0, 50.0), (7.0, 500.0)])
@pytest.mark.parametrize("alpha", [0.025, 0.2])
def test_at_the_boundary_the_mixture_is_one_over_alpha(spread: float, planned: float, alpha: float) -> None:
    """The integral over l of exp(l s - psi(l) v) with the weight that is conjugate to it, done by quadrature."""
    s = _boundary(spread, alpha, planned=planned)
    goal = math.log(1 / alpha)
    r = planned / (2 * goal + math.log1p(2 * goal))
    norm = r * math.log(r) - gammaln(r) - math.log(gammainc(r, r))

    def mixed(bet: float) -> float:
        psi = -math.log1p(-bet) - bet
        weight = norm + (r - 1) * math.log1p(-bet) - r * (1 - bet)
        return math.exp(bet * s - psi * spread + weight)

    assert quad(mixed, 0, 1, limit=200)[0] == pytest.approx(1 / alpha, rel=1e-4)


def test_known_bounds() -> None:
    assert running_bounds([0.0] * 500, alpha=0.05) == pytest.approx((-0.0159, 0.0159), abs=1e-4)
    assert running_bounds([], alpha=0.05) == (-1.0, 1.0)
    assert running_bounds([1.0], alpha=0.05) == (-1.0, 1.0)
    low, high = running_bounds([1.0, 0.0, -1.0, 0.0] * 100, alpha=0.05)
    assert -0.2 < low < 0 < high < 0.2
    assert running_bounds([-1.0, 0.0, 1.0, 0.0] * 100, alpha=0.05) == pytest.approx((-high, -low))


def test_a_missing_difference_only_widens() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        whole = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.8, 0.1], size=60).tolist()
        holes = [NAN if rng.random() < 0.2 else d for d in whole]
        low, high = running_bounds(whole, alpha=0.05)
        less, more = running_bounds(holes, alpha=0.05)
        assert less <= low + 1e-9
        assert more >= high - 1e-9


def test_the_bounds_hold_at_every_look_where_the_difference_changes() -> None:
    """It falls and rises with what came before; the usual interval at the same looks breaks, as a control."""
    rng = np.random.default_rng(1)
    looks = [int(20 * 1.35**k) for k in range(11)]
    runs, broken, usual = 300, 0, 0
    for _ in range(runs):
        drift, mean = [], 0.0
        seen: list[float] = []
        for i in range(looks[-1]):
            mean = -0.1 * math.sin(i / 60) + (0.05 if seen and seen[-1] < 0 else -0.02)
            drift.append(mean)
            seen.append(float(rng.choice([-1.0, 0.0, 1.0], p=[0.1 - mean / 2, 0.8, 0.1 + mean / 2])))
        truth = np.cumsum(drift) / np.arange(1, len(drift) + 1)
        bounds = [running_bounds(seen[:n], alpha=0.05) for n in looks]
        broken += any(not low <= truth[n - 1] <= high for n, (low, high) in zip(looks, bounds, strict=True))
        errors = [1.96 * np.std(seen[:n]) / math.sqrt(n) for n in looks]
        usual += any(abs(np.mean(seen[:n]) - truth[n - 1]) > e for n, e in zip(looks, errors, strict=True))
    assert broken / runs <= 0.05
    assert usual / runs > 0.1
