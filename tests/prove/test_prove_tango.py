"""Tango's statistic and interval against published values, and the table of sample sizes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.prove.stats.tango import n_fixed, tango_interval, tango_z

TABLE = {
    0.05: (3087, 769, 339, 120),
    0.10: (6178, 1542, 683, 243),
    0.20: (12361, 3087, 1370, 491),
    0.30: (18544, 4633, 2057, 738),
}


def test_interval_of_the_published_table() -> None:
    assert tango_interval(7, 1, 21) == pytest.approx((-0.5172, -0.0260), abs=5e-5)


def test_at_no_margin_it_is_mcnemars_statistic() -> None:
    assert tango_z(3, 9, 100, 0.0) == pytest.approx((9 - 3) / math.sqrt(12))


def test_no_discordance_is_decided_by_n_alone() -> None:
    assert tango_z(0, 0, 200, 0.02) == pytest.approx(200 * 0.02 / math.sqrt(200 * 0.02 * 0.98))
    assert tango_z(0, 0, 200, 0.0) == 0.0


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_the_interval_holds_the_estimate_and_mirrors(b: int, c: int, same: int) -> None:
    n = b + c + same + 1
    low, high = tango_interval(b, c, n)
    assert -1 <= low <= (c - b) / n <= high <= 1
    mirrored = tango_interval(c, b, n)
    assert mirrored == pytest.approx((-high, -low), abs=1e-6)


def test_sample_sizes_of_the_table() -> None:
    checked = 0
    for discordance, row in TABLE.items():
        for margin, expected in zip((0.01, 0.02, 0.03, 0.05), row, strict=True):
            assert n_fixed(discordance, margin) == pytest.approx(expected, abs=1)
            checked += 1
    assert checked == 16


def test_half_the_margin_away_takes_four_times_the_calls() -> None:
    ratio = n_fixed(0.10, 0.02, difference=-0.01) / n_fixed(0.10, 0.02)
    assert ratio == pytest.approx(4, abs=0.02)
    with pytest.raises(ValueError, match="no number"):
        n_fixed(0.10, 0.02, difference=-0.02)
