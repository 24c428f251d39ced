"""Tasks and what was made for them: datasets, models, verdicts, routes, and their figures.

Documents are stored as JSON and read back as the core values they were. Routes only grow: the highest version holds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine, Table, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.exc import IntegrityError

from freehold.core.dataset import Manifest
from freehold.core.model import ModelCard
from freehold.core.route import Route, rented_route
from freehold.core.task import Task
from freehold.core.template import Template
from freehold.core.verdict import Verdict
from freehold.errors import BusyError, StateError
from freehold.store import schema
from freehold.store.database import translated

T = TypeVar("T")
_LATENCIES_READ = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFigures:
    """What is known of a task's calls; audits and shadows are counted apart. None is unknown, never zero."""

    calls: int = 0
    failed: int = 0
    owned: int = 0
    audits: int = 0
    shadows: int = 0
    cost_usd: float | None = None
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    first_at: float | None = None
    last_at: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """A frozen dataset and where it lies."""

    id: str
    task_id: str
    created_at: float
    path: str
    manifest: Manifest


class TaskBook:
    """Everything that is known about tasks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put_task(self, task: Task) -> None:
        """Add a task or replace what is known of it."""
        row = {
            "id": task.id,
            "name": task.name,
            "created_at": task.created_at,
            "document": _task_document(task),
        }
        self._put(schema.tasks, row | {"changed_at": time.time()})

    def tasks(self) -> list[Task]:
        """All tasks, oldest first."""
        with translated("record"), self._engine.connect() as connection:
            query = select(schema.tasks).order_by(schema.tasks.c.created_at, schema.tasks.c.id)
            return [_read_task(row.document) for row in connection.execute(query)]

    def drop_task(self, task_id: str) -> None:
        """Forget a task that turned out to be part of another; its calls were reassigned before."""
        with translated("record"), self._engine.begin() as connection:
            connection.execute(delete(schema.tasks).where(schema.tasks.c.id == task_id))

    def put_dataset(self, manifest: Manifest, path: str, now: float) -> None:
        """Register a frozen dataset; the same dataset twice is one."""
        document = msgspec.to_builtins(manifest)
        row = {
            "id": manifest.hash,
            "task_id": manifest.task_id,
            "created_at": now,
            "path": path,
            "document": document,
        }
        self._put(schema.datasets, row, replace_existing=False)

    def datasets(self, task_id: str) -> list[DatasetRow]:
        """A task's datasets, newest first."""
        return [
            DatasetRow(
                id=row.id,
                task_id=row.task_id,
                created_at=row.created_at,
                path=row.path,
                manifest=_convert(row.document, Manifest),
            )
            for row in self._newest_first(schema.datasets, task_id)
        ]

    def put_model(self, card: ModelCard) -> None:
        """Register a model or replace its card (for example when parity was checked)."""
        self._put_document(schema.models, card.id, card.task_id, card.created_at, card)

    def models(self, task_id: str) -> list[ModelCard]:
        """A task's models, newest first."""
        return [_convert(row.document, ModelCard) for row in self._newest_first(schema.models, task_id)]

    def put_verdict(self, verdict: Verdict) -> None:
        """Register a verdict; the same verdict twice is one."""
        self._put_document(schema.verdicts, verdict.id, verdict.task_id, verdict.created_at, verdict)

    def verdicts(self, task_id: str) -> list[Verdict]:
        """A task's verdicts, newest first."""
        return [_convert(row.document, Verdict) for row in self._newest_first(schema.verdicts, task_id)]

    def put_route(self, route: Route) -> Route:
        """Append the next version of a task's route; BusyError when another process did so at the same moment."""
        numbered = replace(route, version=self.route(route.task_id).version + 1)
        row = {
            "task_id": numbered.task_id,
            "version": numbered.version,
            "created_at": numbered.created_at,
            "document": msgspec.to_builtins(numbered),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(schema.routes.insert(), [row])
        except IntegrityError as error:
            raise BusyError(
                "Another process changed this route at the same moment.", hint="Look, then try again."
            ) from error
        return numbered

    def route(self, task_id: str) -> Route:
        """A task's current route; rented, version 0, when none was ever put."""
        return self.routes().get(task_id) or rented_route(task_id)

    def routes(self) -> dict[str, Route]:
        """The current route of each task that has one."""
        newest = select(func.max(schema.routes.c.number)).group_by(schema.routes.c.task_id)
        query = select(schema.routes.c.document).where(schema.routes.c.number.in_(newest))
        with translated("record"), self._engine.connect() as connection:
            found = [_convert(row.document, Route) for row in connection.execute(query)]
        return {route.task_id: route for route in found}

    def route_history(self, task_id: str) -> list[Route]:
        """All versions of a task's route, newest first."""
        query = select(schema.routes.c.document).where(schema.routes.c.task_id == task_id)
        with translated("record"), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(schema.routes.c.number.desc()))
            return [_convert(row.document, Route) for row in rows]

    def stamp(self) -> tuple[int, int, float]:
        """A value that changes whenever a task or a route does; cheap enough to ask several times a second."""
        tasks, routes = schema.tasks.c, schema.routes.c
        with translated("record"), self._engine.connect() as connection:
            count, newest = connection.execute(select(func.count(tasks.id), func.max(tasks.changed_at))).one()
            number = connection.execute(select(func.max(routes.number))).scalar()
        return int(number or 0), int(count), float(newest or 0.0)

    def figures(self, task_id: str) -> TaskFigures:
        """Counts, spend, tokens and latency of a task's calls."""
        c = schema.calls.c
        direct = c.arm.in_(("rented", "owned"))

        def counted(condition: Any) -> Any:
            return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

        query = select(
            counted(direct).label("calls"),
            counted(direct & (c.status >= 400)).label("failed"),
            counted(c.arm == "owned").label("owned"),
            counted(c.arm == "audit").label("audits"),
            counted(c.arm == "shadow").label("shadows"),
            func.sum(c.cost_usd).label("cost_usd"),
            counted(direct & c.cost_usd.is_(None) & (c.status < 400)).label("unpriced"),
            func.coalesce(func.sum(c.input_tokens), 0).label("input_tokens"),
            func.coalesce(func.sum(c.output_tokens), 0).label("output_tokens"),
            func.min(c.created_at).label("first_at"),
            func.max(c.created_at).label("last_at"),
        ).where(c.task_id == task_id)
        latest = select(c.latency_ms).where(c.task_id == task_id, direct, c.status < 400)
        with translated("record"), self._engine.connect() as connection:
            row = connection.execute(query).one()
            rows = connection.execute(latest.order_by(c.created_at.desc()).limit(_LATENCIES_READ))
            latencies = sorted(float(r.latency_ms) for r in rows)
        figures = dict(row._mapping.items())
        return TaskFigures(
            **figures, latency_p50_ms=_quantile(latencies, 0.5), latency_p95_ms=_quantile(latencies, 0.95)
        )

    def _put(self, table: Table, row: dict[str, Any], *, replace_existing: bool = True) -> None:
        insert = insert_postgres if self._engine.dialect.name == "postgresql" else insert_sqlite
        statement = insert(table).values(row)
        if replace_existing:
            changed = {name: value for name, value in row.items() if name != "id"}
            statement = statement.on_conflict_do_update(index_elements=["id"], set_=changed)
        else:
            statement = statement.on_conflict_do_nothing()
        with translated("record"), self._engine.begin() as connection:
            connection.execute(statement)

    def _put_document(self, table: Table, row_id: str, task_id: str, created_at: float, value: object) -> None:
        document = msgspec.to_builtins(value)
        self._put(table, {"id": row_id, "task_id": task_id, "created_at": created_at, "document": document})

    def _newest_first(self, table: Table, task_id: str) -> Sequence[Any]:
        query = select(table).where(table.c.task_id == task_id).order_by(table.c.created_at.desc(), table.c.id.desc())
        with translated("record"), self._engine.connect() as connection:
            return list(connection.execute(query))


def _task_document(task: Task) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(replace(task, template=Template()))
    return plain | {"template": task.template.to_json()}


def _read_task(document: dict[str, Any]) -> Task:
    template = Template.from_json(document["template"])
    return replace(_convert(document | {"template": {}}, Task), template=template)


def _convert(document: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise StateError(
            f"A stored {kind.__name__.lower()} cannot be read: {error}.", hint="Restore a backup."
        ) from error


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
