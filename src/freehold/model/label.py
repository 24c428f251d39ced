"""A label: which of two answers to one call somebody preferred, without knowing whose they were."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from freehold.model.ids import canonical_json, sha256_hex

Preference = Literal["owned", "rented", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What `source` (`human:NAME`) said about the answers of a model and of the provider to one example.

    `answers` is the digest of both, so that a label never counts for other answers. `created_at` is Unix seconds.
    """

    task_id: str
    model_id: str
    example_id: str
    source: str
    preferred: Preference
    answers: str
    created_at: float

    @property
    def value(self) -> float:
        """1 where the owned answer was preferred, -1 where the provider's was, else 0."""
        return {"owned": 1.0, "rented": -1.0, "same": 0.0}[self.preferred]


def answers_digest(owned: str, rented: str) -> str:
    """What tells one pair of answers from another."""
    return sha256_hex(canonical_json([owned, rented]))[:16]


def is_owned_first(model_id: str, example_id: str, seed: int) -> bool:
    """Whether the owned answer stands first; drawn for each pair, the same wherever the pair is shown."""
    return random.Random(f"side {seed} {model_id} {example_id}").random() < 0.5  # noqa: S311 - a draw to be repeated
