"""Calls that are written with a task, while other processes may change that task.

Whoever writes calls with a task holds the tasks still (`hold_tasks`), compares them with what was known of them, and
leaves the calls of a changed one without a task, for the sorter. Whoever changes tasks (`change_tasks`) waits for those
writers, so that the calls are there to be moved along. Both are the first statement of their transaction.

Not covered: which task a call belongs to (`sort.run.known_tasks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from freehold.store import schema
from freehold.store.statements import TASKS_LOCK, in_parts, lock


@dataclass(frozen=True, slots=True)
class Placement:
    """Calls that were given a task as it was when it was changed last, at `changed_at` (Unix seconds)."""

    task_id: str
    changed_at: float
    call_ids: Sequence[str]


def hold_tasks(connection: Connection) -> None:
    """Let nobody change a task until this transaction ends; several may hold them at once."""
    lock(connection, TASKS_LOCK, is_shared=True)


def change_tasks(connection: Connection) -> None:
    """Wait for all who hold the tasks, and keep them out until this transaction ends."""
    lock(connection, TASKS_LOCK)


def take_back_changed(connection: Connection, placements: Sequence[Placement]) -> None:
    """Leave calls that were just written without a task where that was changed, or is gone."""
    tasks, calls = schema.tasks.c, schema.calls
    wanted = [placement.task_id for placement in placements]
    now: dict[str, float] = {}
    for some in in_parts(wanted):
        rows = connection.execute(select(tasks.id, tasks.changed_at).where(tasks.id.in_(some)))
        now |= {row.id: row.changed_at for row in rows}
    for placement in placements:
        if now.get(placement.task_id) != placement.changed_at:
            mine = calls.c.task_id == placement.task_id
            for some in in_parts(placement.call_ids):
                connection.execute(update(calls).where(calls.c.id.in_(some), mine).values(task_id=None))
