"""Labels with a judge's scores: the published formulas by hand, and a bet that no judge can break."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from freehold.prove.stats.ppi import powered_log_wealth, powered_mean, powered_means


def test_the_example_of_the_docstring() -> None:
    found = powered_mean([1, 0, -1, 0], [1, 0, -1, 0], [1, 1, 0, 0])
    assert (found.weight, found.mean) == (0.5, 0.25)
    assert found.se == pytest.approx(0.2165, abs=5e-5)
    assert (found.rho, found.variance_left) == (pytest.approx(1.0), pytest.approx(0.0))
    assert (found.low, found.high) == (pytest.approx(0.25 - 1.96 * 0.2165, abs=1e-3), pytest.approx(0.674, abs=1e-3))


def test_the_formulas_beside_numpy() -> None:
    rng = np.random.default_rng(3)
    d, extra = rng.choice([-1.0, 0.0, 1.0], 80), rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], 300)
    f = np.clip(d + rng.choice([-0.5, 0.0, 0.5], 80), -1, 1)
    found = powered_mean(list(d), list(f), list(extra))
    n, count = 80, 300
    weight = np.cov(d, f, ddof=0)[0, 1] / ((1 + n / count) * np.concatenate([f, extra]).var(ddof=1))
    weight = min(max(weight, 0.0), 1.0)
    assert found.weight == pytest.approx(weight)
    assert found.mean == pytest.approx(weight * extra.mean() + (d - weight * f).mean())
    assert found.se == pytest.approx(math.sqrt(weight**2 * extra.var() / count + (d - weight * f).var() / n))
    assert found.rho == pytest.approx(np.corrcoef(d, f)[0, 1])


@pytest.mark.parametrize("constant", [-1.0, 0.0, 1.0])
def test_a_judge_that_never_varies_has_no_weight(constant: float) -> None:
    labels = [1.0, 0.0, -1.0, 0.0, 0.0, -1.0]
    found = powered_mean(labels, [constant] * 6, [constant] * 40)
    assert (found.weight, found.rho, found.variance_left) == (0.0, None, None)
    assert found.mean == pytest.approx(sum(labels) / 6)


def test_a_judge_against_people_has_no_weight() -> None:
    labels = [1.0, 0.0, -1.0, 0.0] * 10
    found = powered_mean(labels, [-value for value in labels], [1.0, -1.0] * 50)
    assert found.weight == 0.0
    assert found.rho == pytest.approx(-1.0)


def test_no_others_are_the_mean_of_the_labels() -> None:
    found = powered_mean([1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [])
    assert (found.weight, found.mean, found.judged) == (0.0, 0.0, 0)


@pytest.mark.parametrize(("labels", "scores"), [([], []), ([1.0], []), ([1.0], [0.0, 1.0])])
def test_what_are_no_pairs_is_refused(labels: list[float], scores: list[float]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        powered_mean(labels, scores, [0.0])


def test_many_runs_at_once_are_each_run_by_itself() -> None:
    rng = np.random.default_rng(5)
    d, f, others = rng.uniform(-1, 1, (4, 30)), rng.uniform(-1, 1, (4, 30)), rng.uniform(-1, 1, (4, 90))
    mean, se, weight = powered_means(d, f, others)
    alone = [powered_mean(list(d[i]), list(f[i]), list(others[i])) for i in range(4)]
    assert mean == pytest.approx([one.mean for one in alone])
    assert se == pytest.approx([one.se for one in alone])
    assert weight == pytest.approx([one.weight for one in alone])


def judges(truth: Any, rng: Any) -> dict[str, Any]:
    """A judge of each temper, on labels and on pairs of its own."""
    return {
        "good": np.where(rng.random(truth.shape) < 0.8, truth, 0.0),
        "against": -truth,
        "blind": rng.choice([-1.0, 0.0, 1.0], truth.shape),
        "bought": np.ones(truth.shape),
        "sloped": np.clip(truth + 0.5, -1, 1),
    }


@pytest.mark.parametrize("temper", ["good", "against", "blind", "bought", "sloped"])
def test_at_the_margin_no_judge_lets_more_through_than_the_level(temper: str) -> None:
    """2,000 runs at E[D] = -margin exactly, 200 labels with three judged pairs each, looked at after each label."""
    rng = np.random.default_rng(11)
    runs, n, per_label, margin, alpha = 2_000, 200, 3, 0.1, 0.05
    truth = rng.choice([-1.0, 0.0, 1.0], p=[0.25, 0.6, 0.15], size=(runs, n * (1 + per_label)))
    scores = judges(truth, rng)[temper]
    path = powered_log_wealth(
        truth[:, :n],
        scores[:, :n],
        scores[:, n:].reshape(runs, n, per_label),
        margin,
        alpha=alpha,
        cap=n,
    )
    let_through = float((path.max(1) >= math.log(1 / alpha)).mean())
    assert let_through <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    assert np.isfinite(path).all()


def test_scores_that_say_nothing_leave_the_bets_as_they_are_without_a_judge() -> None:
    rng = np.random.default_rng(2)
    labels = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=(5, 60))
    without = powered_log_wealth(labels, np.zeros((5, 60)), np.zeros((5, 60, 0)), 0.1, alpha=0.05, cap=60)
    again = powered_log_wealth(labels, labels, np.zeros((5, 60, 0)), 0.1, alpha=0.05, cap=60)
    assert np.array_equal(without, again)  # no judged pair of its own: no weight, whatever the scores say


def test_a_label_is_bet_on_before_it_is_looked_at() -> None:
    """What comes after a label changes nothing before it: the path of the first 40 is the same whatever follows."""
    rng = np.random.default_rng(4)
    labels, scores = rng.choice([-1.0, 0.0, 1.0], size=(2, 3, 80))
    others = rng.choice([-1.0, 0.0, 1.0], size=(3, 80, 2))
    path = powered_log_wealth(labels, scores, others, 0.1, alpha=0.05, cap=80)
    changed = labels.copy()
    changed[:, 40:] = 1.0
    assert np.array_equal(path[:, :40], powered_log_wealth(changed, scores, others, 0.1, alpha=0.05, cap=80)[:, :40])
