"""Figures of a task: counts, spend, tokens and latency of its calls, added up by the database.

None is unknown, never zero. Not covered: how a route fares (`freehold.route`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from freehold.store import schema
from freehold.store.database import Database

_LATENCIES_READ = 2000
_IDS_PER_STATEMENT = 500


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


def read_figures(database: Database, task_id: str) -> TaskFigures:
    """The figures of one task; latency is that of its newest whole calls."""
    c = schema.calls.c
    is_direct = c.arm.in_(("rented", "owned"))
    is_whole = (c.status < 400) & c.error.is_(None)
    latest = (
        select(c.arm, c.latency_ms)
        .where(c.task_id == task_id, is_direct, is_whole)
        .order_by(c.created_at.desc())
        .limit(_LATENCIES_READ)
    )
    with database.reading() as connection:
        row = connection.execute(_sums(is_direct, is_whole).where(c.task_id == task_id)).one()
        newest = [(str(r.arm), float(r.latency_ms)) for r in connection.execute(latest)]
    everyone = sorted(latency for _, latency in newest)
    rented = sorted(latency for arm, latency in newest if arm == "rented")
    sums: dict[str, Any] = {name: _plain(value) for name, value in row._mapping.items()}
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
        for start in range(0, len(call_ids), _IDS_PER_STATEMENT):
            chunk = c.id.in_(call_ids[start : start + _IDS_PER_STATEMENT])
            query = select(c.provider, func.count()).where(chunk, c.provider != "").group_by(c.provider)
            counts.update({str(name): int(count) for name, count in connection.execute(query)})
    return dict(counts)


def _sums(is_direct: ColumnElement[bool], is_whole: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    c = schema.calls.c
    is_rented = (c.arm == "rented") & is_whole

    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    return select(
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
    )


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
