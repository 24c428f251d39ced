"""Reading a task's calls as they come: in request order, with what was asked beside them.

A page has no bodies, so that following a busy task costs little; the bodies of the calls that are to be compared are
read after it. Not covered: what is made of them (`loop.watching`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, and_, func, literal, or_, select

from freehold.core.call import Call
from freehold.store import schema
from freehold.store.calls import CallTable
from freehold.store.database import Database

LARGEST_COMPARED_BYTES = 2**20
_IDS_PER_STATEMENT = 200
_LEFT_OUT = ("request_body", "request_parts", "response_body")
_COLUMNS = [column for column in schema.calls.c if column.name not in _LEFT_OUT]
_DIRECT = ("rented", "owned")

Place = tuple[float, str]
"""Where a reader is: the time and the id of the last call that it has read."""


class Following:
    """The calls of one task after another, from wherever a reader was."""

    def __init__(self, database: Database, calls: CallTable) -> None:
        self._database = database
        self._calls = calls

    def page(self, task_id: str, after: Place, until: float, limit: int) -> list[Call]:
        """The next calls that clients made, up to a time, by time and then id; their bodies are left empty."""
        c = schema.calls.c
        is_after = or_(c.created_at > after[0], and_(c.created_at == after[0], c.id > after[1]))
        query = (
            select(*_COLUMNS)
            .where(c.task_id == task_id, c.created_at >= after[0], c.created_at <= until, is_after)
            .where(c.parent_id.is_(None), c.arm.in_(_DIRECT))
            .order_by(c.created_at, c.id)
            .limit(limit)
        )
        return [Call(**row._mapping) for row in self._rows(query)]

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

    def feedback(self, ids: Collection[str], kind: str) -> dict[str, str]:
        """The newest feedback of this kind on each of these calls, by call id."""
        table = schema.feedback.c
        found: dict[str, str] = {}
        for some in _chunks(ids):
            query = select(table.call_id, table.value).where(table.kind == kind, table.call_id.in_(some))
            found.update((row.call_id, row.value) for row in self._rows(query.order_by(table.created_at, table.id)))
        return found

    def rented_models(self, ids: Collection[str]) -> set[tuple[str | None, str | None]]:
        """Which models and fingerprints answered these calls."""
        c = schema.calls.c
        found: set[tuple[str | None, str | None]] = set()
        for some in _chunks(ids):
            query = select(c.model_answered, c.system_fingerprint).where(c.id.in_(some), c.arm == "rented").distinct()
            found |= {(row.model_answered, row.system_fingerprint) for row in self._rows(query)}
        return found

    def count_since(self, task_id: str, since: float, until: float, route_version: int) -> tuple[int, int]:
        """How many calls clients made in this time: those that this version placed, and those that no version did.

        The second were sorted into the task only later: they did not look like its calls when they came.
        """
        c = schema.calls.c
        query = (
            select(c.route_version, func.count())
            .where(c.task_id == task_id, c.created_at >= since, c.created_at <= until)
            .where(c.parent_id.is_(None), c.route_version.in_((0, route_version)))
            .group_by(c.route_version)
        )
        counts = {int(version): int(number) for version, number in self._rows(query)}
        return counts.get(route_version, 0), counts.get(0, 0)

    def _read(self, column: Any, ids: Collection[str]) -> list[Call]:
        c = schema.calls.c
        is_small = func.length(c.request_body) + func.length(c.response_body) <= literal(LARGEST_COMPARED_BYTES)
        found: list[Call] = []
        for some in _chunks(ids):
            rows = self._rows(select(schema.calls).where(column.in_(some), is_small).order_by(c.created_at, c.id))
            found += self._calls.read(rows)
        return found

    def _rows(self, query: Any) -> list[Row[Any]]:
        with self._database.reading() as connection:
            return list(connection.execute(query))


def _chunks(ids: Collection[str]) -> list[Sequence[str]]:
    ordered = list(ids)
    return [ordered[start : start + _IDS_PER_STATEMENT] for start in range(0, len(ordered), _IDS_PER_STATEMENT)]
