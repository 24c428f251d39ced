"""What watches a route: its state, one row a task, and the figures that running gateways follow.

A row is replaced by compare-and-set on its revision: of two processes that read the same calls, one writes, and the
other finds that it must read again. `changed_at` changes with the figures alone, so that gateways need not look at a
row for every call that was watched. Beside them each gateway has a row of its own, which says up to when its calls are
in the record.

Not covered: what the state means (`freehold.watch`), who writes it (`watch.run.monitor`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Insert, Update, delete, func, select, update

from freehold.model.live import Live
from freehold.store import schema
from freehold.store.database import Database
from freehold.store.receipts import WatchStep, append_watch, take_turn
from freehold.store.statements import in_parts

_GATEWAY = "gateway:"
"""Begins the names of the gateways' own rows; no task's id has a colon."""
_LOG = logging.getLogger("freehold.watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """The state that one task's route is watched with; `document["live"]` is what gateways follow."""

    task_id: str
    revision: int = 0
    changed_at: float = 0.0
    document: Mapping[str, Any] = field(default_factory=dict)


class WatchTable:
    """The state of all watches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, task_id: str) -> WatchRow:
        """A task's row; of revision 0, and empty, where there is none."""
        query = select(schema.watches).where(schema.watches.c.task_id == task_id)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return WatchRow(task_id=task_id) if row is None else WatchRow(**row._mapping)

    def rows_of(self, task_ids: Sequence[str]) -> dict[str, WatchRow]:
        """The rows of those of these tasks that have one, by task id."""
        table = schema.watches
        found: dict[str, WatchRow] = {}
        with self._database.reading() as connection:
            for some in in_parts(task_ids):
                rows = connection.execute(select(table).where(table.c.task_id.in_(some)))
                found |= {row.task_id: WatchRow(**row._mapping) for row in rows}
        return found

    def put(self, row: WatchRow, step: WatchStep | None = None) -> bool:
        """Write a row as the revision after its own; False when another process has written meanwhile.

        `step` is what in it is worth a receipt, which is written in the same transaction.
        """
        table = schema.watches
        values = {"revision": row.revision + 1, "changed_at": row.changed_at, "document": dict(row.document)}
        is_read = (table.c.task_id == row.task_id) & (table.c.revision == row.revision)
        change: Update | Insert = update(table).where(is_read).values(values)
        if not row.revision:
            change = self._database.insert(table).values(task_id=row.task_id, **values).on_conflict_do_nothing()
        with self._database.writing() as connection:
            if step is not None:
                take_turn(connection)
            is_written = connection.execute(change).rowcount == 1
            if is_written and step is not None:
                append_watch(connection, step)
        return is_written

    def lives(self) -> dict[str, Live]:
        """What gateways follow, by task; a row that cannot be read is as none, until its watch begins anew."""
        query = select(schema.watches.c.document["live"].label("live"))
        with self._database.reading() as connection:
            found = [_live(row.live) for row in connection.execute(query)]
        return {live.task_id: live for live in found if live is not None}

    def stamp(self) -> float:
        """A value that changes whenever `lives` does."""
        with self._database.reading() as connection:
            return float(connection.execute(select(func.sum(schema.watches.c.changed_at))).scalar() or 0.0)

    def tell_reach(self, gateway: str, until: Mapping[str, float], now: float) -> None:
        """Say up to when the calls of some tasks that went through a gateway are in the record."""
        table = schema.watches
        values = {"revision": 1, "changed_at": 0.0, "document": {"reach": dict(until), "told_at": now}}
        insert = self._database.insert(table).values(task_id=_GATEWAY + gateway, **values)
        with self._database.writing() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["task_id"], set_=values))

    def reaches(self, *, told_since: float, without: str) -> list[dict[str, float]]:
        """What the other gateways have said since then, each by task."""
        rows = schema.watches.c
        query = select(rows.document).where(rows.task_id.startswith(_GATEWAY), rows.task_id != _GATEWAY + without)
        with self._database.reading() as connection:
            said = [row.document for row in connection.execute(query)]
        return [document["reach"] for document in said if document["told_at"] >= told_since]

    def forget_reach(self, gateway: str) -> None:
        """Forget what a gateway has said."""
        table = schema.watches
        with self._database.writing() as connection:
            connection.execute(delete(table).where(table.c.task_id == _GATEWAY + gateway))


def _live(document: object) -> Live | None:
    if document is None:
        return None  # something is known of the task, and no route of it was watched yet
    try:
        return msgspec.convert(document, Live)
    except msgspec.ValidationError as error:
        _LOG.warning("The figures of a watch cannot be read, so those of its route hold: %s.", error)
        return None
