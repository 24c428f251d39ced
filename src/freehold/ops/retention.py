"""Retention: the bodies of calls are deleted when they are older than `record.keep_days`, by task where it says so.

A call's row stays, with its figures and with what people said about it, until `ops.old_calls` deletes it; frozen
datasets have copies of their own and stay whole. A call that waits to be frozen is deleted like any other. What the
journal had to set aside goes when it is as old as calls without a rule of their own. Not covered: backups, which are
their owner's to delete.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freehold.pipeline.locks import in_turn
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.record.segments import DAMAGED_FOLDER, REFUSED_FOLDER
from freehold.store import Before

DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is old in one task: `task` is its name, None for calls of no task."""

    task: str | None
    calls: int
    size_bytes: int
    oldest_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted: the bodies of so many calls, shared parts that nothing needs now, files of the journal."""

    calls: int = 0
    parts: int = 0
    files: int = 0


def rule(workspace: Workspace, now: float, *, older_than_s: float | None = None, task: str | None = None) -> Before:
    """Which calls are old: by the settings, or all that are older than `older_than_s`; `task` looks at one alone."""
    only = workspace.task(task).id if task is not None else None
    if older_than_s is not None:
        return Before(others=now - older_than_s, by_task={}, only=only)
    by_task = {
        known.id: _before(workspace.settings.for_task(known.name).number("record.keep_days"), now)
        for known in workspace.store.registry.tasks()
        if "keep_days" in workspace.settings.tasks.get(known.name, {})
    }
    return Before(others=_before(workspace.settings.number("record.keep_days"), now), by_task=by_task, only=only)


def what_is_due(workspace: Workspace, before: Before) -> list[Due]:
    """What `prune` would delete, by task, the oldest first."""
    names = {task.id: task.name for task in workspace.store.registry.tasks()}
    return [
        Due(task=names.get(old.task_id or ""), calls=old.calls, size_bytes=old.size_bytes, oldest_at=old.oldest_at)
        for old in workspace.store.retention.old_bodies(before)
    ]


def prune(workspace: Workspace, before: Before, report: Reporter, *, total: int = 0) -> Pruned:
    """Delete what is old, in small steps; may be interrupted and run again at any time."""
    with in_turn(workspace.folder("locks") / "prune.lock"):
        calls = 0
        for count in workspace.store.retention.delete_bodies(before):
            calls += count
            report(Progress(stage="prune", done=calls, total=max(calls, total), note="bodies deleted"))
        parts = workspace.store.retention.delete_parts(time.time()) if calls else 0
        files = [path for path in set_aside(workspace.state, before) if _delete(path)]
    return Pruned(calls=calls, parts=parts, files=len(files))


def set_aside(state: Path, before: Before) -> Iterator[Path]:
    """The files with calls that the journal had to set aside, as far as they are old."""
    if before.others is None or before.only is not None:
        return
    for name in (DAMAGED_FOLDER, REFUSED_FOLDER):
        for path in sorted((state / "journal" / name).glob("*.bin")):
            if path.stat().st_mtime < before.others:
                yield path


def _before(keep_days: float, now: float) -> float | None:
    return now - keep_days * DAY_S if keep_days > 0 else None


def _delete(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True
