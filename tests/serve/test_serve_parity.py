"""Judging parity: every difference that matters is named, and nothing else blocks a proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from freehold.errors import EngineError, ParityError
from freehold.serve.parity import (
    LEAST_TOP_AGREEMENT,
    MAX_BOUND,
    MEAN_BOUND,
    Reading,
    check_parity,
    compare,
    told_tokens,
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


def test_a_mean_over_the_bound_blocks() -> None:
    shifted = replace(ONE, logprobs=tuple(value - 1.01 * MEAN_BOUND for value in ONE.logprobs))
    assert "on average, more than" in compare([shifted], [ONE]).reason
    close = replace(ONE, logprobs=tuple(value - 0.99 * MEAN_BOUND for value in ONE.logprobs))
    assert compare([close], [ONE]).is_ok


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


def test_tokens_are_read_up_to_the_first_that_the_engine_kept_to_itself() -> None:
    def token(raw: bytes) -> dict[str, object]:
        return {"id": raw[0], "logprob": -0.1, "bytes": list(raw)}

    smile = "\U0001f600".encode()
    whole = [token(b"a"), token(smile), token(b" b")]
    assert told_tokens({"message": {"content": "a\U0001f600 b"}, "logprobs": {"content": whole}}) == whole
    cut = [token(b"a"), token(smile[3:]), token(b" b")]
    assert told_tokens({"message": {"content": "a\U0001f600 b"}, "logprobs": {"content": cut}}) == cut[:1]
    assert told_tokens({"message": {"content": None}, "logprobs": None}) == []


def test_without_held_out_examples_there_is_no_check(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ParityError, match="no held-out example"):
        check_parity(tmp_path, [], "http://127.0.0.1:9")


def test_an_engine_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from freehold.core import Example, Message

    example = Example(
        id="e", messages=(Message("user", "Hi"),), target="a", incumbent="a", source="import", group="g", created_at=0.0
    )
    with pytest.raises(EngineError, match="did not answer /apply-template"):
        check_parity(tmp_path, [example], "http://127.0.0.1:9")
