"""The confidence head: stable for any input, the same after a round trip."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.confidence import FEATURES, LEAST_CONFIDENCE, ConfidenceHead, features, untrained_head
from freehold.core.engine import OwnedAnswer

WIDTH = len(FEATURES)
HEADS = st.builds(
    lambda w, bias: ConfidenceHead(mean=(0.5,) * WIDTH, scale=(0.1,) * WIDTH, weights=tuple(w), bias=bias),
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
def test_any_head_gives_a_confidence_to_any_finite_answer(head: ConfidenceHead, logprobs: list[float]) -> None:
    assert LEAST_CONFIDENCE <= head.score(answer(*logprobs)) <= 1.0


@given(HEADS, st.lists(st.floats(-20, 0), min_size=1, max_size=10))
def test_a_round_trip_changes_no_bit(head: ConfidenceHead, logprobs: list[float]) -> None:
    again = ConfidenceHead.from_json(json.loads(json.dumps(head.to_json())))
    assert again == head
    assert again.score(answer(*logprobs)) == head.score(answer(*logprobs))


def test_a_head_of_other_features_is_refused() -> None:
    other = {**untrained_head().to_json(), "features": ["mean"]}
    with pytest.raises(ValueError, match="features"):
        ConfidenceHead.from_json(other)
    with pytest.raises(ValueError, match="finite"):
        ConfidenceHead(mean=(0.0,) * WIDTH, scale=(0.0,) * WIDTH, weights=(0.0,) * WIDTH, bias=0.0)
    with pytest.raises(ValueError, match="features"):
        ConfidenceHead(mean=(), scale=(), weights=(), bias=0.0)
