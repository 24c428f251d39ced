"""What a task needs next, in one line for the console and the command line."""

from __future__ import annotations

from freehold.core.route import RouteKind
from freehold.core.task import Task
from freehold.core.verdict import Decision

MIN_CALLS = 50


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
) -> str:
    """The command to run next, or what the task waits for; `need` is the verdict's count of further calls."""
    if not task.is_trainable:
        return "nothing: not chat calls, so they stay with the provider"
    if task.kind == "tools":
        return "nothing yet: its answers are tool calls, which cannot be trained so far"
    if route not in ("rented", "shadow"):
        return f"nothing: on route {route!r}, back with: freehold back {task.name}"
    if not has_dataset:
        missing = min_calls - calls
        return f"{missing} more calls before a dataset" if missing > 0 else f"freehold freeze {task.name}"
    if not has_model:
        return f"freehold train {task.name}"
    match verdict:
        case None:
            return f"freehold prove {task.name}"
        case "move":
            return f"freehold move {task.name}"
        case "need":
            return f"{need or 'some'} more calls, then: freehold freeze {task.name}"
        case "hold":
            return f"stays rented; with new calls or corrections: freehold freeze {task.name}"
