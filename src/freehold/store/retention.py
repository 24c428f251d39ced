"""Retention of the record: old bodies are deleted, parts that no call needs go with them, and space is given back.

All of it in small transactions, so that whoever writes calls waits for moments only. The rows of calls stay here, with
their figures (`store.old_calls` deletes them); what people said about calls (feedback, corrections) and frozen datasets
stay too.

A part is deleted when no call refers to it and none has for `_UNSEEN_S`. `CallTable.add` says at least every
`SEEN_EVERY_S` that a part is in use, in the transaction that writes the call, so that a call that is written while the
others are looked through keeps its part. Not covered: which calls are old (`ops.retention`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, delete, func, literal_column, or_, select, true, update
from sqlalchemy import text as sql

from freehold.store import schema
from freehold.store.database import Database

SEEN_EVERY_S = 3600.0
_UNSEEN_S = 2 * SEEN_EVERY_S
_CALLS_PER_WRITE = 200
_PARTS_PER_WRITE = 50
_ROWS_PER_READ = 2000
_HAS_BODIES: ColumnElement[bool] = literal_column("redaction <> 'deleted'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Which calls are old: those made before `others`, or, in a task that has a time of its own, before that.

    Times are Unix seconds; None means that nothing is old. `only` looks at one task alone.
    """

    others: float | None = None
    by_task: Mapping[str, float | None]
    only: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBodies:
    """Bodies of one task that are old; `size_bytes` is without the parts that calls share."""

    task_id: str | None
    calls: int
    size_bytes: int
    oldest_at: float


class Retention:
    """What the record is kept in order with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old_bodies(self, before: Before) -> list[OldBodies]:
        """The bodies that `delete_bodies` would delete, by task."""
        c = schema.calls.c
        size = func.sum(func.length(c.request_body) + func.length(c.response_body))
        query = select(c.task_id, func.count(), size, func.min(c.created_at)).where(_has_old_body(before))
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(c.task_id).order_by(func.min(c.created_at))).all()
        return [
            OldBodies(task_id=task_id, calls=int(calls), size_bytes=int(size_bytes), oldest_at=float(oldest_at))
            for task_id, calls, size_bytes, oldest_at in rows
        ]

    def delete_bodies(self, before: Before) -> Iterator[int]:
        """Delete old bodies, and tell after each small transaction how many calls have lost theirs in it."""
        c = schema.calls.c
        oldest = select(c.id).where(_has_old_body(before)).order_by(c.created_at).limit(_CALLS_PER_WRITE)
        gone: dict[str, Any] = {"request_body": b"", "request_parts": [], "response_body": b"", "redaction": "deleted"}
        while True:
            with self._database.reading() as connection:
                ids = list(connection.execute(oldest).scalars())
            if not ids:
                return
            with self._database.writing() as connection:
                if connection.dialect.name == "sqlite":
                    connection.execute(sql("PRAGMA secure_delete = ON")).close()
                connection.execute(update(schema.calls).where(c.id.in_(ids), _HAS_BODIES).values(gone))
            yield len(ids)

    def delete_parts(self, now: float) -> int:
        """Delete the shared parts that no call needs any more; returns how many those were."""
        parts = schema.parts.c
        is_unseen = parts.seen_at < now - _UNSEEN_S
        with self._database.reading() as connection:
            unseen = set(connection.execute(select(parts.hash).where(is_unseen)).scalars())
        unused = sorted(self._not_referred_to(unseen))
        for start in range(0, len(unused), _PARTS_PER_WRITE):
            chosen = parts.hash.in_(unused[start : start + _PARTS_PER_WRITE])
            with self._database.writing() as connection:
                connection.execute(delete(schema.parts).where(chosen, is_unseen))
        return len(unused)

    def shrink(self) -> bool:
        """Give free space of the database's file back to the disk; False where the database does so by itself."""
        with self._database.reading() as connection:
            if connection.dialect.name != "sqlite":
                return False
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return True

    def relocate(self, old: str, new: str) -> int:
        """Let everything that names a path below `old` name it below `new`; returns how many rows did."""
        changed = 0
        with self._database.writing() as connection:
            for table in (schema.datasets, schema.models, schema.verdicts, schema.routes):
                key = table.primary_key.columns[0]
                for row in connection.execute(select(table)).mappings().all():
                    moved = {name: _moved(value, old, new) for name, value in row.items()}
                    if moved != dict(row):
                        connection.execute(update(table).where(key == row[key.name]).values(moved))
                        changed += 1
        return changed

    def _not_referred_to(self, hashes: set[str]) -> set[str]:
        """Those of these parts that no call refers to; looks through the calls until none is left."""
        c = schema.calls.c
        left, last = set(hashes), ""
        while left:
            page = select(c.id, c.request_parts).where(c.id > last, _HAS_BODIES, cast(c.request_parts, Text) != "[]")
            with self._database.reading() as connection:
                rows = connection.execute(page.order_by(c.id).limit(_ROWS_PER_READ)).all()
            if not rows:
                break
            last = rows[-1].id
            left -= {str(cut[1]) for row in rows for cut in row.request_parts}
        return left


def _has_old_body(before: Before) -> ColumnElement[bool]:
    return and_(_HAS_BODIES, is_old(before))


def is_old(before: Before) -> ColumnElement[bool]:
    """Whether a call is old, with bodies or without."""
    c = schema.calls.c
    tests: list[ColumnElement[bool]] = [
        and_(c.task_id == task_id, c.created_at < until)
        for task_id, until in before.by_task.items()
        if until is not None
    ]
    if before.others is not None:
        is_other = or_(c.task_id.is_(None), c.task_id.not_in(list(before.by_task))) if before.by_task else true()
        tests.append(and_(is_other, c.created_at < before.others))
    chosen = or_(*tests) if tests else literal_column("1 = 0")
    return and_(chosen, c.task_id == before.only if before.only is not None else true())


def _moved(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return new + value[len(old) :] if value == old or value.startswith(old + "/") else value
    if isinstance(value, dict):
        return {name: _moved(inner, old, new) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, old, new) for inner in value]
    return value
