"""The confidence head: Newton's method finds the optimum, and odd data do not break it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from freehold.model.engine import OwnedAnswer
from freehold.prove.calibrator import features_for, fit_head, newton, ranking
from freehold.text.confidence import FEATURES, VALUE_FEATURES, untrained_head


def answers(rng: np.random.Generator, n: int) -> tuple[list[OwnedAnswer], list[bool]]:
    """Right answers have surer tokens."""
    is_right = (rng.random(n) < 0.8).tolist()
    scales = [0.05 if right else 0.5 for right in is_right]
    logprobs = [tuple((-rng.exponential(scale, rng.integers(1, 12))).tolist()) for scale in scales]
    return [OwnedAnswer(text="x", logprobs=lp) for lp in logprobs], is_right


def test_newton_finds_what_a_general_optimiser_finds() -> None:
    rng = np.random.default_rng(31)
    x = rng.normal(size=(200, 3))
    y = (rng.random(200) < 1 / (1 + np.exp(-(x @ [1.0, -2.0, 0.0] + 0.5)))).astype(float)

    def loss(beta: np.ndarray) -> float:
        logit = beta[0] + x @ beta[1:]
        ridge = 0.5 * (1e-2 * beta[0] ** 2 + (beta[1:] ** 2).sum())
        return float((np.logaddexp(0, logit) - y * logit).sum() + ridge)

    expected = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6}).x
    assert newton(x, y) == pytest.approx(expected, abs=1e-4)


def test_separable_data_give_finite_weights() -> None:
    x = np.linspace(-1, 1, 50)[:, None]
    assert np.isfinite(newton(x, (x[:, 0] > 0).astype(float))).all()


def test_a_fitted_head_tells_right_from_wrong_on_other_answers() -> None:
    rng = np.random.default_rng(32)
    head = fit_head(*answers(rng, 300))
    others, is_right = answers(rng, 500)
    confidences = [head.score(given) for given in others]
    auc = ranking(confidences, is_right)
    assert auc is not None
    assert auc > 0.85
    assert np.mean(confidences) == pytest.approx(np.mean(is_right), abs=0.06)


@pytest.mark.parametrize("right", [[True] * 60, [False] * 60, [True, False] * 9])
def test_too_little_to_learn_from_gives_the_untrained_head(right: list[bool]) -> None:
    given = [OwnedAnswer(text="x", logprobs=(-0.1,))] * len(right)
    assert fit_head(given, right) == untrained_head()
    assert fit_head([], []) == untrained_head()


def test_answers_that_cannot_be_used_are_left_out() -> None:
    rng = np.random.default_rng(33)
    given, is_right = answers(rng, 100)
    cut = [OwnedAnswer(text="x", logprobs=(-9.0,), is_whole=False), OwnedAnswer(text="x")] * 50
    assert fit_head([*given, *cut], [*is_right, *[True] * 100]) == fit_head(given, is_right)


def test_constant_features_do_not_divide_by_nothing() -> None:
    head = fit_head([OwnedAnswer(text="x", logprobs=(-0.1,))] * 40, [True] * 30 + [False] * 10)
    assert head.score(OwnedAnswer(text="x", logprobs=(-0.1,))) == pytest.approx(0.75, abs=0.02)


def test_ranking_by_hand() -> None:
    assert ranking([0.9, 0.8, 0.3, 0.2], [True, False, True, False]) == pytest.approx(0.75)
    assert ranking([0.5, 0.5], [True, False]) == pytest.approx(0.5)
    assert ranking([0.5, 0.5], [True, True]) is None


def json_answers(rng: np.random.Generator, n: int) -> tuple[list[OwnedAnswer], list[bool]]:
    """Answers of 24 tokens, 4 of them values; the doubt lies in the values, the other tokens say nothing."""
    is_right = (rng.random(n) < 0.8).tolist()
    given = []
    for right in is_right:
        values = tuple((-rng.exponential(0.05 if right else 0.3, 4)).tolist())
        others = tuple((-rng.exponential(0.15, 20)).tolist())
        given.append(OwnedAnswer(text="{}", logprobs=values + others, value_logprobs=values))
    return given, is_right


def test_value_tokens_rank_better_where_the_others_say_nothing() -> None:
    rng = np.random.default_rng(33)
    given, is_right = json_answers(rng, 200)
    others, other_right = json_answers(rng, 600)
    by_values, by_all = (fit_head(given, is_right, names) for names in (VALUE_FEATURES, FEATURES))
    assert by_values.features == VALUE_FEATURES
    ranks = [ranking([head.score(a) for a in others], other_right) for head in (by_values, by_all)]
    assert ranks[0] is not None
    assert ranks[1] is not None
    assert ranks[0] > ranks[1] + 0.02


def test_values_count_where_all_answers_have_the_same_fields() -> None:
    given, _ = json_answers(np.random.default_rng(34), 5)
    fixed = ['{"a": 1, "b": "x"}', '{"b": "y", "a": 2}'] * 20
    loose = [*fixed[:30], *['{"a": 1}'] * 10]
    assert features_for("json", fixed, given) == features_for("tools", fixed, given) == VALUE_FEATURES
    assert features_for("json", [*fixed, "sorry"], given) == VALUE_FEATURES
    assert features_for("json", loose, given) == features_for("json", [], given) == FEATURES
    assert features_for("label", fixed, given) == FEATURES
    kept = OwnedAnswer(text="{}", logprobs=(-0.1,))
    assert features_for("json", fixed, [*given, kept]) == FEATURES
