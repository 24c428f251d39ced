"""Tasks and what was made for them: datasets, models, verdicts, routes.

Documents are stored as JSON and read back as the core values they were. Routes only grow: the highest version holds.
A verdict or a route is written in one transaction with its receipt (`store.receipts`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from freehold.errors import BusyError
from freehold.model.dataset import Manifest
from freehold.model.model_card import ModelCard
from freehold.model.route import Route, rented_route
from freehold.model.task import PromptVersion, Task
from freehold.model.verdict import Verdict
from freehold.store import schema
from freehold.store.database import Database
from freehold.store.documents import read_document
from freehold.store.figures import TaskFigures, TaskTotal, count_providers, read_figures, read_totals
from freehold.store.placement import change_tasks
from freehold.store.receipts import append_route, append_verdict, report_sums, take_turn
from freehold.store.statements import in_parts
from freehold.text.prompts.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A frozen dataset and where it lies."""

    id: str
    task_id: str
    created_at: float
    path: str
    manifest: Manifest


class TaskRegistry:
    """Everything that is known about tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_tasks(
        self,
        tasks: Sequence[Task],
        retired: Mapping[str, str] | None = None,
        resort: Mapping[str, float] | None = None,
    ) -> None:
        """Add tasks, or replace what is known of them, in one transaction.

        `retired` maps tasks that turned out to be part of others to those: their calls move there, and they are gone.
        Calls that came to a task of `resort` from that time on, and that no route placed, are sorted once more.
        """
        now = time.time()
        gone = {*(retired or {}), *(task.id for task in tasks)}
        rows = [
            {"id": t.id, "name": t.name, "created_at": t.created_at, "changed_at": now, "document": task_document(t)}
            for t in tasks
        ]
        if not gone:
            return
        calls = schema.calls
        with self._database.writing() as connection:
            change_tasks(connection)
            connection.execute(delete(schema.tasks).where(schema.tasks.c.id.in_(gone)))
            for old, new in (retired or {}).items():
                connection.execute(update(calls).where(calls.c.task_id == old).values(task_id=new))
            for task_id, since in (resort or {}).items():
                late = (calls.c.task_id == task_id) & (calls.c.created_at >= since) & (calls.c.route_version == 0)
                connection.execute(update(calls).where(late).values(task_id=None))
            if rows:
                connection.execute(insert(schema.tasks), rows)

    def tasks(self) -> list[Task]:
        """All tasks, oldest first."""
        query = select(schema.tasks).order_by(schema.tasks.c.created_at, schema.tasks.c.id)
        with self._database.reading() as connection:
            return [read_task(row.document) for row in connection.execute(query)]

    def dated_tasks(self) -> list[tuple[Task, float]]:
        """All tasks, each with the Unix second in which it was changed last."""
        columns = schema.tasks.c
        with self._database.reading() as connection:
            found = connection.execute(select(columns.document, columns.changed_at))
            return [(read_task(row.document), float(row.changed_at)) for row in found]

    def names(self) -> dict[str, str]:
        """The names of all tasks by id, oldest first; much quicker than reading them whole."""
        columns = schema.tasks.c
        with self._database.reading() as connection:
            rows = connection.execute(select(columns.id, columns.name).order_by(columns.created_at, columns.id))
            return {str(row.id): str(row.name) for row in rows}

    def tasks_of(self, task_ids: Sequence[str]) -> list[Task]:
        """These tasks, as far as there are any, oldest first."""
        columns = schema.tasks.c
        found: list[Task] = []
        with self._database.reading() as connection:
            for some in in_parts(task_ids):
                query = select(columns.document).where(columns.id.in_(some)).order_by(columns.created_at, columns.id)
                found += [read_task(row.document) for row in connection.execute(query)]
        return found

    def put_dataset(self, manifest: Manifest, path: str, now: float) -> None:
        """Register a frozen dataset; the same dataset frozen again becomes the newest."""
        document = msgspec.to_builtins(manifest)
        row = {"id": manifest.hash, "task_id": manifest.task_id, "created_at": now, "path": path, "document": document}
        self._put(schema.datasets, row)

    def datasets(self, task_id: str | None) -> list[DatasetRow]:
        """A task's datasets, or those of all tasks, newest first."""
        return [_dataset_row(row) for row in self._newest_first(schema.datasets, task_id)]

    def newest_datasets(self, task_ids: Sequence[str]) -> dict[str, DatasetRow]:
        """The newest dataset of each of these tasks that has one, by task id."""
        return {row.task_id: _dataset_row(row) for row in self._newest_each(schema.datasets, task_ids)}

    def dataset(self, dataset_hash: str) -> DatasetRow | None:
        """The dataset of this hash."""
        row = self._row(schema.datasets, dataset_hash)
        return None if row is None else _dataset_row(row)

    def put_model(self, card: ModelCard) -> None:
        """Register a model or replace its card (for example when parity was checked)."""
        self._put(schema.models, _row_of(card))

    def models(self, task_id: str | None) -> list[ModelCard]:
        """A task's models, or those of all tasks, newest first."""
        return [read_document(row.document, ModelCard) for row in self._newest_first(schema.models, task_id)]

    def newest_models(self, task_ids: Sequence[str]) -> dict[str, ModelCard]:
        """The newest model of each of these tasks that has one, by task id."""
        rows = self._newest_each(schema.models, task_ids)
        return {row.task_id: read_document(row.document, ModelCard) for row in rows}

    def model(self, model_id: str) -> ModelCard | None:
        """The model of this id."""
        row = self._row(schema.models, model_id)
        return None if row is None else read_document(row.document, ModelCard)

    def put_verdict(self, verdict: Verdict) -> None:
        """Register a verdict with its receipt; the same proof run again replaces it, and needs no second receipt."""
        report = report_sums(verdict.report_path)
        with self._database.writing() as connection:
            take_turn(connection)
            append_verdict(connection, verdict, report)
            self._write(connection, schema.verdicts, _row_of(verdict))

    def verdicts(self, task_id: str | None) -> list[Verdict]:
        """A task's verdicts, or those of all tasks, newest first."""
        return [read_document(row.document, Verdict) for row in self._newest_first(schema.verdicts, task_id)]

    def newest_verdicts(self, task_ids: Sequence[str]) -> dict[str, Verdict]:
        """The newest verdict of each of these tasks that has one, by task id."""
        rows = self._newest_each(schema.verdicts, task_ids)
        return {row.task_id: read_document(row.document, Verdict) for row in rows}

    def verdict(self, verdict_id: str) -> Verdict | None:
        """The verdict of this id."""
        row = self._row(schema.verdicts, verdict_id)
        return None if row is None else read_document(row.document, Verdict)

    def put_route(self, route: Route) -> None:
        """Append a task's next route with its receipt; BusyError when its version was taken meanwhile."""
        routes = schema.routes.c
        own = select(routes.document).where(routes.task_id == route.task_id)
        row = {
            "task_id": route.task_id,
            "version": route.version,
            "created_at": route.created_at,
            "document": msgspec.to_builtins(route),
        }
        with self._database.writing() as connection:
            take_turn(connection)
            if connection.execute(own.where(routes.version == route.version)).first() is not None:
                raise BusyError(
                    f"The route was changed by another process: version {route.version} is taken.",
                    hint="Look with: freehold status; then try again.",
                )
            newest = connection.execute(own.order_by(routes.number.desc()).limit(1)).scalar()
            before = rented_route(route.task_id) if newest is None else read_document(newest, Route)
            append_route(connection, route, before)
            connection.execute(insert(schema.routes), [row])

    def route(self, task_id: str) -> Route:
        """A task's current route; rented, version 0, when none was ever put."""
        return self.routes().get(task_id) or rented_route(task_id)

    def routes(self) -> dict[str, Route]:
        """The current route of each task that has one."""
        newest = select(func.max(schema.routes.c.number)).group_by(schema.routes.c.task_id)
        query = select(schema.routes.c.document).where(schema.routes.c.number.in_(newest))
        with self._database.reading() as connection:
            found = [read_document(row.document, Route) for row in connection.execute(query)]
        return {route.task_id: route for route in found}

    def newest_versions(self, task_ids: Sequence[str]) -> dict[str, int]:
        """The newest version of each of these tasks' routes, out of an index; a task without a route has none."""
        routes = schema.routes.c
        query = select(routes.task_id, func.max(routes.version)).where(routes.task_id.in_(task_ids))
        with self._database.reading() as connection:
            return {str(task_id): int(newest) for task_id, newest in connection.execute(query.group_by(routes.task_id))}

    def route_history(self, task_id: str | None) -> list[Route]:
        """All versions of a task's route, or of all tasks' routes, newest first."""
        query = select(schema.routes.c.document).order_by(schema.routes.c.number.desc())
        with self._database.reading() as connection:
            rows = connection.execute(query if task_id is None else query.where(schema.routes.c.task_id == task_id))
            return [read_document(row.document, Route) for row in rows]

    def stamp(self) -> tuple[int, int, float]:
        """A value that changes whenever a task or a route does; cheap enough to ask several times a second."""
        with self._database.reading() as connection:
            number = connection.execute(select(func.max(schema.routes.c.number))).scalar()
            return int(number or 0), *_task_stamp(connection)

    def task_stamp(self) -> tuple[int, float]:
        """A value that changes whenever a task does."""
        with self._database.reading() as connection:
            return _task_stamp(connection)

    def figures(self, task_id: str) -> TaskFigures:
        """Counts, spend, tokens and latency of a task's calls."""
        return self.figures_of([task_id])[task_id]

    def figures_of(self, task_ids: Sequence[str]) -> dict[str, TaskFigures]:
        """The same of several tasks, by id."""
        return read_figures(self._database, task_ids)

    def totals(self) -> dict[str, TaskTotal]:
        """How many calls each task has, and what was spent on them, by task id."""
        return read_totals(self._database)

    def providers_of(self, call_ids: Sequence[str]) -> dict[str, int]:
        """How many of these calls each provider answered; a call that nobody is named for counts for none."""
        return count_providers(self._database, call_ids)

    def _put(self, table: Table, row: dict[str, Any]) -> None:
        with self._database.writing() as connection:
            self._write(connection, table, row)

    def _write(self, connection: Connection, table: Table, row: dict[str, Any]) -> None:
        changed = {name: value for name, value in row.items() if name != "id"}
        statement = self._database.insert(table).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))

    def _newest_first(self, table: Table, task_id: str | None) -> Sequence[Row[Any]]:
        query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc())
        with self._database.reading() as connection:
            return list(connection.execute(query if task_id is None else query.where(table.c.task_id == task_id)))

    def _newest_each(self, table: Table, task_ids: Sequence[str]) -> list[Row[Any]]:
        """The newest row of each of these tasks."""
        order = (table.c.created_at.desc(), table.c.id.desc())
        place = func.row_number().over(partition_by=table.c.task_id, order_by=order).label("place")
        found: list[Row[Any]] = []
        with self._database.reading() as connection:
            for some in in_parts(task_ids):
                ranked = select(table.c.id, place).where(table.c.task_id.in_(some)).subquery()
                query = select(table).join(ranked, ranked.c.id == table.c.id).where(ranked.c.place == 1)
                found += connection.execute(query)
        return found

    def _row(self, table: Table, row_id: str) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(select(table).where(table.c.id == row_id)).first()


def _task_stamp(connection: Connection) -> tuple[int, float]:
    tasks = schema.tasks.c
    count, newest = connection.execute(select(func.count(tasks.id), func.max(tasks.changed_at))).one()
    return int(count), float(newest or 0.0)


def _row_of(value: ModelCard | Verdict) -> dict[str, Any]:
    document = msgspec.to_builtins(value)
    return {"id": value.id, "task_id": value.task_id, "created_at": value.created_at, "document": document}


def _dataset_row(row: Row[Any]) -> DatasetRow:
    manifest = read_document(row.document, Manifest)
    return DatasetRow(id=row.id, task_id=row.task_id, created_at=row.created_at, path=row.path, manifest=manifest)


def task_document(task: Task) -> dict[str, Any]:
    """A task as it is stored; `read_task` reads it."""
    plain: dict[str, Any] = msgspec.to_builtins(replace(task, template=Template(), versions=()))
    versions = [_version_document(version) for version in task.versions]
    return plain | {"template": task.template.to_json(), "versions": versions}


def read_task(document: dict[str, Any]) -> Task:
    """The task in a document, also one that an earlier version wrote."""
    template = Template.from_json(document["template"])
    versions = tuple(_read_version(version) for version in document.get("versions", ()))
    return replace(
        read_document(document | {"template": {}, "versions": []}, Task), template=template, versions=versions
    )


def _version_document(version: PromptVersion) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(replace(version, template=Template()))
    return plain | {"template": version.template.to_json()}


def _read_version(document: dict[str, Any]) -> PromptVersion:
    template = Template.from_json(document["template"])
    return replace(read_document(document | {"template": {}}, PromptVersion), template=template)
