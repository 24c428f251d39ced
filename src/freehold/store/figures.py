"""Figures of a task: counts, spend, tokens and latency of its calls, added up by the database.

None is unknown, never zero. Not covered: a route's live figures (`freehold.route`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select, union_all

from freehold.store import schema
from freehold.store.database import Database
from freehold.store.statements import in_parts

_LATENCIES_READ = 2000
_TASKS_PER_STATEMENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFigures:
    """What is known of a task's calls.

    `calls`, `failed`, tokens and latency are of the calls that clients made; audits and shadows are counted apart.
    `cost_usd` is all that was spent, audits too; `unpriced` counts whole calls whose price is unknown. What begins
    with `rented` is of whole calls that the provider answered, means per call.
    """

    calls: int = 0
    failed: int = 0
    owned: int = 0
    audits: int = 0
    shadows: int = 0
    cost_usd: float | None = None
    unpriced: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_at: float | None = None
    last_at: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    rented_cost_usd: float | None = None
    rented_input_tokens: float | None = None
    rented_output_tokens: float | None = None
    rented_p50_ms: float | None = None


@dataclass(frozen=True, slots=True)
class TaskTotal:
    """How many calls clients made of a task, and all that was spent on it; None for an unknown price."""

    calls: int
    cost_usd: float | None


def read_totals(database: Database) -> dict[str, TaskTotal]:
    """The totals of all tasks with calls, by task id, in one query."""
    c = schema.calls.c
    count = func.coalesce(func.sum(case((_is_direct(), 1), else_=0)), 0)
    query = select(c.task_id, count, func.sum(c.cost_usd)).where(c.task_id.is_not(None)).group_by(c.task_id)
    with database.reading() as connection:
        rows = list(connection.execute(query))
    return {str(task_id): TaskTotal(int(calls), _plain(cost)) for task_id, calls, cost in rows}


def read_figures(database: Database, task_ids: Sequence[str]) -> dict[str, TaskFigures]:
    """The figures of these tasks, by id; latency is that of a task's newest whole calls."""
    found: dict[str, TaskFigures] = dict.fromkeys(task_ids, TaskFigures())
    for start in range(0, len(task_ids), _TASKS_PER_STATEMENT):
        found |= _read_some(database, task_ids[start : start + _TASKS_PER_STATEMENT])
    return found


def _read_some(database: Database, task_ids: Sequence[str]) -> dict[str, TaskFigures]:
    c = schema.calls.c
    latest = [
        select(c.task_id, c.arm, c.latency_ms)
        .where(c.task_id == task_id, _is_direct(), _is_whole())
        .order_by(c.created_at.desc())
        .limit(_LATENCIES_READ)
        .subquery()
        for task_id in task_ids
    ]
    with database.reading() as connection:
        sums = list(connection.execute(_sums(_is_direct(), _is_whole()).where(c.task_id.in_(task_ids))))
        newest = list(connection.execute(union_all(*(select(some) for some in latest))))
    latencies: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in newest:
        latencies[str(row.task_id)].append((str(row.arm), float(row.latency_ms)))
    return {str(row.task_id): _figures(row, latencies[str(row.task_id)]) for row in sums}


def _figures(row: Row[Any], newest: Sequence[tuple[str, float]]) -> TaskFigures:
    everyone = sorted(latency for _, latency in newest)
    rented = sorted(latency for arm, latency in newest if arm == "rented")
    sums: dict[str, Any] = {name: _plain(value) for name, value in row._mapping.items() if name != "task_id"}
    return TaskFigures(
        **sums,
        latency_p50_ms=_quantile(everyone, 0.5),
        latency_p95_ms=_quantile(everyone, 0.95),
        rented_p50_ms=_quantile(rented, 0.5),
    )


def count_providers(database: Database, call_ids: Sequence[str]) -> dict[str, int]:
    """How many of these calls each provider answered; a call that nobody is named for counts for none."""
    c = schema.calls.c
    counts: Counter[str] = Counter()
    with database.reading() as connection:
        for some in in_parts(call_ids):
            is_named = c.id.in_(some) & (c.provider != "")
            query = select(c.provider, func.count()).where(is_named).group_by(c.provider)
            counts.update({str(name): int(count) for name, count in connection.execute(query)})
    return dict(counts)


def _is_direct() -> ColumnElement[bool]:
    return schema.calls.c.arm.in_(("rented", "owned"))


def _is_whole() -> ColumnElement[bool]:
    return (schema.calls.c.status < 400) & schema.calls.c.error.is_(None)


def _sums(is_direct: ColumnElement[bool], is_whole: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    c = schema.calls.c
    is_rented = (c.arm == "rented") & is_whole

    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    return select(
        c.task_id,
        counted(is_direct).label("calls"),
        counted(is_direct & ~is_whole).label("failed"),
        counted(c.arm == "owned").label("owned"),
        counted(c.arm == "audit").label("audits"),
        counted(c.arm == "shadow").label("shadows"),
        func.sum(c.cost_usd).label("cost_usd"),
        counted(is_direct & is_whole & c.cost_usd.is_(None)).label("unpriced"),
        func.sum(case((is_direct, c.input_tokens))).label("input_tokens"),
        func.sum(case((is_direct, c.output_tokens))).label("output_tokens"),
        func.min(c.created_at).label("first_at"),
        func.max(c.created_at).label("last_at"),
        func.avg(case((is_rented, c.cost_usd))).label("rented_cost_usd"),
        func.avg(case((is_rented, c.input_tokens))).label("rented_input_tokens"),
        func.avg(case((is_rented, c.output_tokens))).label("rented_output_tokens"),
    ).group_by(c.task_id)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
