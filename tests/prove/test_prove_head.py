"""The confidence head: Newton's method finds the optimum, and odd data do not break it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from freehold.core.confidence import FEATURES, VALUE_FEATURES, untrained_head
from freehold.core.engine import OwnedAnswer
from freehold.prove.head import feature_choices, fit_head, newton, ranking


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


def json_answers(rng: np.random.Generator, n: int, *, doubt_in_values: bool) -> tuple[list[OwnedAnswer], list[bool]]:
    """Answers of 20 tokens, 4 of them values; the doubt lies in the values, or in the names around them."""
    is_right = (rng.random(n) < 0.8).tolist()
    given = []
    for right in is_right:
        doubt = -rng.exponential(0.05 if right else 0.6, 4)
        noise = -rng.exponential(0.3, 16)
        values = doubt if doubt_in_values else noise[:4]
        logprobs = tuple(np.concatenate([doubt, noise]).tolist())
        given.append(OwnedAnswer(text="{}", logprobs=logprobs, value_logprobs=tuple(values.tolist())))
    return given, is_right


@pytest.mark.parametrize("doubt_in_values", [True, False])
def test_the_features_that_tell_better_are_taken(doubt_in_values: bool) -> None:
    rng = np.random.default_rng(33)
    given, is_right = json_answers(rng, 300, doubt_in_values=doubt_in_values)
    choices = feature_choices("json", given)
    head = fit_head(given, is_right, choices)
    assert choices == (FEATURES, VALUE_FEATURES)
    assert head.features == (VALUE_FEATURES if doubt_in_values else FEATURES)
    others, other_right = json_answers(rng, 600, doubt_in_values=doubt_in_values)
    chosen, plain = (ranking([h.score(a) for a in others], other_right) for h in (head, fit_head(given, is_right)))
    assert chosen is not None
    assert plain is not None
    assert chosen > plain + 0.02 if doubt_in_values else chosen == plain


def test_values_are_left_out_where_an_answer_was_kept_without_them() -> None:
    given, _ = json_answers(np.random.default_rng(34), 5, doubt_in_values=True)
    kept = OwnedAnswer(text="{}", logprobs=(-0.1,))
    assert feature_choices("json", [*given, kept]) == (FEATURES,)
    assert feature_choices("label", given) == (FEATURES,)
    assert feature_choices("tools", given) == (FEATURES, VALUE_FEATURES)
