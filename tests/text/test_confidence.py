"""The confidence head: stable for any input, the same after a round trip."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.model.engine import OwnedAnswer
from freehold.text.confidence import FEATURES, LEAST_CONFIDENCE, Calibrator, features, untrained_head

WIDTH = len(FEATURES)
HEADS = st.builds(
    lambda w, bias: Calibrator(mean=(0.5,) * WIDTH, scale=(0.1,) * WIDTH, weights=tuple(w), bias=bias),
    st.lists(st.floats(-1e6, 1e6), min_size=WIDTH, max_size=WIDTH),
    st.floats(-1e9, 1e9),
)


def answer(*logprobs: float, is_whole: bool = True) -> OwnedAnswer:
    return OwnedAnswer(text="x", logprobs=logprobs, is_whole=is_whole)


def test_features_of_a_known_answer() -> None:
    found = features((-0.1, -2.0, -0.3, 0.0))
    assert found is not None
    figures = dict(zip(FEATURES, found, strict=True))
    assert figures["least"] == -2.0
    assert figures["second"] == -0.3
    assert figures["mean"] == pytest.approx(-0.6)
    assert figures["sum"] == pytest.approx(-2.4)
    assert figures["first"] == -0.1
    assert figures["p_least"] == pytest.approx(math.exp(-2))
    assert figures["log_length"] == pytest.approx(math.log(4))


@pytest.mark.parametrize("logprobs", [(), (-math.inf,), (math.nan,), (-0.1, math.nan), (-0.1, -math.inf)])
def test_an_answer_without_whole_figures_is_never_used(logprobs: tuple[float, ...]) -> None:
    assert features(logprobs) is None
    assert untrained_head().score(answer(*logprobs)) == 0.0


def test_an_answer_that_was_cut_off_is_never_used() -> None:
    assert untrained_head().score(answer(-0.1, is_whole=False)) == 0.0


def test_the_untrained_head_prefers_surer_answers() -> None:
    head = untrained_head()
    assert head.score(answer(-0.01)) > head.score(answer(-0.5)) > head.score(answer(-3.0)) > 0


@given(HEADS, st.lists(st.floats(-1e30, 1.0), min_size=1, max_size=40))
def test_any_head_gives_a_confidence_to_any_finite_answer(head: Calibrator, logprobs: list[float]) -> None:
    assert LEAST_CONFIDENCE <= head.score(answer(*logprobs)) <= 1.0


@given(HEADS, st.lists(st.floats(-20, 0), min_size=1, max_size=10))
def test_a_round_trip_changes_no_bit(head: Calibrator, logprobs: list[float]) -> None:
    again = Calibrator.from_json(json.loads(json.dumps(head.to_json())))
    assert again == head
    assert again.score(answer(*logprobs)) == head.score(answer(*logprobs))


def test_a_head_that_an_older_version_stored_scores_as_it_did() -> None:
    """As stored before there were value tokens: the same features by name, whatever else this version knows."""
    stored = {"features": list(FEATURES), "mean": [-0.5] * WIDTH, "scale": [2.0] * WIDTH, "weights": [0.1] * WIDTH}
    head = Calibrator.from_json({**stored, "bias": 1.0})
    figures = features((-0.1, -2.0, -0.3))
    assert figures is not None
    logit = 1.0 + sum(0.1 * (x + 0.5) / 2.0 for x in figures)
    assert head.score(answer(-0.1, -2.0, -0.3)) == pytest.approx(1 / (1 + math.exp(-logit)))
    fewer = Calibrator.from_json({"features": ["mean"], "mean": [0.0], "scale": [1.0], "weights": [1.0], "bias": 0.0})
    assert fewer.score(answer(-1.0, -1.0)) == pytest.approx(1 / (1 + math.e))


def test_value_tokens_count_where_the_head_asks_for_them() -> None:
    flat = {"mean": [0.0], "scale": [1.0], "weights": [1.0], "bias": 0.0}
    of_values = Calibrator.from_json({"features": ["value_mean"], **flat})
    given = OwnedAnswer(text='{"a":1}', logprobs=(0.0, 0.0, -2.0), value_logprobs=(-2.0,))
    assert of_values.score(given) == pytest.approx(1 / (1 + math.exp(2)))
    untold = replace(given, value_logprobs=())
    assert of_values.score(untold) == pytest.approx(1 / (1 + math.exp(2 / 3)))
    assert of_values.score(replace(given, value_logprobs=None)) == 0.0
    assert untrained_head().score(replace(given, value_logprobs=None)) == untrained_head().score(given) > 0


def test_a_head_of_features_that_are_not_known_is_refused() -> None:
    other = {**untrained_head().to_json(), "features": ["mean", "of a later version"]}
    with pytest.raises(ValueError, match="of a later version"):
        Calibrator.from_json(other)
    with pytest.raises(ValueError, match="1 features, not 11"):
        Calibrator.from_json({**untrained_head().to_json(), "features": ["mean"]})
    with pytest.raises(ValueError, match="finite"):
        Calibrator(mean=(0.0,) * WIDTH, scale=(0.0,) * WIDTH, weights=(0.0,) * WIDTH, bias=0.0)
    with pytest.raises(ValueError, match="features"):
        Calibrator(mean=(), scale=(), weights=(), bias=0.0)
