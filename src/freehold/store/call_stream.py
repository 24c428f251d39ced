"""Reading a task's calls as they come: in request order, with what was asked beside them.

A page has no bodies, so that following a busy task costs little; the bodies of the calls that are to be compared are
read after it. Also, how long the provider took. Not covered: what is made of them (`watch.run.monitor`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, and_, func, literal, or_, select

from freehold.model.call import Call
from freehold.store import schema
from freehold.store.calls import CallTable, Feedback
from freehold.store.database import Database
from freehold.store.rows import call_of
from freehold.store.statements import in_parts

LARGEST_COMPARED_BYTES = 2**20
_IDS_PER_STATEMENT = 200
_LEFT_OUT = ("request_body", "request_parts", "response_body")
_COLUMNS = [column for column in schema.calls.c if column.name not in _LEFT_OUT]
_DIRECT = ("rented", "owned")

Place = tuple[float, str]
"""Where a reader is: the time and the id of the last call that it has read."""


class CallStream:
    """The calls of one task after another, from wherever a reader was."""

    def __init__(self, database: Database, calls: CallTable) -> None:
        self._database = database
        self._calls = calls

    def page(self, task_id: str, route_version: int, after: Place, until: float, limit: int) -> list[Call]:
        """The next calls that a version of a task's route placed, by time and then id; their bodies are left empty."""
        return self.page_of([task_id], route_version, after, until, limit)

    def page_of(
        self, task_ids: Collection[str], route_version: int, after: Place, until: float, limit: int
    ) -> list[Call]:
        """As `page`, of several tasks at once; version 0 are the calls that no route placed."""
        c = schema.calls.c
        ids = list(task_ids)
        is_of_one = c.task_id == ids[0] if len(ids) == 1 else c.task_id.in_(ids)  # equality is read in an index's order
        is_after = or_(c.created_at > after[0], and_(c.created_at == after[0], c.id > after[1]))
        query = (
            select(*_COLUMNS)
            .where(is_of_one, c.created_at >= after[0], c.created_at <= until, is_after)
            .where(c.parent_id.is_(None), c.arm.in_(_DIRECT), c.route_version == route_version)
            .order_by(c.created_at, c.id)
            .limit(limit)
        )
        return [call_of(dict(row._mapping)) for row in self._rows(query)]

    def provider_ms(self, task_id: str, *, most: int) -> tuple[float, ...]:
        """How long the provider took for the last calls of a task that it answered, the oldest first.

        The gateway's own share, such as a wait for an owned model, is taken out.
        """
        c = schema.calls.c
        own = c.latency_ms - func.coalesce(c.gateway_ms, 0.0)
        tests = (c.task_id == task_id, c.arm.in_(("rented", "audit")), c.status < 400, c.error.is_(None), own > 0)
        query = select(own).where(*tests).order_by(c.created_at.desc()).limit(most)
        return tuple(float(row[0]) for row in reversed(self._rows(query)))

    def count(self, task_id: str, begin: float, end: float, *, most: int) -> int:
        """How many calls of clients came at `begin` or later and before `end`; no more than `most` are counted."""
        c = schema.calls.c
        is_in_time = and_(c.created_at >= begin, c.created_at < end)
        some = (
            select(c.id).where(c.task_id == task_id, is_in_time, c.parent_id.is_(None), c.arm.in_(_DIRECT)).limit(most)
        )
        return int(self._rows(select(func.count()).select_from(some.subquery()))[0][0])

    def newest_of(self, task_id: str, since: float, limit: int, *, arm: str | None = None) -> list[Call]:
        """The newest calls of clients since a time, newest first, or those of an arm; their bodies are left empty."""
        c = schema.calls.c
        is_chosen = c.arm == arm if arm else and_(c.parent_id.is_(None), c.arm.in_(_DIRECT))
        query = select(*_COLUMNS).where(c.task_id == task_id, c.created_at >= since, is_chosen)
        rows = self._rows(query.order_by(c.created_at.desc(), c.id.desc()).limit(limit))
        return [call_of(dict(row._mapping)) for row in rows]

    def whole(self, ids: Collection[str]) -> dict[str, Call]:
        """These calls with their bodies, by id; without those that are too large to compare."""
        c = schema.calls.c
        return {call.id: call for call in self._read(c.id, ids)}

    def beside(self, ids: Collection[str]) -> dict[str, dict[str, Call]]:
        """The audits and shadows of these calls with their bodies, by call id and then by arm."""
        found: dict[str, dict[str, Call]] = {}
        for call in self._read(schema.calls.c.parent_id, ids):
            found.setdefault(call.parent_id or "", {})[call.arm] = call
        return found

    def feedback(self, ids: Collection[str], kind: str) -> list[Feedback]:
        """All feedback of this kind on these calls, oldest first for each."""
        table = schema.feedback
        found: list[Feedback] = []
        for some in in_parts(ids, _IDS_PER_STATEMENT):
            query = select(table).where(table.c.kind == kind, table.c.call_id.in_(some))
            rows = self._rows(query.order_by(table.c.created_at, table.c.id))
            found += [Feedback(**row._mapping) for row in rows]
        return found

    def rented_models(self, ids: Collection[str]) -> set[tuple[str | None, str | None]]:
        """Which models and fingerprints answered these calls."""
        c = schema.calls.c
        found: set[tuple[str | None, str | None]] = set()
        for some in in_parts(ids, _IDS_PER_STATEMENT):
            query = select(c.model_answered, c.system_fingerprint).where(c.id.in_(some), c.arm == "rented").distinct()
            found |= {(row.model_answered, row.system_fingerprint) for row in self._rows(query)}
        return found

    def costs(self, ids: Collection[str]) -> dict[str, float]:
        """What these calls cost, by id; without those whose price is not known."""
        c = schema.calls.c
        found: dict[str, float] = {}
        for some in in_parts(ids, _IDS_PER_STATEMENT):
            rows = self._rows(select(c.id, c.cost_usd).where(c.id.in_(some), c.cost_usd.is_not(None)))
            found |= {str(row.id): float(row.cost_usd) for row in rows}
        return found

    def _read(self, column: Any, ids: Collection[str]) -> list[Call]:
        c = schema.calls.c
        is_small = func.length(c.request_body) + func.length(c.response_body) <= literal(LARGEST_COMPARED_BYTES)
        found: list[Call] = []
        for some in in_parts(ids, _IDS_PER_STATEMENT):
            rows = self._rows(select(schema.calls).where(column.in_(some), is_small).order_by(c.created_at, c.id))
            found += self._calls.read(rows)
        return found

    def _rows(self, query: Any) -> list[Row[Any]]:
        with self._database.reading() as connection:
            return list(connection.execute(query))
