"""Attempts: which proofs a task has had, numbered from 1, and the calls that each used up.

A number is taken once, by whoever writes it first, and never given back. Not covered: what an attempt may spend
(`freehold.prove`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from freehold.errors import BusyError
from freehold.store import schema
from freehold.store.database import Database

_MOST_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt; `calls` are short digests of the calls it used up."""

    task_id: str
    number: int
    id: str
    created_at: float
    calls: tuple[str, ...]


class AttemptTable:
    """The attempts of all tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, task_id: str, attempt_id: str, calls: Sequence[str], now: float) -> AttemptRow:
        """The attempt of this id, with the next number where it is new; two that claim at once get different ones.

        When this returns, every attempt with a lower number can be read.
        """
        table = schema.attempts
        row = {"task_id": task_id, "id": attempt_id, "created_at": now, "document": {"calls": list(calls)}}
        for _ in range(_MOST_TRIES):
            known = self.find(task_id, attempt_id)
            if known is not None:
                return known
            statement = self._database.insert(table).values(**row, number=self.next_number(task_id))
            with self._database.writing() as connection:
                connection.execute(statement.on_conflict_do_nothing())
        raise BusyError(
            f"No number was free for a proof of task {task_id!r}: others keep taking them.",
            hint="Prove again in a moment.",
        )

    def find(self, task_id: str, attempt_id: str) -> AttemptRow | None:
        """The attempt of this id."""
        c = schema.attempts.c
        query = select(schema.attempts).where(c.task_id == task_id, c.id == attempt_id)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _attempt(row)

    def next_number(self, task_id: str) -> int:
        """The number that the task's next new attempt gets, unless another takes it first."""
        c = schema.attempts.c
        with self._database.reading() as connection:
            highest = connection.execute(select(func.max(c.number)).where(c.task_id == task_id)).scalar()
        return int(highest or 0) + 1

    def of_task(self, task_id: str, *, before: int | None = None) -> list[AttemptRow]:
        """A task's attempts, oldest first; those with a number below `before`, where it is given."""
        c = schema.attempts.c
        query = select(schema.attempts).where(c.task_id == task_id).order_by(c.number)
        if before is not None:
            query = query.where(c.number < before)
        with self._database.reading() as connection:
            return [_attempt(row) for row in connection.execute(query)]


def _attempt(row: Row[Any]) -> AttemptRow:
    calls = row.document.get("calls", []) if isinstance(row.document, dict) else []
    return AttemptRow(
        task_id=row.task_id,
        number=row.number,
        id=row.id,
        created_at=row.created_at,
        calls=tuple(str(call) for call in calls),
    )
