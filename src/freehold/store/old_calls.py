"""Deleting calls whole: their rows, with bodies and figures.

In small transactions, oldest first, so that whoever writes calls waits for moments only. Not covered: which calls are
old, and which of them something else still needs (`ops.old_calls`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, exists, func, or_, select
from sqlalchemy import text as sql

from freehold.store import schema
from freehold.store.database import Database
from freehold.store.retention import Before, is_old

_ROWS_PER_READ = 2000
_ROWS_PER_WRITE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCall:
    """An old call without its bodies; `is_spoken_of`: people said something about it, or about its parent."""

    id: str
    parent_id: str | None
    task_id: str | None
    created_at: float
    size_bytes: int
    is_spoken_of: bool


class OldCalls:
    """The calls of the record, as whoever deletes them sees them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self, before: Before) -> Iterator[list[OldCall]]:
        """All old calls, oldest first, some thousands at a time."""
        c, said = schema.calls.c, schema.feedback.c
        size = func.length(c.request_body) + func.length(c.response_body)
        is_spoken_of = exists().where(or_(said.call_id == c.id, said.call_id == c.parent_id))
        last = (float("-inf"), "")
        columns = (c.id, c.parent_id, c.task_id, c.created_at, size.label("size_bytes"), is_spoken_of.label("spoken"))
        while True:
            is_after = or_(c.created_at > last[0], and_(c.created_at == last[0], c.id > last[1]))
            query = select(*columns).where(is_old(before))
            query = query.where(is_after) if last[1] else query
            with self._database.reading() as connection:
                rows = connection.execute(query.order_by(c.created_at, c.id).limit(_ROWS_PER_READ)).all()
            if not rows:
                return
            last = (rows[-1].created_at, rows[-1].id)
            yield [
                OldCall(
                    id=row.id,
                    parent_id=row.parent_id,
                    task_id=row.task_id,
                    created_at=row.created_at,
                    size_bytes=int(row.size_bytes or 0),
                    is_spoken_of=bool(row.spoken),
                )
                for row in rows
            ]

    def delete(self, ids: Sequence[str]) -> Iterator[int]:
        """Delete calls, and tell after each small transaction how many have gone in it."""
        for start in range(0, len(ids), _ROWS_PER_WRITE):
            with self._database.writing() as connection:
                if connection.dialect.name == "sqlite":
                    connection.execute(sql("PRAGMA secure_delete = ON")).close()
                chosen = schema.calls.c.id.in_(ids[start : start + _ROWS_PER_WRITE])
                yield connection.execute(delete(schema.calls).where(chosen)).rowcount
