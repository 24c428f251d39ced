"""Judging parity: every difference that matters is named, and nothing else blocks a proof."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from freehold.errors import EngineError, ParityError
from freehold.serve.engines.llamacpp.engine import LlamaCpp
from freehold.serve.engines.llamacpp.greedy import told_places
from freehold.serve.parity import (
    LEAST_DOUBT,
    LEAST_TOP_AGREEMENT,
    MAX_BOUND,
    RELATIVE_BOUND,
    Reading,
    check_parity,
    compare,
)

ONE = Reading((1, 5, 6, 7), (-0.1, -0.2, -0.3), (True, True, True))
TWO = Reading((1, 5, 8), (-0.4, -0.5), (True, True))


def test_equal_readings_are_equal() -> None:
    parity = compare([ONE, TWO], [ONE, TWO])
    assert parity.is_ok
    assert (parity.prompts, parity.same_prompts, parity.tokens) == (2, 2, 5)
    assert (parity.mean_difference, parity.max_difference, parity.top_agreement) == (0.0, 0.0, 1.0)
    assert parity.words.startswith("token ids equal for 2 of 2 prompts; logprobs of 5 tokens differ by 0.0000")


def test_other_token_ids_block_and_are_named() -> None:
    parity = compare([ONE, TWO], [ONE, replace(TWO, prompt_ids=(1, 5, 9))])
    assert not parity.is_ok
    assert parity.reason == "prompt 2 has other token ids from place 2 on: served [8], trained [9]"
    assert parity.same_prompts == 1
    assert parity.words == "token ids equal for 1 of 2 prompts"


def test_a_prompt_that_is_only_longer_is_another_one() -> None:
    parity = compare([ONE], [replace(ONE, prompt_ids=(*ONE.prompt_ids, 2))])
    assert parity.reason.endswith("from place 4 on: served [], trained [2]")


def _shifted(reading: Reading, share: float) -> Reading:
    """The reading with each log probability lower by a share of the mean doubt."""
    doubt = sum(1 - math.exp(value) for value in reading.logprobs) / len(reading.logprobs)
    return replace(reading, logprobs=tuple(value - share * doubt for value in reading.logprobs))


def test_a_difference_is_judged_by_the_models_doubt() -> None:
    sure = replace(ONE, logprobs=(-0.01, -0.02, -0.03))
    for reading in (ONE, sure):
        assert compare([_shifted(reading, 0.99 * RELATIVE_BOUND)], [reading]).is_ok
        parity = compare([_shifted(reading, 1.01 * RELATIVE_BOUND)], [reading])
        assert "of the model's doubt, more than" in parity.reason
    assert _shifted(ONE, 0.3).logprobs[0] < sure.logprobs[0] - 0.05


def test_a_model_without_doubt_is_not_held_to_less_than_rounding() -> None:
    certain = replace(ONE, logprobs=(0.0, 0.0, 0.0))
    slightly = replace(ONE, logprobs=(-0.9 * RELATIVE_BOUND * LEAST_DOUBT,) * 3)
    assert compare([slightly], [certain]).is_ok
    assert not compare([replace(ONE, logprobs=(-0.1, -0.1, -0.1))], [certain]).is_ok


def test_one_token_far_off_blocks() -> None:
    many = Reading((1,), (-0.1,) * 1000, (True,) * 1000)
    off = replace(many, logprobs=(-0.1 - 1.01 * MAX_BOUND, *many.logprobs[1:]))
    parity = compare([off], [many])
    assert "a token's log probability differs by" in parity.reason


def test_other_likeliest_tokens_block() -> None:
    count = 100
    few = round((1 - LEAST_TOP_AGREEMENT) * count) + 1
    trained = Reading((1,), (-0.1,) * count, (False,) * few + (True,) * (count - few))
    assert "the likeliest token is the same for" in compare([trained], [trained]).reason


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_none_never_passes(bad: float) -> None:
    assert not compare([replace(ONE, logprobs=(bad, -0.2, -0.3))], [ONE]).is_ok


def test_empty_answers_prove_nothing() -> None:
    empty = Reading((1, 5), ())
    assert compare([empty], [empty]).reason == "the engine gave only empty answers"


def test_tokens_of_half_characters_are_left_out_of_the_comparison() -> None:
    assert told_places([7, 8, 9], [7, 8, 9]) == [0, 1, 2]
    assert told_places([7, 30, 31, 32, 8, 2], [7, 32, 8]) == [0, 3, 4]
    assert told_places([30, 31, 32], [32]) == [2]
    assert told_places([2], []) == []


def test_without_held_out_examples_there_is_no_check(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ParityError, match="no held-out example"):
        check_parity(tmp_path, [], LlamaCpp, "http://127.0.0.1:9")


def test_an_engine_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from freehold.model import Example, Message

    example = Example(
        id="e", messages=(Message("user", "Hi"),), target="a", incumbent="a", source="import", group="g", created_at=0.0
    )
    with pytest.raises(EngineError, match="did not answer /apply-template"):
        check_parity(tmp_path, [example], LlamaCpp, "http://127.0.0.1:9")
