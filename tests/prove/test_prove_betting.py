"""The paired test: its formula, its error rate at every look, its power, and controls that must fail.

Simulated error rates are held to level + 3 sqrt(level (1 - level) / runs).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from freehold.prove.stats.betting import log_wealth, star, user_means, user_order
from freehold.prove.stats.tango import n_fixed

RUNS = 10_000
ALPHA = 0.05
GATE = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def certified(units: NDArray[np.float64], margin: float) -> float:
    """The share of runs that certify at any look."""
    path = log_wealth(units, margin, alpha=ALPHA, cap=units.shape[1])
    return float((path.max(axis=1) >= math.log(1 / ALPHA)).mean())


def paired(rng: np.random.Generator, runs: int, n: int, *, worse: float, better: float) -> NDArray[np.float64]:
    u = rng.random((runs, n))
    return np.where(u < worse, -1.0, np.where(u < worse + better, 1.0, 0.0))


def test_first_bets_by_hand() -> None:
    goal = math.log(20)
    bet = min(math.sqrt(2 * goal / (100 * 0.25)), 0.95 / 0.98)
    first = math.log1p(bet * (-1 + 0.02))
    bet = min(math.sqrt(2 * (goal - first) / (99 * (3.5 / 11))), 0.95 / 0.98)
    second = first + math.log1p(bet * (1 + 0.02))
    evidence = star([-1.0, 1.0], 0.02, alpha=0.05, cap=100)
    assert evidence.log_wealth == pytest.approx((first, second))
    assert not evidence.is_certified


def test_no_difference_at_all() -> None:
    evidence = star([0.0] * 500, 0.02, alpha=0.05, cap=200)
    assert evidence.decided_at == 174
    assert len(evidence.log_wealth) == 200
    assert star([], 0.02, alpha=0.05, cap=1).decided_at is None


def test_a_difference_off_the_scale_is_refused() -> None:
    for wrong in (1.5, -1.01, math.inf):
        with pytest.raises(ValueError, match="outside"):
            star([0.0, wrong], 0.02, alpha=0.05, cap=2)


@pytest.mark.parametrize(("discordance", "margin", "n"), [(0.10, 0.02, 400), (0.05, 0.03, 200), (0.30, 0.05, 300)])
def test_a_model_just_at_the_margin_is_rarely_certified_at_any_look(discordance: float, margin: float, n: int) -> None:
    rng = np.random.default_rng(11)
    units = paired(rng, RUNS, n, worse=(discordance + margin) / 2, better=(discordance - margin) / 2)
    assert 0.01 < certified(units, margin) <= GATE


def test_skewed_graded_scores_keep_the_error_rate() -> None:
    rng = np.random.default_rng(12)
    loss = np.where(rng.random((RUNS, 200)) < 0.1, rng.beta(2, 2, (RUNS, 200)), 0.0)
    assert 0.01 < certified(-loss, 0.05) <= GATE


def test_power_is_that_of_a_fixed_sample_and_it_stops_earlier() -> None:
    rng = np.random.default_rng(13)
    fixed = n_fixed(0.10, 0.02)
    cap = round(1.25 * fixed)
    path = log_wealth(paired(rng, 1000, cap, worse=0.05, better=0.05), 0.02, alpha=ALPHA, cap=cap)
    hit = path >= math.log(1 / ALPHA)
    stopped = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, cap)
    assert hit.any(axis=1).mean() >= 0.9 * 0.84
    assert stopped.mean() <= fixed


def test_betting_on_users_keeps_the_error_rate_where_betting_on_calls_breaks_it() -> None:
    """20 calls each of 100 users; for a user in 25 the model is wrong always, which is just at the margin of 4%."""
    rng = np.random.default_rng(14)
    runs = 2000
    by_user = np.where(rng.random((runs, 100)) < 0.04, -1.0, 0.0)
    assert certified(by_user, 0.04) <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    by_call = np.repeat(by_user, 20, axis=1)
    assert certified(by_call, 0.04) > 3 * ALPHA


def test_a_bootstrap_breaks_the_error_rate() -> None:
    """The percentile bootstrap at 2% errors, n = 100, margin 2%: its bound is a binomial quantile, drawn exactly."""
    errors = np.random.default_rng(15).binomial(100, 0.02, RUNS)
    bound = binom.ppf(1 - ALPHA, 100, errors / 100) / 100
    assert (np.where(errors == 0, 0.0, bound) < 0.02).mean() > 2 * GATE


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([-1.0, 0.0, 1.0])), min_size=1, max_size=40),
    st.integers(0, 9),
)
def test_users_are_visited_once_in_an_order_that_the_calls_do_not_change(
    calls: list[tuple[str, float]], seed: int
) -> None:
    groups, values = [g for g, _ in calls], [v for _, v in calls]
    order = user_order(groups, seed=seed)
    assert sorted(order) == sorted(set(groups))
    means = dict(zip(order, user_means(values, groups, seed=seed), strict=True))
    backwards = dict(zip(order, user_means(values[::-1], groups[::-1], seed=seed), strict=True))
    assert means == pytest.approx(backwards)
    assert all(-1 <= mean <= 1 for mean in means.values())


def test_the_seed_draws_the_order() -> None:
    groups = [f"u{i}" for i in range(50)]
    assert user_order(groups, seed=1) == user_order(groups[::-1], seed=1)
    assert user_order(groups, seed=1) != user_order(groups, seed=2)
