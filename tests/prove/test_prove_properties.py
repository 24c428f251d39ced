"""What must hold of the proof's tests whatever they are given: fairness of the bets, order, symmetry, monotony."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from freehold.prove.stats.betting import log_wealth, user_means
from freehold.prove.stats.cascade import Cascade, contract_a, lower_bound, upper_bound
from freehold.prove.stats.contract_b import candidates, contract_b
from freehold.prove.stats.tango import n_fixed, tango_interval, tango_z

STEPS = 8
MARGINS = st.sampled_from([0.005, 0.02, 0.05, 0.2])
ALPHAS = st.sampled_from([0.01, 0.05, 0.2])
DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.4, 0.0, 0.3, 1.0]), min_size=1, max_size=30)
CALLS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=200)


def every_path(low: float, high: float) -> np.ndarray:
    return np.array(list(itertools.product([low, high], repeat=STEPS)))


def chances(paths: np.ndarray, high: float, p_high: float) -> np.ndarray:
    return np.prod(np.where(paths == high, p_high, 1 - p_high), axis=1)


@given(st.floats(-1, -0.3), st.floats(0.0, 1.0), MARGINS, ALPHAS, st.integers(STEPS, 40))
def test_at_the_margin_the_bets_are_fair_and_the_goal_is_reached_at_most_at_alpha(
    low: float, high: float, margin: float, alpha: float, cap: int
) -> None:
    """All paths of a two-point difference with mean -m: E[K] is 1 at every step, and P(max K >= 1/alpha) <= alpha."""
    paths = every_path(low, high)
    chance = chances(paths, high, (-margin - low) / (high - low))
    wealth = log_wealth(paths, margin, alpha=alpha, cap=cap)
    assert chance @ np.exp(wealth) == pytest.approx(np.ones(STEPS))
    reached = wealth.max(axis=1) >= math.log(1 / alpha)
    assert float(chance @ reached) <= alpha + 1e-9


@given(MARGINS, ALPHAS, st.floats(0.0, 0.9))
def test_below_the_margin_the_bets_lose(margin: float, alpha: float, shrink: float) -> None:
    paths = every_path(-1.0, 1.0)
    chance = chances(paths, 1.0, shrink * (1 - margin) / 2)
    expected = chance @ np.exp(log_wealth(paths, margin, alpha=alpha, cap=20))
    assert np.all(np.diff(expected) < 0)
    assert expected[0] < 1


def test_a_bet_that_saw_its_own_difference_would_not_be_fair() -> None:
    """The control: the same wealth, bet only where the difference is about to be a gain."""
    paths = every_path(-1.0, 1.0)
    chance = chances(paths, 1.0, 0.98 / 2)
    steps = np.diff(log_wealth(paths, 0.02, alpha=0.05, cap=20), axis=1, prepend=0.0)
    assert float(chance @ np.exp(np.maximum(steps, 0).sum(axis=1))) > 2


@given(DIFFERENCES, DIFFERENCES, MARGINS, ALPHAS)
def test_a_later_difference_never_changes_an_earlier_wealth(
    start: list[float], end: list[float], margin: float, alpha: float
) -> None:
    cap = len(start) + 40
    alone = log_wealth(np.array([start]), margin, alpha=alpha, cap=cap)[0]
    followed = log_wealth(np.array([start + end]), margin, alpha=alpha, cap=cap)[0]
    assert followed[: len(start)] == pytest.approx(alone, abs=0)


@given(DIFFERENCES, st.data(), MARGINS, ALPHAS)
def test_runs_do_not_touch_each_other(
    differences: list[float], data: st.DataObject, margin: float, alpha: float
) -> None:
    other = data.draw(st.permutations(differences))
    both = log_wealth(np.array([differences, other]), margin, alpha=alpha, cap=50)
    for row, alone in zip(both, (differences, other), strict=True):
        assert row == pytest.approx(log_wealth(np.array([alone]), margin, alpha=alpha, cap=50)[0], abs=0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([-1.0, 0.0, 1.0])), min_size=1), st.integers(1, 5))
def test_asking_everything_again_changes_no_user(calls: list[tuple[str, float]], times: int) -> None:
    groups, values = [g for g, _ in calls], [v for _, v in calls]
    once, often = user_means(values, groups, seed=3), user_means(values * times, groups * times, seed=3)
    assert often == pytest.approx(once)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60), st.sampled_from([0.0, 0.01, 0.05, 0.2]))
def test_tango_swaps_its_sides(b: int, c: int, same: int, margin: float) -> None:
    n = b + c + same + 1
    assert tango_z(b, c, n, margin) == pytest.approx(-tango_z(c, b, n, -margin), abs=1e-7)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_tango_asks_less_of_a_wider_margin(b: int, c: int, same: int, first: float, second: float) -> None:
    assume(abs(first - second) > 1e-6)
    n = b + c + same + 1
    assert tango_z(b, c, n, min(first, second)) <= tango_z(b, c, n, max(first, second)) + 1e-9


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 40), st.integers(2, 6))
def test_more_of_the_same_narrows_tangos_interval(b: int, c: int, same: int, times: int) -> None:
    n = b + c + same
    low, high = tango_interval(b, c, n)
    narrow_low, narrow_high = tango_interval(times * b, times * c, times * n)
    assert low - 1e-9 <= narrow_low <= narrow_high <= high + 1e-9


@given(st.floats(0.01, 0.5), st.floats(0.005, 0.2), st.floats(0, 0.9))
def test_a_fixed_sample_grows_with_discordance_and_shrinks_with_the_margin(
    discordance: float, margin: float, shrink: float
) -> None:
    n = n_fixed(discordance, margin)
    assert n_fixed(min(1.0, discordance * 1.5), margin) >= n
    assert n_fixed(discordance, margin * 1.5) <= n
    assert n_fixed(discordance, margin, difference=-margin * shrink) >= n or discordance < margin


@given(st.integers(1, 500), st.data())
def test_exact_bounds_are_ordered(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n - 1))
    delta = data.draw(st.floats(0.001, 0.4))

    def upper(k: int, n: int, delta: float) -> float:
        return float(upper_bound([k], n, delta)[0])

    assert k / n <= upper(k, n, delta) <= upper(k + 1, n, delta) <= 1
    assert upper(k, n + 1, delta) < upper(k, n, delta)
    assert upper(k, n, delta / 2) > upper(k, n, delta)
    assert lower_bound(n - k, n, delta) == pytest.approx(1 - upper(k, n, delta))


def proven(
    contract: str, calls: list[tuple[float, bool]], *, risk: float = 0.2, delta: float = 0.1, power: float = 1.0
) -> Cascade:
    """Either contract; contract B takes its thresholds from the first half of the calls."""
    scores, right = [c**power for c, _ in calls], [r for _, r in calls]
    groups = [str(i) for i in range(len(calls))]
    if contract == "A":
        return contract_a(scores, right, groups, risk=risk, delta=delta, seed=0)
    losses = [float(not r) for r in right]
    half = len(calls) // 2
    order = candidates(scores[:half], losses[:half], risk=0.2)
    return contract_b(scores[half:], losses[half:], groups[half:], thresholds=order, risk=risk, delta=delta, seed=0)


@pytest.mark.parametrize("contract", ["A", "B"])
@given(calls=CALLS, risks=st.tuples(st.floats(0.02, 0.5), st.floats(0.02, 0.5)), delta=st.floats(0.01, 0.2))
@settings(max_examples=50)
def test_a_laxer_contract_never_answers_less(
    contract: str, calls: list[tuple[float, bool]], risks: tuple[float, float], delta: float
) -> None:
    assume(len(calls) > 1)
    strict = proven(contract, calls, risk=min(risks), delta=delta)
    assert strict.coverage <= proven(contract, calls, risk=max(risks), delta=delta).coverage
    assert strict.coverage <= proven(contract, calls, risk=min(risks), delta=2 * delta).coverage


@pytest.mark.parametrize("contract", ["A", "B"])
@given(calls=CALLS, power=st.sampled_from([0.25, 0.5, 2.0, 3.0]))
@settings(max_examples=50)
def test_only_the_order_of_the_confidences_counts(contract: str, calls: list[tuple[float, bool]], power: float) -> None:
    assume(len(calls) > 1)
    plain, bent = proven(contract, calls), proven(contract, calls, power=power)
    assert bent.coverage == plain.coverage
    if plain.chosen is not None and bent.chosen is not None:
        assert (bent.chosen.local, bent.chosen.wrong) == (plain.chosen.local, plain.chosen.wrong)


@given(calls=CALLS, data=st.data())
@settings(max_examples=50)
def test_the_order_of_the_calls_does_not_count(calls: list[tuple[float, bool]], data: st.DataObject) -> None:
    assert proven("A", data.draw(st.permutations(calls))).threshold == proven("A", calls).threshold
