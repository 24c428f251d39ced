"""Calls and feedback: written in batches, read by filter.

Not covered: which task a call belongs to (`freehold.tasks` decides, `assign` writes it down).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Select, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from freehold.core.call import Call
from freehold.core.ids import uuid7
from freehold.store import schema
from freehold.store.bodies import fold, unfold
from freehold.store.database import translated

StaticParts = Callable[[Call], Sequence[bytes]]

_COLUMNS = tuple(f.name for f in fields(Call))
_ROWS_PER_READ = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls to read; None means any. Times are Unix seconds; direct calls are those a client made itself."""

    task_id: str | None = None
    arm: str | None = None
    status: int | None = None
    is_failed: bool | None = None
    model: str | None = None
    provider: str | None = None
    user_key: str | None = None
    session_key: str | None = None
    parent_id: str | None = None
    since: float | None = None
    until: float | None = None
    is_sorted_out: bool | None = None
    is_direct: bool | None = None
    limit: int | None = None
    newest_first: bool = False


class CallTable:
    """The record: every call, with its feedback."""

    def __init__(self, engine: Engine, static_parts: StaticParts) -> None:
        self._engine = engine
        self._static_parts = static_parts

    def add(self, calls: Sequence[Call]) -> None:
        """Write calls in one transaction; a call that is there already is left as it is."""
        rows: list[dict[str, Any]] = []
        slices: dict[str, bytes] = {}
        for call in calls:
            rest, cuts, found = fold(call.request_body, self._static_parts(call))
            slices.update(found)
            row = {name: getattr(call, name) for name in _COLUMNS}
            rows.append(row | {"request_body": rest, "request_parts": [list(cut) for cut in cuts]})
        with translated("record"), self._engine.begin() as connection:
            if slices:
                parts = [{"hash": digest, "body": body} for digest, body in slices.items()]
                connection.execute(self._insert_new(schema.parts), parts)
            connection.execute(self._insert_new(schema.calls), rows)

    def _insert_new(self, table: Any) -> Any:
        insert = insert_postgres if self._engine.dialect.name == "postgresql" else insert_sqlite
        return insert(table).on_conflict_do_nothing()

    def get(self, call_id: str) -> Call | None:
        """One call by its id, or by the beginning of it when that is unique."""
        rows = self._rows(select(schema.calls).where(schema.calls.c.id.startswith(call_id, autoescape=True)).limit(2))
        return self._read(rows)[0] if len(rows) == 1 else None

    def find(self, chosen: CallFilter) -> list[Call]:
        """The calls that pass the filter, oldest first unless asked otherwise."""
        return list(self.stream(chosen))

    def stream(self, chosen: CallFilter) -> Iterator[Call]:
        """The calls that pass the filter, read a thousand at a time."""
        column = schema.calls.c.id
        last: str | None = None
        left = chosen.limit
        while left is None or left > 0:
            page = _ROWS_PER_READ if left is None else min(left, _ROWS_PER_READ)
            query = select(schema.calls).where(_where(chosen))
            if last is not None:
                query = query.where(column < last if chosen.newest_first else column > last)
            query = query.order_by(column.desc() if chosen.newest_first else column).limit(page)
            rows = self._rows(query)
            yield from self._read(rows)
            if len(rows) < page:
                return
            last = rows[-1].id
            left = None if left is None else left - len(rows)

    def count(self, chosen: CallFilter) -> int:
        """How many calls pass the filter."""
        with translated("record"), self._engine.connect() as connection:
            query = select(func.count()).select_from(schema.calls).where(_where(chosen))
            return int(connection.execute(query).scalar_one())

    def assign(self, task_of: Mapping[str, str]) -> None:
        """Write down which task each call belongs to."""
        by_task: dict[str, list[str]] = {}
        for call_id, task_id in task_of.items():
            by_task.setdefault(task_id, []).append(call_id)
        with translated("record"), self._engine.begin() as connection:
            for task_id, ids in by_task.items():
                for start in range(0, len(ids), 500):
                    chunk = schema.calls.c.id.in_(ids[start : start + 500])
                    connection.execute(update(schema.calls).where(chunk).values(task_id=task_id))

    def reassign(self, old_task_id: str, new_task_id: str) -> None:
        """Give all calls of one task to another."""
        with translated("record"), self._engine.begin() as connection:
            own = schema.calls.c.task_id == old_task_id
            connection.execute(update(schema.calls).where(own).values(task_id=new_task_id))

    def add_feedback(self, call_id: str, kind: str, value: str, now: float) -> str:
        """Attach a boolean, number, comment or correction to a call; returns its id."""
        feedback_id = uuid7()
        row = {"id": feedback_id, "call_id": call_id, "created_at": now, "kind": kind, "value": value}
        with translated("record"), self._engine.begin() as connection:
            connection.execute(schema.feedback.insert(), [row])
        return feedback_id

    def corrections(self, task_id: str) -> dict[str, str]:
        """The newest correction of each call of a task, by call id."""
        table, calls = schema.feedback, schema.calls
        query = (
            select(table.c.call_id, table.c.value)
            .join(calls, calls.c.id == table.c.call_id)
            .where(calls.c.task_id == task_id, table.c.kind == "correction")
            .order_by(table.c.created_at, table.c.id)
        )
        with translated("record"), self._engine.connect() as connection:
            return {row.call_id: row.value for row in connection.execute(query)}

    def feedback_of(self, call_id: str) -> list[dict[str, Any]]:
        """All feedback on one call, oldest first."""
        query = select(schema.feedback).where(schema.feedback.c.call_id == call_id)
        with translated("record"), self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query.order_by(schema.feedback.c.id))]

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with translated("record"), self._engine.connect() as connection:
            return list(connection.execute(query))

    def _read(self, rows: Sequence[Row[Any]]) -> list[Call]:
        wanted = {str(cut[1]) for row in rows for cut in row.request_parts}
        slices: dict[str, bytes] = {}
        if wanted:
            query = select(schema.parts).where(schema.parts.c.hash.in_(wanted))
            slices = {row.hash: row.body for row in self._rows(query)}
        return [_call(row, slices) for row in rows]


def _call(row: Row[Any], slices: Mapping[str, bytes]) -> Call:
    values = {name: row._mapping[name] for name in _COLUMNS}
    call = Call(**values)
    return replace(call, request_body=unfold(row.request_body, row.request_parts, slices))


def _where(chosen: CallFilter) -> ColumnElement[bool]:
    c = schema.calls.c
    tests: list[ColumnElement[bool]] = [c.id.is_not(None)]
    exact = {
        c.task_id: chosen.task_id,
        c.arm: chosen.arm,
        c.status: chosen.status,
        c.provider: chosen.provider,
        c.user_key: chosen.user_key,
        c.session_key: chosen.session_key,
        c.parent_id: chosen.parent_id,
    }
    tests += [column == value for column, value in exact.items() if value is not None]
    if chosen.model is not None:
        tests.append((c.model_asked == chosen.model) | (c.model_answered == chosen.model))
    if chosen.since is not None:
        tests.append(c.created_at >= chosen.since)
    if chosen.until is not None:
        tests.append(c.created_at < chosen.until)
    if chosen.is_failed is not None:
        failed = (c.status >= 400) | (c.error.is_not(None))
        tests.append(failed if chosen.is_failed else ~failed)
    if chosen.is_sorted_out is not None:
        tests.append(c.task_id.is_not(None) if chosen.is_sorted_out else c.task_id.is_(None))
    if chosen.is_direct is not None:
        tests.append(c.parent_id.is_(None) if chosen.is_direct else c.parent_id.is_not(None))
    return and_(*tests)
