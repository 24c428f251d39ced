"""Contract A: exact bounds, the loosest threshold, and how often the contract is broken beside what breaks it more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from freehold.prove.stats.betting import star, user_means
from freehold.prove.stats.cascade import Cascade, contract_a, least_n, lower_bound, upper_bound
from freehold.prove.stats.cluster_means import is_uneven, worth
from freehold.prove.stats.contract_b import contract_b
from freehold.text.confidence import LEAST_CONFIDENCE

RISK, DELTA = 0.05, 0.10


def alone(confidences: list[float], is_right: list[bool], *, risk: float = RISK, delta: float = DELTA) -> Cascade:
    groups = [f"u{i}" for i in range(len(confidences))]
    return contract_a(confidences, is_right, groups, risk=risk, delta=delta, seed=0)


@pytest.mark.parametrize(("k", "n"), [(0, 45), (3, 100), (40, 1000), (7, 8)])
def test_bounds_agree_with_scipy_and_with_the_binomial(k: int, n: int) -> None:
    upper = float(upper_bound([k], n, DELTA)[0])
    assert upper == pytest.approx(beta.ppf(1 - DELTA, k + 1, n - k))
    assert binom.cdf(k, n, upper) == pytest.approx(DELTA)
    assert lower_bound(n - k, n, DELTA) == pytest.approx(1 - upper)


def test_bounds_at_the_ends() -> None:
    assert float(upper_bound([5], 5, DELTA)[0]) == 1.0
    assert lower_bound(0, 5, DELTA) == 0.0


def test_the_fewest_calls_without_an_error() -> None:
    assert least_n(0.0, risk=RISK, delta=DELTA) == math.ceil(math.log(DELTA) / math.log(1 - RISK)) == 45
    assert alone([0.9] * 45, [True] * 45).coverage == 1.0
    assert alone([0.9] * 44, [True] * 44).chosen is None
    assert least_n(RISK, risk=RISK, delta=DELTA) is None


def test_the_loosest_threshold_by_hand() -> None:
    """100 calls; wrong at ranks 40, 60, 80, 90. k = 1 passes (3.8%), k = 2 does not (5.2%): it ends before rank 60."""
    confidences = [1 - i / 200 for i in range(100)]
    is_right = [i not in (40, 60, 80, 90) for i in range(100)]
    cascade = alone(confidences, is_right)
    assert float(upper_bound([1], 100, DELTA)[0]) < RISK < float(upper_bound([2], 100, DELTA)[0])
    assert cascade.chosen is not None
    assert (cascade.chosen.local, cascade.chosen.wrong) == (60, 1)
    assert cascade.threshold == confidences[59]


def test_equal_confidences_are_taken_together() -> None:
    cascade = alone([0.9] * 50 + [0.5] * 50, [True] * 50 + [True] * 40 + [False] * 10)
    assert cascade.chosen is not None
    assert cascade.chosen.local == 50
    assert len(cascade.curve) == 2


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf, -1.0])
def test_a_confidence_that_is_no_number_is_none(confidence: float) -> None:
    cascade = alone([0.9] * 60 + [confidence] * 40, [True] * 60 + [False] * 40)
    assert (cascade.coverage, cascade.threshold) == (0.6, LEAST_CONFIDENCE)


def test_an_answer_without_confidence_is_never_local() -> None:
    cascade = alone([0.9] * 60 + [0.0] * 40, [True] * 60 + [False] * 40)
    assert cascade.coverage == 0.6
    assert cascade.threshold == LEAST_CONFIDENCE
    nothing = alone([0.0] * 50, [True] * 50)
    assert (nothing.chosen, nothing.threshold, nothing.curve) == (None, None, ())


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=120),
    st.data(),
)
def test_more_errors_never_loosen_the_threshold(calls: list[tuple[float, bool]], data: st.DataObject) -> None:
    confidences, is_right = [c for c, _ in calls], [r for _, r in calls]
    before = alone(confidences, is_right, risk=0.2)
    spoiled = data.draw(st.integers(0, len(calls) - 1))
    is_right[spoiled] = False
    assert alone(confidences, is_right, risk=0.2).coverage <= before.coverage
    assert alone(confidences, is_right, risk=0.1).coverage <= alone(confidences, is_right, risk=0.2).coverage


def true_risk(threshold: float) -> float:
    """Of `draw`: uniform confidence u, wrong with probability 0.3 (1 - u)^2, so 0.1 (1 - threshold)^3."""
    return 0.1 * (1 - threshold) ** 3


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    u = rng.random(n)
    return u, rng.random(n) >= 0.3 * (1 - u) ** 2


def test_the_contract_is_broken_no_more_often_than_delta_and_a_naive_threshold_breaks_it() -> None:
    rng = np.random.default_rng(21)
    runs, broken, naive_broken, covered = 2000, 0, 0, []
    for _ in range(runs):
        u, is_right = draw(rng, 400)
        cascade = alone(u.tolist(), is_right.tolist())
        assert cascade.threshold is not None
        broken += true_risk(cascade.threshold) > RISK
        covered.append(cascade.coverage)
        naive = [p.threshold for p in cascade.curve if p.wrong / 400 <= RISK]
        naive_broken += true_risk(min(naive)) > RISK
    assert broken / runs <= DELTA
    assert naive_broken / runs > 0.4
    oracle = 0.5 ** (1 / 3)
    assert np.mean(covered) >= 0.7 * oracle


def test_users_with_many_calls_break_clopper_pearson_and_not_the_test_on_users() -> None:
    """100 users with 20 calls each; one user in 18 gets wrong answers only, so the risk is 5.6%, always local."""
    rng = np.random.default_rng(22)
    groups = [f"u{i // 20}" for i in range(2000)]
    runs, broken, naive_broken = 120, 0, 0
    for _ in range(runs):
        wrong = np.repeat(rng.random(100) < 1 / 18, 20)
        cascade = contract_a([0.5] * 2000, (~wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
        assert cascade.is_by_user
        broken += cascade.chosen is not None
        naive_broken += float(upper_bound([int(wrong.sum())], 2000, DELTA)[0]) <= RISK
    assert broken / runs <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / runs)
    assert naive_broken / runs > 2 * DELTA


def test_users_with_many_calls_and_few_errors_are_still_proven() -> None:
    groups = [f"u{i % 150}" for i in range(600)]
    is_right = [i % 100 != 0 for i in range(600)]
    cascade = contract_a([0.5] * 600, is_right, groups, risk=RISK, delta=DELTA, seed=0)
    assert cascade.coverage == 1.0


def busy_users(rng: np.random.Generator) -> tuple[list[str], list[bool]]:
    """400 users: one in twenty makes 50 calls, and every second one of these gets 14% wrong answers, nobody else any.

    So 5.1% of the calls are wrong, and 0.4% of a user's on average.
    """
    sizes = np.where(rng.random(400) < 0.05, 50, 1)
    shares = np.where((sizes > 1) & (rng.random(400) < 0.5), 0.1405, 0.0)
    groups = [f"u{i}" for i, size in enumerate(sizes) for _ in range(size)]
    return groups, (rng.random(len(groups)) >= np.repeat(shares, sizes)).tolist()


@pytest.mark.parametrize("contract", ["A", "B"])
def test_busy_users_who_fare_worse_are_not_hidden_among_the_others(contract: str) -> None:
    """The control: betting on users, who count alike, and an exact bound on calls taken as independent."""
    rng = np.random.default_rng(23)
    runs, broken, naive_broken = 200, 0, 0
    for _ in range(runs):
        groups, is_right = busy_users(rng)
        n, losses = len(groups), [float(not right) for right in is_right]
        if contract == "A":
            cascade = contract_a([0.5] * n, is_right, groups, risk=RISK, delta=DELTA, seed=0)
        else:
            cascade = contract_b([0.5] * n, losses, groups, thresholds=(0.5,), risk=RISK, delta=DELTA, seed=0)
        broken += cascade.chosen is not None
        is_shown = star(user_means([-loss for loss in losses], groups, seed=0), RISK, alpha=DELTA, cap=400).is_certified
        naive_broken += is_shown and float(upper_bound([int(sum(losses))], n, DELTA)[0]) <= RISK
    assert broken / runs <= DELTA
    assert naive_broken / runs > 2 * DELTA


def test_what_calls_of_users_are_worth() -> None:
    sizes = np.array([[5.0] * 10 + [4.0]])
    one_wrong = np.array([[5.0] + [0.0] * 10])
    assert 54 * worth(one_wrong, sizes)[0] == pytest.approx(9.83, abs=0.01)
    assert worth(np.ones((1, 11)), sizes)[0] == 1.0  # as spread out as can be
    assert worth(np.zeros((1, 11)), sizes)[0] == worth(sizes, sizes)[0] == 1.0
    assert worth(np.zeros((1, 11)), np.zeros((1, 11)))[0] == 1.0
    assert is_uneven(["a", "a", "b"])
    assert not is_uneven(["a", "b", "a", "b"])
