"""Wilson's interval against a hand-computed value and scipy."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from freehold.text.intervals import wilson


@pytest.mark.parametrize(("k", "n"), [(8, 10), (0, 5), (5, 5), (37, 1000), (1, 2)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_seen_is_everything_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
