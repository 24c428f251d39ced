"""Counts of the requests that gateways refused, by UTC day, reason and key: a few bytes, however many were refused.

Not covered: counting them (`freehold.gateway.refusal_counts`).
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from freehold.store import schema
from freehold.store.database import Database

Refusals = Mapping[tuple[int, str, str], int]
"""How many requests were refused, by day (days since 1970), code and key id; an empty id where no key was known."""


class RefusedTable:
    """What was refused."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, counts: Refusals) -> None:
        """Add a gateway's counts to everybody's."""
        if not counts:
            return
        table = schema.refused
        statement = self._database.insert(table)
        grown = {"requests": table.c.requests + statement.excluded.requests}
        where = [table.c.day, table.c.code, table.c.key_id]
        rows = [
            {"day": day, "code": code, "key_id": key_id, "requests": count}
            for (day, code, key_id), count in sorted(counts.items())
        ]
        with self._database.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=where, set_=grown), rows)

    def of_day(self, day: int, *, key_id: str | None = None) -> dict[str, int]:
        """How many requests were refused on a day, by code, the most frequent first; those of one key, if named."""
        c = schema.refused.c
        count = func.sum(c.requests)
        query = select(c.code, count).where(c.day == day, *([c.key_id == key_id] if key_id is not None else []))
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(c.code).order_by(count.desc(), c.code)).all()
        return {code: int(requests) for code, requests in rows}
