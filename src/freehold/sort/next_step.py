"""What a task needs next, in one line for the console and the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from freehold.model.route import RouteKind
from freehold.model.task import Task
from freehold.model.verdict import Decision

MIN_CALLS = 50
LEAST_SHARE = 0.2
"""Of a task's calls so many must be such that something can be learnt from them, else more of them hardly help."""
_LEAST_SAMPLE = 3
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "not_plain": "they hold images, tool results or other parts that are no text",
        "tool_calls": "their answers are tool calls, which cannot be trained so far",
        "refusal": "the provider refuses them",
        "cut_off": "their answers are cut off",
        "empty_answer": "their answers are empty",
        "off_schema": "their answers break the schema that they name",
        "no_finish": "nothing says that their answers ended",
        "unknown_finish": "their answers ended for a reason that nobody knows",
        "error": "they fail at the provider",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Of some of a task's newest calls, how many can be learnt from; `reason` names what most of the others are."""

    calls: int
    usable: int
    reason: str = ""

    @property
    def share(self) -> float:
        """The share that can be learnt from; all while there are too few to say."""
        return self.usable / self.calls if self.calls >= _LEAST_SAMPLE else 1.0

    @property
    def words(self) -> str:
        """Why the others cannot."""
        return _WORDS.get(self.reason, f"most of them are {self.reason}")


def next_step(
    task: Task,
    *,
    calls: int,
    has_dataset: bool = False,
    has_model: bool = False,
    verdict: Decision | None = None,
    need: int | None = None,
    route: RouteKind = "rented",
    min_calls: int = MIN_CALLS,
    sample: Sample | None = None,
    training: str | None = None,
    is_training_first: bool = False,
) -> str:
    """The command to run next, or what the task waits for; `need` is the verdict's count of further calls.

    `training` is the command that would train an undertrained model on, None for one that was trained enough; where
    `is_training_first` it comes before a proof, too. Without a `sample` all calls are taken to be such that something
    can be learnt from them.
    """
    share = 1.0 if sample is None else sample.share
    if not task.is_trainable:
        return "nothing: not chat calls, so they stay with the provider"
    if task.kind == "tools" and (sample is None or share < LEAST_SHARE):
        return "nothing yet: its answers are tool calls, which cannot be trained so far"
    if route not in ("rented", "shadow"):
        return f"nothing: on route {route!r}, back with: freehold back {task.name}"
    if not has_dataset:
        return _before_dataset(task, calls, share, sample, min_calls)
    if not has_model:
        return f"freehold train {task.name}"
    match verdict:
        case None if training and is_training_first:
            return training
        case "need" | "hold" if training:
            return training
        case None:
            return f"freehold prove {task.name}"
        case "move":
            return f"freehold move {task.name}"
        case "need":
            return f"{need or 'some'} more calls, then: freehold freeze {task.name}"
        case "hold":
            return f"stays rented; with new calls or corrections: freehold freeze {task.name}"


def _before_dataset(task: Task, calls: int, share: float, sample: Sample | None, needed: int) -> str:
    if sample is not None and share < LEAST_SHARE:
        some = f"of its last {sample.calls} calls {sample.usable or 'none'} can be learnt from"
        return f"nothing yet: {some}, as {sample.words}"
    missing = math.ceil(needed / share) - calls
    about = "about " if share < 1.0 else ""
    return f"{about}{missing} more calls before a dataset" if missing > 0 else f"freehold freeze {task.name}"
