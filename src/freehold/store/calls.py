"""Calls and feedback: written in batches, read by filter.

Not covered: which task a call belongs to (`freehold.sort` decides, `assign` writes it down).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, text, update

from freehold.errors import StateError
from freehold.model.call import Call
from freehold.model.ids import uuid7
from freehold.store import schema
from freehold.store.bodies import fold, unfold
from freehold.store.database import Database
from freehold.store.keys import count_calls
from freehold.store.placement import Placement, hold_tasks, take_back_changed
from freehold.store.retention import SEEN_EVERY_S
from freehold.store.rows import RowValues, by_column, call_of, row_of, storable
from freehold.store.statements import IDS_PER_STATEMENT, in_parts

StaticParts = Callable[[Call], Sequence[bytes]]

LEAST_ID_CHARS = 4
_GOOD = ("true", "1", "yes", "good")
_ROWS_PER_READ = 1000
_BYTES_PER_READ = 32 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls to read; None means any. Times are Unix seconds; direct calls are those a client made itself.

    `before` is a call's id: only older ones.
    """

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
    before: str | None = None
    is_sorted_out: bool | None = None
    is_direct: bool | None = None
    limit: int | None = None
    newest_first: bool = False


def _says_good(value: str) -> bool:
    return value.strip().lower() in _GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody said about a call; `kind` is boolean, number, comment or correction."""

    id: str
    call_id: str
    created_at: float
    kind: str
    value: str

    @property
    def is_good(self) -> bool:
        """What a boolean rating says."""
        return _says_good(self.value)


class CallTable:
    """The record: every call, with its feedback."""

    def __init__(self, database: Database, static_parts: StaticParts) -> None:
        self._database = database
        self._static_parts = static_parts

    def add(self, calls: Sequence[Call], placements: Sequence[Placement] = ()) -> None:
        """Write calls in one transaction; a call that is there already is left as it is, and counts no second time.

        Calls of `placements` are left without a task where that has changed since (`store.placement`).
        """
        if not calls:
            return
        rows: list[RowValues] = []
        slices: dict[str, bytes] = {}
        for call in calls:
            rest, cuts, found = fold(call.request_body, self._static_parts(call))
            slices.update(found)
            rows.append(row_of(call, rest, cuts))
        with self._database.writing() as connection:
            hold_tasks(connection)
            if slices:
                self._insert_parts(connection, slices)
            self._insert(connection, calls, rows)
            take_back_changed(connection, placements)

    def _insert_parts(self, connection: Connection, slices: Mapping[str, bytes]) -> None:
        """Keep the parts that calls share, and say from time to time that they are in use (see `store.retention`)."""
        now = time.time()
        statement = self._database.insert(schema.parts)
        seen = statement.on_conflict_do_update(
            index_elements=["hash"], set_={"seen_at": now}, where=schema.parts.c.seen_at < now - SEEN_EVERY_S
        )
        connection.execute(seen, [{"hash": digest, "body": body, "seen_at": now} for digest, body in slices.items()])

    def _insert(self, connection: Connection, calls: Sequence[Call], rows: Sequence[RowValues]) -> None:
        """Insert rows; of those with a gateway key only the new ones count."""
        both = zip(reversed(calls), reversed(rows), strict=True)
        keyed = {call.id: by_column(row) | {"tags": call.tags} for call, row in both if call.key_id}
        before = self._there(connection, keyed)
        self._database.insert_new(connection, schema.calls, rows)
        fresh = self._written(connection, keyed.keys() - before)
        if fresh:
            count_calls(self._database, connection, [keyed[call_id] for call_id in fresh])

    def _there(self, connection: Connection, ids: Iterable[str]) -> set[str]:
        """Which of these calls are in the record."""
        c = schema.calls.c
        found = (connection.execute(select(c.id).where(c.id.in_(some))).scalars() for some in in_parts(ids))
        return {str(call_id) for part in found for call_id in part}

    def _written(self, connection: Connection, ids: Iterable[str]) -> list[str]:
        """Which of these calls this transaction wrote; in PostgreSQL another one may have been quicker."""
        if connection.dialect.name == "sqlite":
            return list(ids)
        c = schema.calls.c
        mine = text("calls.xmin = pg_current_xact_id()::xid")
        found = (connection.execute(select(c.id).where(c.id.in_(some), mine)).scalars() for some in in_parts(ids))
        return [str(call_id) for part in found for call_id in part]

    def get(self, call_id: str) -> Call | None:
        """One call by its id, or by its beginning or end where only one call has it."""
        column = schema.calls.c.id
        rows = self._rows(select(schema.calls).where(column == call_id))
        if not rows and len(call_id) >= LEAST_ID_CHARS:
            is_like = or_(column.startswith(call_id, autoescape=True), column.endswith(call_id, autoescape=True))
            rows = self._rows(select(schema.calls).where(is_like).limit(2))
        return self.read(rows)[0] if len(rows) == 1 else None

    def find(self, chosen: CallFilter) -> list[Call]:
        """The calls that pass the filter, oldest first unless asked otherwise."""
        return list(self.stream(chosen))

    def stream(self, chosen: CallFilter) -> Iterator[Call]:
        """The calls that pass the filter, read a thousand at a time, fewer where their bodies are large."""
        c = schema.calls.c
        size = func.length(c.request_body) + func.length(c.response_body)
        last: str | None = None
        left = chosen.limit
        while left is None or left > 0:
            page = _ROWS_PER_READ if left is None else min(left, _ROWS_PER_READ)
            query = select(c.id, size.label("size_bytes")).where(_where(chosen))
            if last is not None:
                query = query.where(c.id < last if chosen.newest_first else c.id > last)
            found = self._rows(query.order_by(c.id.desc() if chosen.newest_first else c.id).limit(page))
            for ids in _groups([(row.id, row.size_bytes) for row in found]):
                rows = self._rows(select(schema.calls).where(c.id.in_(ids)))
                yield from self.read(sorted(rows, key=_id_of, reverse=chosen.newest_first))
            if len(found) < page:
                return
            last = found[-1].id
            left = None if left is None else left - len(found)

    def count(self, chosen: CallFilter) -> int:
        """How many calls pass the filter; its limit does not count."""
        with self._database.reading() as connection:
            query = select(func.count()).select_from(schema.calls).where(_where(chosen))
            return int(connection.execute(query).scalar_one())

    def estimated_by_key(self, since: float) -> dict[str, int]:
        """How many calls of each gateway key since then have estimated tokens."""
        c = schema.calls.c
        query = select(c.key_id, func.count()).where(c.created_at >= since, c.is_estimated, c.key_id.is_not(None))
        with self._database.reading() as connection:
            return {key: int(count) for key, count in connection.execute(query.group_by(c.key_id))}

    def assign(self, task_of: Mapping[str, str | None]) -> None:
        """Write down which task each call belongs to; None lets it be sorted once more."""
        by_task: dict[str | None, list[str]] = {}
        for call_id, task_id in task_of.items():
            by_task.setdefault(task_id, []).append(call_id)
        if not by_task:
            return
        with self._database.writing() as connection:
            for task_id, ids in by_task.items():
                for some in in_parts(ids):
                    mine = schema.calls.c.id.in_(some)
                    connection.execute(update(schema.calls).where(mine).values(task_id=task_id))

    def add_feedback(self, call_id: str, kind: str, value: str, now: float) -> str:
        """Attach a boolean, number, comment or correction to a call; returns its id."""
        feedback_id = uuid7()
        row = {"id": feedback_id, "call_id": call_id, "created_at": now, "kind": kind, "value": storable(value)}
        with self._database.writing() as connection:
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
        return {row.call_id: row.value for row in self._rows(query)}

    def ratings(self, task_id: str) -> dict[str, bool]:
        """Whether the answer of each rated call of a task was good, by call id; the newest rating counts."""
        table, calls = schema.feedback, schema.calls
        query = (
            select(table.c.call_id, table.c.value)
            .join(calls, calls.c.id == table.c.call_id)
            .where(calls.c.task_id == task_id, table.c.kind == "boolean")
            .order_by(table.c.created_at, table.c.id)
        )
        return {row.call_id: _says_good(row.value) for row in self._rows(query)}

    def feedback_of(self, call_id: str) -> list[Feedback]:
        """All feedback on one call, oldest first."""
        table = schema.feedback
        query = select(table).where(table.c.call_id == call_id).order_by(table.c.created_at, table.c.id)
        return [Feedback(**row._mapping) for row in self._rows(query)]

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self._database.reading() as connection:
            return list(connection.execute(query))

    def read(self, rows: Sequence[Row[Any]]) -> list[Call]:
        """Rows of the table as calls, with the parts that they share with others put back."""
        wanted = {str(cut[1]) for row in rows for cut in row.request_parts}
        slices: dict[str, bytes] = {}
        if wanted:
            query = select(schema.parts).where(schema.parts.c.hash.in_(wanted))
            slices = {row.hash: row.body for row in self._rows(query)}
        return [_call(row, slices) for row in rows]


def _groups(sized: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Ids in order, cut where the bodies of a group would be more than is read at once."""
    group: list[str] = []
    size_bytes = 0
    for call_id, size in sized:
        if group and (size_bytes + size > _BYTES_PER_READ or len(group) >= IDS_PER_STATEMENT):
            yield group
            group, size_bytes = [], 0
        group.append(call_id)
        size_bytes += size
    if group:
        yield group


def _id_of(row: Row[Any]) -> str:
    return str(row.id)


def _call(row: Row[Any], slices: Mapping[str, bytes]) -> Call:
    values = dict(zip(row._fields, row, strict=True))
    cuts = values.pop("request_parts")
    try:
        if cuts:
            values["request_body"] = unfold(values["request_body"], cuts, slices)
    except KeyError as error:
        raise StateError(
            f"Call {row.id!r} cannot be read: the shared part {error} is missing.", hint="Restore a backup."
        ) from error
    return call_of(values)


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
    if chosen.before is not None:
        tests.append(c.id < chosen.before)
    if chosen.is_failed is not None:
        failed = (c.status >= 400) | (c.error.is_not(None))
        tests.append(failed if chosen.is_failed else ~failed)
    if chosen.is_sorted_out is not None:
        tests.append(c.task_id.is_not(None) if chosen.is_sorted_out else c.task_id.is_(None))
    if chosen.is_direct is not None:
        tests.append(c.parent_id.is_(None) if chosen.is_direct else c.parent_id.is_not(None))
    return and_(*tests)
