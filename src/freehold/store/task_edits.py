"""What people changed about tasks: merged, split, renamed. Each edit is one transaction, and can be taken back.

An edit is kept with what it takes to undo it: the tasks that it put away, and which calls it moved, packed. The newest
edit that was not undone is the next to be undone. Not covered: what an edit may do (`sort.run.task_edits`).
"""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, delete, insert, select, update

from freehold.errors import BusyError
from freehold.model.ids import uuid7
from freehold.model.task import Task
from freehold.store import schema
from freehold.store.database import Database
from freehold.store.placement import change_tasks
from freehold.store.statements import in_parts
from freehold.store.task_registry import read_task, task_document

EditKind = Literal["merge", "split", "rename"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEdit:
    """One edit: `before` are the tasks as they were, `after` the ids of the tasks that they became.

    `moved` gives, for each task that calls were taken from, the ids of those calls.
    """

    id: str
    kind: EditKind
    created_at: float
    words: str
    before: tuple[Task, ...]
    after: tuple[str, ...]
    moved: Mapping[str, Sequence[str]] = field(default_factory=dict)
    undone_at: float | None = None


class TaskEditTable:
    """The journal of edits, and the tasks and calls that they change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(
        self,
        kind: EditKind,
        words: str,
        *,
        before: Sequence[Task],
        after: Sequence[Task],
        moved: Mapping[str, Mapping[str, Sequence[str]]],
        seen: Mapping[str, Collection[str]] | None = None,
    ) -> TaskEdit:
        """Put the tasks `after` in place of those `before`, and move calls: from each task, to each, these ids.

        Calls that came to a task while the edit was thought about move with the others where the task is gone; where it
        stays, those that are not among `seen` are sorted again. BusyError where a task has changed its name or is gone
        since it was read.
        """
        now = time.time()
        taken = {source: [i for ids in targets.values() for i in ids] for source, targets in moved.items()}
        staying = {task.id for task in after}
        with self._database.writing() as connection:
            change_tasks(connection)
            _check(connection, before)
            _replace(connection, [task.id for task in before], after, now)
            for source, targets in moved.items():
                for target, ids in targets.items():
                    _assign(connection, ids, target)
                if source not in staying and len(targets) == 1:
                    late = _calls_of(connection, source)
                    _assign(connection, late, next(iter(targets)))
                    taken[source] += late
            for source, known in (seen or {}).items():
                _assign(connection, [i for i in _calls_of(connection, source) if i not in known], None)
            edit = TaskEdit(
                id=uuid7(),
                kind=kind,
                created_at=now,
                words=words,
                before=tuple(before),
                after=tuple(task.id for task in after),
                moved=taken,
            )
            row = {"id": edit.id, "created_at": now, "kind": kind, "undone_at": None, "document": _document(edit)}
            connection.execute(insert(schema.task_edits), [row])
        return edit

    def undo(
        self, edit: TaskEdit, *, gone: Sequence[str], back: Sequence[Task], resort: Mapping[str, float] | None = None
    ) -> None:
        """Take an edit back: these tasks are gone, those are back, and so are the calls that it moved.

        Calls that came since to a task of `resort`, from that time on, belong to no task until they are sorted again.
        BusyError when the edit was undone meanwhile.
        """
        now, table, calls = time.time(), schema.task_edits, schema.calls
        with self._database.writing() as connection:
            change_tasks(connection)
            mine = table.c.id == edit.id
            done = connection.execute(update(table).where(mine, table.c.undone_at.is_(None)).values(undone_at=now))
            if done.rowcount != 1:
                raise BusyError("The edit was undone by another process.", hint="Look with: freehold tasks")
            for task_id, since in (resort or {}).items():
                is_later = (calls.c.task_id == task_id) & (calls.c.created_at >= since)
                connection.execute(update(calls).where(is_later).values(task_id=None))
            _replace(connection, gone, back, now)
            for source, ids in edit.moved.items():
                _assign(connection, ids, source)
            for task_id in gone:
                _assign(connection, _calls_of(connection, task_id), None)

    def newest(self) -> TaskEdit | None:
        """The edit that would be undone next."""
        table = schema.task_edits
        query = select(table).where(table.c.undone_at.is_(None)).order_by(table.c.created_at.desc(), table.c.id.desc())
        with self._database.reading() as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else _edit(row)

    def history(self) -> list[TaskEdit]:
        """All edits, newest first, also those that were undone; without the calls that they moved."""
        table = schema.task_edits
        query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc())
        with self._database.reading() as connection:
            return [_edit(row, is_brief=True) for row in connection.execute(query)]

    def calls_of(self, task_id: str) -> list[str]:
        """The ids of all calls of a task, audits and shadows too."""
        with self._database.reading() as connection:
            return _calls_of(connection, task_id)

    def beside(self, ids: Sequence[str]) -> list[str]:
        """The ids of the audits and shadows of these calls."""
        c = schema.calls.c
        found: list[str] = []
        with self._database.reading() as connection:
            for some in in_parts(ids):
                found += connection.execute(select(c.id).where(c.parent_id.in_(some))).scalars()
        return found


def _check(connection: Connection, tasks: Sequence[Task]) -> None:
    c = schema.tasks.c
    for task in tasks:
        name = connection.execute(select(c.name).where(c.id == task.id)).scalar()
        if name != task.name:
            raise BusyError(f"Task {task.name!r} was changed by another process.", hint="Look with: freehold tasks")


def _replace(connection: Connection, gone: Sequence[str], tasks: Sequence[Task], now: float) -> None:
    ids = {*gone, *(task.id for task in tasks)}
    connection.execute(delete(schema.tasks).where(schema.tasks.c.id.in_(ids)))
    rows = [
        {"id": t.id, "name": t.name, "created_at": t.created_at, "changed_at": now, "document": task_document(t)}
        for t in tasks
    ]
    if rows:
        connection.execute(insert(schema.tasks), rows)


def _calls_of(connection: Connection, task_id: str) -> list[str]:
    c = schema.calls.c
    return [str(i) for i in connection.execute(select(c.id).where(c.task_id == task_id).order_by(c.id)).scalars()]


def _assign(connection: Connection, ids: Sequence[str], task_id: str | None) -> None:
    for some in in_parts(ids):
        connection.execute(update(schema.calls).where(schema.calls.c.id.in_(some)).values(task_id=task_id))


def _document(edit: TaskEdit) -> dict[str, Any]:
    return {
        "words": edit.words,
        "before": [task_document(task) for task in edit.before],
        "after": list(edit.after),
        "moved": {source: _packed(ids) for source, ids in edit.moved.items()},
    }


def _edit(row: Row[Any], *, is_brief: bool = False) -> TaskEdit:
    document = row.document
    moved = {} if is_brief else {source: _unpacked(text) for source, text in document.get("moved", {}).items()}
    return TaskEdit(
        id=row.id,
        kind=cast(EditKind, row.kind),
        created_at=row.created_at,
        words=document.get("words", ""),
        before=tuple(read_task(task) for task in document.get("before", ())),
        after=tuple(document.get("after", ())),
        moved=moved,
        undone_at=row.undone_at,
    )


def _packed(ids: Sequence[str]) -> str:
    return base64.b85encode(zlib.compress("\n".join(ids).encode(), 9)).decode("ascii")


def _unpacked(text: str) -> list[str]:
    return zlib.decompress(base64.b85decode(text)).decode().splitlines()
