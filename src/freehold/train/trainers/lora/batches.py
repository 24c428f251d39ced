"""Examples as token ids, and the order in which they are learnt.

The order is a pure function of seed and pass, so that a resumed training sees the same batches without any saved
state. Examples of like length share a batch: little of the work goes into padding.

Not covered: tensors (`worker`), the tokenizer (`train.bases`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from freehold.model import Example
from freehold.train.bases import Base
from freehold.train.recipe import Recipe

BUCKET_BATCHES = 50
_PASSES_LOOKED_AT = 4
Tokenize = Callable[[list[str]], list[list[int]]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as ids; the loss is taken on `answer` alone, which ends with the end-of-turn token."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def encode(examples: Sequence[Example], tokenize: Tokenize, max_tokens: int, base: Base) -> tuple[list[Encoded], int]:
    """The examples as ids, spelled as the base reads them, and how many were dropped: longer than `max_tokens`."""
    if not examples:
        return [], 0
    prompts = tokenize([base.render(example.messages) for example in examples])
    answers = tokenize([base.answer(example.target) for example in examples])
    encoded = [Encoded(tuple(p), tuple(a)) for p, a in zip(prompts, answers, strict=True)]
    kept = [item for item in encoded if len(item) <= max_tokens]
    return kept, len(encoded) - len(kept)


def one_pass(lengths: Sequence[int], batch_size: int, *, seed: int, number: int) -> list[list[int]]:
    """The batches of pass `number`, as indices; every example is in exactly one of them."""
    order = random.Random(f"{seed}/{number}")  # noqa: S311 - an order, not a secret
    shuffled = list(range(len(lengths)))
    order.shuffle(shuffled)
    batches: list[list[int]] = []
    width = BUCKET_BATCHES * batch_size
    for start in range(0, len(shuffled), width):
        bucket = sorted(shuffled[start : start + width], key=lambda i: lengths[i])
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    order.shuffle(batches)
    return batches


def batches_from(step: int, lengths: Sequence[int], batch_size: int, *, seed: int) -> Iterator[list[int]]:
    """Batches without end, beginning with that of step `step` (from 0)."""
    per_pass = -(-len(lengths) // batch_size)
    first = step // per_pass
    for number in count(first):
        skip = step % per_pass if number == first else 0
        yield from islice(one_pass(lengths, batch_size, seed=seed, number=number), skip, None)


def parts(batch: Sequence[int], lengths: Sequence[int], step_tokens: int) -> list[list[int]]:
    """A batch cut so that each part, padded to its longest, has at most `step_tokens` tokens (or one example)."""
    found: list[list[int]] = []
    for index in sorted(batch, key=lambda i: lengths[i]):
        if found and (len(found[-1]) + 1) * lengths[index] <= step_tokens:
            found[-1].append(index)
        else:
            found.append([index])
    return found


def steps_of(lengths: Sequence[int], recipe: Recipe) -> Iterator[list[int]]:
    """The lengths of the examples that go through the model together, in the first few passes of a training."""
    passes = min(_PASSES_LOOKED_AT, math.ceil(recipe.most_steps(len(lengths)) / recipe.steps_per_epoch(len(lengths))))
    for number in range(passes):
        for batch in one_pass(lengths, recipe.batch_size, seed=recipe.seed, number=number):
            sizes = [lengths[index] for index in batch]
            for part in parts(range(len(sizes)), sizes, recipe.step_tokens):
                yield [sizes[index] for index in part]
