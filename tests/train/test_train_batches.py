"""The order in which examples are learnt: whole, repeatable, and with little padding."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from freehold.model import Example, Message
from freehold.train.bases.llama import Llama
from freehold.train.trainers.lora.batches import batches_from, encode, one_pass, parts

LENGTHS = st.lists(st.integers(2, 200), min_size=1, max_size=120)


def _letters(texts: list[str]) -> list[list[int]]:
    return [[ord(letter) for letter in text] for text in texts]


def _example(text: str, target: str = "yes") -> Example:
    return Example(
        id=text,
        messages=(Message("user", text),),
        target=target,
        incumbent=target,
        source="provider",
        group="g",
        created_at=0.0,
    )


@given(LENGTHS, st.integers(1, 20), st.integers(0, 3), st.integers(0, 3))
def test_one_pass_takes_every_example_once(lengths: list[int], size: int, seed: int, number: int) -> None:
    batches = one_pass(lengths, size, seed=seed, number=number)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    assert len(batches) == -(-len(lengths) // size)


@given(LENGTHS, st.integers(1, 20), st.integers(0, 60))
def test_going_on_at_a_step_gives_the_same_batches(lengths: list[int], size: int, step: int) -> None:
    whole = list(islice(batches_from(0, lengths, size, seed=7), step + 5))
    assert list(islice(batches_from(step, lengths, size, seed=7), 5)) == whole[step:]


def test_seed_and_pass_change_the_order() -> None:
    lengths = list(range(2, 66))
    orders = [one_pass(lengths, 8, seed=seed, number=number) for seed, number in ((0, 0), (0, 1), (1, 0))]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]
    assert one_pass(lengths, 8, seed=0, number=0) == orders[0]


def test_like_lengths_share_a_batch() -> None:
    lengths = [10 if i % 2 else 100 for i in range(320)]
    batches = one_pass(lengths, 16, seed=0, number=0)
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert padded <= 1.05 * sum(lengths)


@given(LENGTHS, st.integers(1, 500))
def test_parts_hold_the_whole_batch_within_the_limit(lengths: list[int], step_tokens: int) -> None:
    found = parts(range(len(lengths)), lengths, step_tokens)
    assert sorted(i for part in found for i in part) == list(range(len(lengths)))
    assert all(len(part) == 1 or len(part) * max(lengths[i] for i in part) <= step_tokens for part in found)


def test_encoding_ends_the_answer_and_counts_what_is_too_long() -> None:
    kept, dropped = encode([_example("short"), _example("x" * 200)], _letters, 100, Llama())
    assert dropped == 1
    assert [chr(i) for i in kept[0].answer] == list("yes<|im_end|>")
    assert "".join(chr(i) for i in kept[0].prompt) == "<|im_start|>user\nshort<|im_end|>\n<|im_start|>assistant\n"
    assert len(kept[0]) == len(kept[0].prompt) + len(kept[0].answer)


def test_no_examples_are_no_lessons() -> None:
    assert encode([], _letters, 10, Llama()) == ([], 0)
