"""Calls that are written with a task, while other processes may change that task.

Whoever writes calls with a task holds the tasks still (`hold_tasks`), compares them with what was known of them, and
leaves the calls of a changed one without a task, for the sorter. Whoever changes tasks (`change_tasks`) waits for those
writers, so that the calls are there to be moved along. Both are the first statement of their transaction.

Not covered: which task a call belongs to (`sort.run.known_tasks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, text, update

from freehold.store import schema

_TASKS_LOCK = 8702
_IDS_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Placement:
    """Calls that were given a task as it was when it was changed last, at `changed_at` (Unix seconds)."""

    task_id: str
    changed_at: float
    call_ids: Sequence[str]


def hold_tasks(connection: Connection) -> None:
    """Let nobody change a task until this transaction ends; several may hold them at once."""
    _lock(connection, "SELECT pg_advisory_xact_lock_shared(:key)")


def change_tasks(connection: Connection) -> None:
    """Wait for all who hold the tasks, and keep them out until this transaction ends."""
    _lock(connection, "SELECT pg_advisory_xact_lock(:key)")


def take_back_changed(connection: Connection, placements: Sequence[Placement]) -> None:
    """Leave calls that were just written without a task where that was changed, or is gone."""
    tasks, calls = schema.tasks.c, schema.calls
    wanted = [placement.task_id for placement in placements]
    now: dict[str, float] = {}
    for start in range(0, len(wanted), _IDS_PER_STATEMENT):
        some = tasks.id.in_(wanted[start : start + _IDS_PER_STATEMENT])
        now |= {row.id: row.changed_at for row in connection.execute(select(tasks.id, tasks.changed_at).where(some))}
    for placement in placements:
        if now.get(placement.task_id) != placement.changed_at:
            for start in range(0, len(placement.call_ids), _IDS_PER_STATEMENT):
                some = calls.c.id.in_(placement.call_ids[start : start + _IDS_PER_STATEMENT])
                mine = calls.c.task_id == placement.task_id
                connection.execute(update(calls).where(some, mine).values(task_id=None))


def _lock(connection: Connection, of_postgres: str) -> None:
    """SQLite has one writer at a time; that is enough for both."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text(of_postgres), {"key": _TASKS_LOCK})
