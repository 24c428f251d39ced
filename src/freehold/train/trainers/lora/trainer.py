"""The training loop's state and its single steps, and how it is kept on disk.

Not covered: reading data, talking to the parent (`worker`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from freehold.train.job import Progress
from freehold.train.recipe import Recipe, learning_rate
from freehold.train.trainers.lora.batches import Encoded, parts
from freehold.train.trainers.lora.kernels import answer_loss, answer_scores
from freehold.train.trainers.lora.lower import LowerLayers, body_of

SMOOTHING = 0.95
UNTIMED_STEPS = 2


def _goes_on() -> None:
    """Nobody stops the training."""


class Trainer:
    """A model with adapters on its way through the schedule.

    `share` is how much of the training is done, 0 to 1, by steps or by the clock, whichever is further. `examples` are
    those that it will see more than once. `look` is called before each part of a batch; what it raises ends the step,
    or the look at dev examples, without any trace.
    """

    def __init__(
        self,
        model: Any,
        trained: Sequence[nn.Parameter],
        recipe: Recipe,
        device: torch.device,
        examples: Sequence[Encoded],
        look: Callable[[], None] = _goes_on,
    ) -> None:
        self.step = 0
        self.mean_loss = 0.0
        self.dev_curve: list[tuple[int, float]] = []
        self._look = look
        self._model = model
        self._trained = list(trained)
        self._recipe = recipe
        self._device = device
        body = model.model
        first = recipe.first_trained(len(body.layers))
        self._lower = LowerLayers(body, first, examples, group_tokens=recipe.step_tokens)
        self._upper = body_of(body, body.layers[first:], body.norm)
        self._optimizer = torch.optim.AdamW(self._trained, lr=recipe.learning_rate, weight_decay=0.0)
        self._precision = str(model.lm_head.weight.dtype).removeprefix("torch.")
        self._started = time.monotonic()
        self._spent_s = 0.0
        self._timed_s = 0.0
        self._timed_tokens = 0
        self._timed_steps = -UNTIMED_STEPS

    @property
    def elapsed_s(self) -> float:
        """Seconds spent on this training, over all of its runs."""
        return self._spent_s + time.monotonic() - self._started

    @property
    def device_words(self) -> str:
        """Where and in which numbers it trains."""
        return f"{self._device.type} {self._precision}"

    @property
    def tokens_per_s(self) -> float:
        """Tokens learnt from per second of stepping, padding not counted; 0.0 before steps were timed."""
        return self._timed_tokens / self._timed_s if self._timed_s else 0.0

    def share(self, most_steps: int) -> float:
        """How much is done, of the steps or of the time."""
        by_clock = self.elapsed_s / (60 * self._recipe.max_minutes) if self._recipe.max_minutes else 0.0
        return min(1.0, max(self.step / most_steps, by_clock))

    def take_step(self, batch: Sequence[Encoded], share: float) -> float:
        """Learn from one batch; returns its mean loss per answer token."""
        began = time.monotonic()
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._recipe, share)
        answer_tokens = sum(len(example.answer) for example in batch)
        loss = 0.0
        for part in parts(range(len(batch)), [len(example) for example in batch], self._recipe.step_tokens):
            hidden, wanted = self._hidden([batch[i] for i in part])
            part_loss = answer_loss(hidden, self._model.lm_head.weight, wanted, scale=1.0 / answer_tokens)
            part_loss.backward()  # type: ignore[no-untyped-call]  # torch
            loss += part_loss.item()
        torch.nn.utils.clip_grad_norm_(self._trained, self._recipe.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.mean_loss = loss if self.step == 0 else SMOOTHING * self.mean_loss + (1 - SMOOTHING) * loss
        self.step += 1
        self._timed_steps += 1
        if self._timed_steps > 0:
            self._timed_s += time.monotonic() - began
            self._timed_tokens += sum(len(example) for example in batch)
        return loss

    def note_dev_loss(self, examples: Sequence[Encoded]) -> float:
        """Put the mean loss of these dev examples on the curve as that of now, once, and return it."""
        if not self.dev_curve or self.dev_curve[-1][0] != self.step:
            self.dev_curve.append((self.step, self.check(examples)[0]))
        return self.dev_curve[-1][1]

    @torch.no_grad()
    def check(self, examples: Sequence[Encoded]) -> tuple[float, float]:
        """Mean loss per answer token, and the share of answers whose every token is the likeliest one."""
        size = self._recipe.batch_size
        logprob_sum, tokens, exact = 0.0, 0, 0
        ordered = sorted(examples, key=len)
        for start in range(0, len(ordered), size):
            batch = ordered[start : start + size]
            for part in parts(range(len(batch)), [len(example) for example in batch], self._recipe.step_tokens):
                chosen = [batch[i] for i in part]
                logprobs, is_top = answer_scores(*self._head_inputs(chosen))
                logprob_sum += float(logprobs.sum())
                tokens += len(logprobs)
                exact += sum(bool(t.all()) for t in torch.split(is_top, [len(example.answer) for example in chosen]))
        return -logprob_sum / tokens, exact / len(ordered)

    def progress(self, most_steps: int, dev_loss: float | None) -> Progress:
        """Where the training is now."""
        share = self.share(most_steps)
        is_timed = self._timed_steps > 0
        return Progress(
            phase="train",
            step=self.step,
            steps=max(self.step, round(self.step / share)) if share else most_steps,
            loss=self.mean_loss,
            dev_loss=dev_loss,
            tokens_per_s=self.tokens_per_s if is_timed else None,
            left_s=self.elapsed_s * (1 - share) / share if is_timed and share else None,
        )

    def save(self, path: Path, key: str) -> None:
        """Keep the place: adapter, optimizer, step and time spent, wholly on disk or not at all."""
        state = {
            "key": key,
            "step": self.step,
            "mean_loss": self.mean_loss,
            "dev_curve": self.dev_curve,
            "spent_s": self.elapsed_s,
            "trained": [parameter.detach() for parameter in self._trained],
            "optimizer": self._optimizer.state_dict(),
        }
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def restore(self, path: Path, key: str, started: float) -> str:
        """Go on where `save` left off, if there is such a place of this job; says in a few words what was found.

        `started` is when this run began (`time.monotonic`), so that loading counts as time spent.
        """
        self._started = started
        if not path.exists():
            return "from the beginning"
        try:
            state = torch.load(path, map_location=self._device, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError):
            return "from the beginning: the checkpoint is damaged"
        if state["key"] != key:
            return "from the beginning: the checkpoint is of another training"
        with torch.no_grad():
            for parameter, saved in zip(self._trained, state["trained"], strict=True):
                parameter.copy_(saved)
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.mean_loss, self._spent_s = state["step"], state["mean_loss"], state["spent_s"]
        self.dev_curve = [(int(step), float(loss)) for step, loss in state.get("dev_curve", ())]
        return f"going on after step {self.step}"

    def _hidden(self, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        """The last hidden state at each place that is followed by an answer token, contiguous, and those tokens."""
        longest = max(len(example) for example in batch)
        places: list[int] = []
        wanted: list[int] = []
        for row, example in enumerate(batch):
            first = row * longest + len(example.prompt) - 1
            places.extend(range(first, first + len(example.answer)))
            wanted.extend(example.answer)
        self._look()
        below = self._lower.states(batch)
        states = self._upper(inputs_embeds=below, use_cache=False).last_hidden_state
        rows = states.reshape(-1, states.shape[-1])
        index = torch.tensor(places, device=self._device)
        return rows.index_select(0, index), torch.tensor(wanted, device=self._device)

    def _head_inputs(self, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor, Tensor]:
        hidden, wanted = self._hidden(batch)
        return hidden, self._model.lm_head.weight, wanted
