"""Tell an undertrained model from its training's figures, and say what to run next.

A training that its limit of time ended is too little where it made few passes, or where the dev loss was still falling
steeply: its proof would be wasted. Any other whose dev loss was still clearly falling is only said to have room left.

Not covered: whether the model is good enough. That is the proof's to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_PASSES = 0.5
ENOUGH_EXAMPLES = 10_000
"""A part of a pass is no lack where it is of so many examples."""
CLEAR_FALL = 0.2
"""The dev loss is falling clearly when the second half of the training took this share of it away ..."""
LEAST_FALL = 0.005
"""... and so much of it, in nats per answer token."""
STEEP_FALL = 0.5
"""It is falling steeply when the second half took this share of it away ..."""
STEEP_NATS = 0.05
"""... and so much of it: a model that moved 75% of calls had gone from 0.041 to 0.018."""
_NEARLY_ALL = 0.98
_FIRST_MINUTES = 40
"""What to train for when no step was timed: the default of `train.minutes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertrained:
    """A training that more of the same would take further; `minutes` and `epochs` are for the next one.

    `passes` over the training split were made in `steps` steps. `fall` is the dev loss (nats per answer token) at half
    of the steps and at the end, None unless it fell clearly. `is_cut_short` says that the limit of time ended it,
    `is_too_little` that so little was learnt by then that a proof would be wasted. `minutes` is None where there was no
    limit of time, `epochs` where it ended the training.
    """

    steps: int
    passes: float
    is_cut_short: bool
    is_too_little: bool
    fall: tuple[float, float] | None
    minutes: int | None
    epochs: float | None

    @property
    def words(self) -> str:
        """What is known of it, as the end of a sentence that begins with the training."""
        ending = "its limit of time ended it" if self.is_cut_short else "it ended as planned"
        passes = "one pass" if f"{self.passes:.3g}" == "1" else f"{self.passes:.3g} passes"
        done = f"{ending} after {self.steps:,} steps, {passes} over the training examples"
        if self.fall is None:
            return done
        middle, end = self.fall
        return f"{done}; its dev loss was still falling ({middle:.3g} at half of the steps, {end:.3g} at the end)"

    @property
    def sentence(self) -> str:
        """The same as a sentence."""
        head = "The training was cut short" if self.is_too_little else "A longer training may do better"
        return f"{head}: {self.words}."

    def command(self, task: str) -> str:
        """The training that would be next."""
        epochs = "" if self.epochs is None else f" --epochs {self.epochs:g}"
        minutes = "" if self.minutes is None else f" --minutes {self.minutes}"
        return f"freehold train {task}{epochs}{minutes}"


def undertrained(metrics: Mapping[str, Any], recipe: Mapping[str, Any]) -> Undertrained | None:
    """What a model card's figures and recipe tell; None for a training that was enough, or that says too little."""
    steps, examples, batch = metrics.get("steps"), metrics.get("examples"), recipe.get("batch_size")
    if steps is None or not examples or not batch:
        return None
    passes = float(steps * batch / examples)
    is_cut_short = _ending(metrics, recipe) == "minutes"
    fall = clear_fall(metrics.get("dev_curve") or ())
    has_few_passes = is_cut_short and passes < LEAST_PASSES and steps * batch < ENOUGH_EXAMPLES
    if fall is None and not has_few_passes:
        return None
    is_steep = fall is not None and fall[0] - fall[1] >= max(STEEP_NATS, STEEP_FALL * fall[0])
    times = max(2.0, 1.0 / passes if passes else 0.0)
    return Undertrained(
        steps=int(steps),
        passes=passes,
        is_cut_short=is_cut_short,
        is_too_little=has_few_passes or (is_cut_short and is_steep),
        fall=fall,
        minutes=_minutes(float(metrics.get("seconds") or 0.0) if steps else 0.0, times, recipe.get("max_minutes")),
        epochs=None if is_cut_short else 2.0 * float(recipe.get("epochs") or passes),
    )


def clear_fall(curve: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The dev loss at half of the steps and at the end, where it fell clearly in between.

    `curve` holds (step, loss) pairs. The rate goes down to zero towards the end, so that the last steps alone hardly
    change anything, however little was learnt: hence the half.
    """
    if len(curve) < 2:
        return None
    last_step, last = curve[-1]
    _, middle = min(curve[:-1], key=lambda point: abs(point[0] - last_step / 2))
    is_clear = middle - last >= max(LEAST_FALL, CLEAR_FALL * middle)
    return (float(middle), float(last)) if is_clear else None


def _ending(metrics: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    """What ended the training; of early ones that do not say it, by how many of their passes they made."""
    told = metrics.get("ended_by", "unknown")
    if told != "unknown":
        return str(told)
    passes, wanted = metrics.get("epochs"), recipe.get("epochs")
    if recipe.get("max_minutes") is None or recipe.get("max_steps") is not None or passes is None or wanted is None:
        return "epochs"
    return "minutes" if passes < _NEARLY_ALL * wanted else "epochs"


def _minutes(seconds: float, times: float, limit: float | None) -> int | None:
    """Minutes for `times` the work that took `seconds`, rounded up; None where there was no limit of time."""
    if limit is None:
        return None
    if not seconds:
        return max(_FIRST_MINUTES, math.ceil(2 * limit))
    wanted = max(times * seconds / 60, limit)
    return math.ceil(wanted) if wanted <= 10 else 5 * math.ceil(wanted / 5)
