"""A recipe: everything that decides how a model is trained, but for its base and its dataset.

The defaults are those measured on ViGGO (see the design chapter of the docs). Not covered: searching for better ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "bf16", "fp32"]
Ending = Literal["epochs", "steps", "minutes", "unknown"]
"""What ended a training: its passes, its limit of steps, or its limit of time; early trainings do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train; training ends after `epochs`, `max_steps` or `max_minutes`, whichever comes first.

    `max_tokens` is the most tokens of one example, prompt and answer; longer ones are dropped and counted.
    `lora_layers` is how many of the uppermost layers have adapters, 0 for all; no gradient goes through those below,
    and an example goes through them once, however many passes there are. `step_tokens` is the most (padded) tokens that
    go through the model at once; a larger batch is taken in parts.
    """

    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_layers: int = 0
    learning_rate: float = 1e-3
    warmup_share: float = 0.05
    clip_norm: float = 1.0
    batch_size: int = 16
    epochs: float = 3.0
    max_steps: int | None = None
    max_minutes: float | None = None
    max_tokens: int = 1024
    step_tokens: int = 2048
    seed: int = 0
    precision: Precision = "auto"
    checkpoint_s: float = 45.0

    def steps_per_epoch(self, examples: int) -> int:
        """Batches in one pass over the training split; the last may be smaller."""
        return math.ceil(examples / self.batch_size)

    def most_steps(self, examples: int) -> int:
        """Steps after which training ends even when there is time left."""
        steps = max(1, round(self.epochs * self.steps_per_epoch(examples)))
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def first_trained(self, layers: int) -> int:
        """The number of the lowest layer with an adapter, from 0, in a base of so many layers."""
        return max(0, layers - self.lora_layers) if self.lora_layers else 0

    def ending(self, step: int, examples: int) -> Ending:
        """What ended a training of this recipe after `step` steps."""
        if step < self.most_steps(examples):
            return "minutes"
        return "steps" if self.max_steps is not None and step >= self.max_steps else "epochs"


def default_epochs(examples: int) -> float:
    """Passes over the training split when the clock does not end it first: 30,000 examples seen, 4 to 10 passes."""
    return min(10.0, max(4.0, round(30_000 / max(1, examples))))


def learning_rate(recipe: Recipe, share: float) -> float:
    """The rate when `share` (0 to 1) of the training is done: a linear warm-up, then a cosine down to zero.

    `share` is the larger of steps done of steps wanted and time used of time allowed, so that a run bounded by the
    clock anneals as fully as one bounded by its data, however fast the machine turns out to be.
    """
    if share < recipe.warmup_share:
        return recipe.learning_rate * max(share, 0.02 * recipe.warmup_share) / recipe.warmup_share
    rest = (share - recipe.warmup_share) / (1.0 - recipe.warmup_share)
    return recipe.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, rest)))
