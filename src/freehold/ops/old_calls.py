"""Deleting old calls whole, but for those that something still needs.

    datasets, models, proofs   a call behind an example of a frozen dataset stays, with its audits and shadows
    people                     a call that somebody rated, corrected or commented stays
    moved tasks                calls since the task's route was put in place stay: its watch and its figures read them
    receipts                   are never touched; they name datasets and verdicts, and no calls

Where a dataset's file is gone or cannot be read, nobody can say which calls it needs, and all of its task stay. What a
key has used is kept apart and stays true. Not covered: bodies (`ops.retention`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from freehold.ops.lineage import calls_of_dataset
from freehold.ops.retention import DAY_S, Due
from freehold.pipeline.locks import in_turn
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.store import Before, OldCall

DATASETS, PEOPLE, ROUTES = "datasets", "feedback", "moved tasks"


@dataclass(frozen=True, slots=True)
class Needed:
    """What must stay: calls by id, whole tasks, and in moved tasks whatever came since a time (Unix seconds)."""

    calls: frozenset[str]
    tasks: frozenset[str]
    since: dict[str, float]

    def reason(self, call: OldCall) -> str | None:
        """Why a call stays; None where nothing needs it."""
        if call.id in self.calls or call.parent_id in self.calls or call.task_id in self.tasks:
            return DATASETS
        if call.is_spoken_of:
            return PEOPLE
        since = self.since.get(call.task_id or "")
        return ROUTES if since is not None and call.created_at >= since else None


@dataclass(slots=True)
class OldPlan:
    """What would be deleted, by task, and how many old calls stay, by what needs them."""

    due: list[Due] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """How many calls would be deleted."""
        return sum(due.calls for due in self.due)


def rows_rule(
    workspace: Workspace, now: float, *, older_than_s: float | None = None, task: str | None = None
) -> Before:
    """Which calls are old: older than `older_than_s`, else than `record.keep_rows_days`; `task` looks at one alone."""
    only = workspace.task(task).id if task is not None else None
    days = workspace.settings.number("record.keep_rows_days")
    limit_s = older_than_s if older_than_s is not None else days * DAY_S if days > 0 else None
    return Before(others=None if limit_s is None else now - limit_s, by_task={}, only=only)


def needed(workspace: Workspace) -> Needed:
    """What must stay now."""
    calls: set[str] = set()
    tasks: set[str] = set()
    for row in workspace.store.registry.datasets(None):
        found = calls_of_dataset(row)
        if found is None:
            tasks.add(row.task_id)
        else:
            calls |= found
    routes = workspace.store.registry.routes()
    since = {task_id: route.created_at for task_id, route in routes.items() if route.kind != "rented"}
    return Needed(frozenset(calls), frozenset(tasks), since)


def plan(workspace: Workspace, before: Before) -> OldPlan:
    """What `delete_old_calls` would delete, the task with the oldest call first."""
    names = {task.id: task.name for task in workspace.store.registry.tasks()}
    must_stay, found = needed(workspace), OldPlan()
    by_task: dict[str | None, list[float]] = {}
    for call in _all(workspace, before):
        reason = must_stay.reason(call)
        if reason is not None:
            found.kept[reason] += 1
            continue
        sums = by_task.setdefault(call.task_id, [0, 0, call.created_at])
        sums[0], sums[1] = sums[0] + 1, sums[1] + call.size_bytes
    found.due = [
        Due(task=names.get(task_id or ""), calls=int(count), size_bytes=int(size), oldest_at=oldest)
        for task_id, (count, size, oldest) in by_task.items()
    ]
    return found


def delete_old_calls(workspace: Workspace, before: Before, report: Reporter, *, total: int = 0) -> int:
    """Delete what is old and not needed, in small steps; may be interrupted and run again. Returns how many calls."""
    if before.others is None:
        return 0
    calls = 0
    with in_turn(workspace.folder("locks") / "prune.lock"):
        must_stay = needed(workspace)
        for page in workspace.store.old_calls.pages(before):
            chosen = [call.id for call in page if must_stay.reason(call) is None]
            for count in workspace.store.old_calls.delete(chosen):
                calls += count
                report(Progress(stage="prune", done=calls, total=max(calls, total), note="calls deleted"))
        if calls:
            workspace.store.retention.delete_parts(time.time())
    return calls


def _all(workspace: Workspace, before: Before) -> Iterator[OldCall]:
    for page in workspace.store.old_calls.pages(before) if before.others is not None else ():
        yield from page
