"""Bounds of a mean that may change: the mixture against its integral, known bounds, missing values.

Not covered: that they hold at every look (`tests/bench`).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammainc, gammaln

from freehold.prove.stats.confidence_sequence import _boundary, running_bounds

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
