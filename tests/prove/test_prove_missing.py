"""A missing score never raises the evidence, whatever it was; and splitting a user's traffic buys nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freehold.prove.stats.betting import log_wealth, star, user_means

differences = st.lists(st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1)), min_size=1, max_size=60)
NAN = math.nan


def evidence(units: list[float], margin: float, alpha: float, cap: int) -> np.ndarray:
    """ln K at each time, up to the goal: beyond it the test has stopped."""
    path = log_wealth(np.array([units]), margin, alpha=alpha, cap=cap)[0]
    return np.minimum(path, math.log(1 / alpha))


@settings(max_examples=400, deadline=None)
@given(
    differences,
    st.lists(st.integers(0, 59), max_size=6),
    st.integers(0, 59),
    st.sampled_from([0.005, 0.02, 0.05, 0.3]),
    st.sampled_from([0.05, 0.002]),
    st.integers(0, 40),
)
@example([0.0] * 40 + [-1.0] * 10 + [1.0] * 10, [], 0, 0.3, 0.05, 0)
def test_a_missing_score_never_raises_the_evidence(
    units: list[float], missing: list[int], place: int, margin: float, alpha: float, ahead: int
) -> None:
    before = [NAN if i in missing else d for i, d in enumerate(units)]
    after = [NAN if i == place % len(units) else d for i, d in enumerate(before)]
    cap = len(units) + ahead
    assert np.all(evidence(after, margin, alpha, cap) <= evidence(before, margin, alpha, cap) + 1e-9)


def test_a_minus_one_in_its_place_could_raise_it() -> None:
    """The control: to enter -1 for a missing score is not enough, as the bets adapt to the spread that they saw."""
    lost = [-1.0] * 20
    scored, entered, missing = (evidence([first, *lost], 0.05, 0.05, 100)[-1] for first in (-0.5, -1.0, NAN))
    assert entered > scored + 0.5
    assert missing < scored


@settings(max_examples=200, deadline=None)
@given(differences, st.integers(0, 59), st.floats(0, 1))
def test_a_better_score_never_lowers_the_evidence_at_the_same_variance(
    units: list[float], place: int, more: float
) -> None:
    """Signs flip at the same size: D and -D have the same square, so that only ln K differs."""
    at = place % len(units)
    lower = [-abs(d) if i == at else d for i, d in enumerate(units)]
    upper = [abs(d) if i == at else d for i, d in enumerate(units)]
    assert np.all(evidence(lower, 0.05, 0.05, 60) <= evidence(upper, 0.05, 0.05, 60) + 1e-9)


def test_all_missing_is_the_least_evidence_there_is() -> None:
    found = star([NAN] * 100, 0.02, alpha=0.05, cap=100)
    assert not found.is_certified
    assert all(map(math.isfinite, found.log_wealth))
    assert max(found.log_wealth) < 0


def test_missing_scores_of_a_model_at_the_margin_keep_the_error_rate() -> None:
    """One score in ten goes missing, and those that do are all losses: deleting them must not help."""
    rng = np.random.default_rng(72)
    u = rng.random((4000, 200))
    full = np.where(u < 0.10, -1.0, np.where(u < 0.15, 1.0, 0.0))
    hidden = np.where(u < 0.08, NAN, full)
    goal = math.log(20)
    told = [float((log_wealth(x, 0.05, alpha=0.05, cap=200).max(axis=1) >= goal).mean()) for x in (full, hidden)]
    left_out = np.where(u < 0.08, 0.0, full)  # the control: as if they had never been asked
    assert told[1] <= told[0] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert (log_wealth(left_out, 0.05, alpha=0.05, cap=200).max(axis=1) >= goal).mean() > 0.5


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([-1.0, 0.0, 1.0, NAN])), min_size=1, max_size=50),
    st.integers(2, 4),
)
def test_splitting_traffic_into_many_requests_buys_nothing(calls: list[tuple[str, float]], times: int) -> None:
    groups, values = [g for g, _ in calls], [v for _, v in calls]
    once = user_means(values, groups, seed=0)
    often = user_means(values * times, groups * times, seed=0)
    assert often == pytest.approx(once, nan_ok=True)
    first, second = (star(units, 0.05, alpha=0.05, cap=len(once)) for units in (once, often))
    assert second.log_wealth == pytest.approx(first.log_wealth)
    assert second.decided_at == first.decided_at


def test_a_user_with_one_missing_call_is_missing() -> None:
    means = user_means([1.0, NAN, 0.5, 0.5], ["a", "a", "b", "b"], seed=0)
    assert sorted(map(str, means)) == ["0.5", "nan"]
