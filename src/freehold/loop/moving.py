"""Move and back: plan a change of a route, put it in place, and see how it fares."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from freehold import route as routing
from freehold.core import Call, ModelCard, Route
from freehold.core.task import Task
from freehold.errors import BusyError, DataError
from freehold.loop.estate import Estate
from freehold.loop.sorting import read_call
from freehold.route import LiveCall, LiveFigures
from freehold.store import CallFilter

_TRIES_BACK = 5


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A route that could be put in place, and what that would do, in words."""

    route: Route
    text: str


@dataclass(frozen=True, slots=True)
class LiveView:
    """A task's route and how it has fared since it was put in place."""

    task: str
    route: str
    version: int
    figures: LiveFigures

    @property
    def agreement_text(self) -> str:
        """The share of audits that agree with the provider, with interval and n."""
        f = self.figures
        if f.agreement is None or f.agreement_low is None or f.agreement_high is None:
            return "none yet"
        return f"{f.agreement:.0%} [{f.agreement_low:.0%}, {f.agreement_high:.0%}], n={f.audits}"

    def plain(self) -> dict[str, object]:
        """The view as JSON-able values."""
        return {"task": self.task, "route": self.route, "version": self.version, **asdict(self.figures)}


def move_plan(estate: Estate, task_name: str, *, is_ramped: bool = False) -> RoutePlan:
    """The cascade that the newest verdict proves, or the canary that becomes it; DataError when it proves none."""
    task = estate.task(task_name)
    verdicts = estate.store.book.verdicts(task.id)
    if not verdicts:
        raise DataError(f"Nothing has been proven for task {task.name!r}.", hint=f"Run: freehold prove {task.name}")
    verdict = verdicts[0]
    card = estate.model(task, verdict.model_id)
    dataset = estate.dataset_of(task, verdict.dataset_hash)
    old = estate.store.book.route(task.id)
    new = routing.propose(
        verdict,
        model=card,
        old=old,
        output_kind=dataset.manifest.kind,
        template=dataset.manifest.template,
        audit_rate=estate.settings.number("route.audit_rate"),
        created_at=time.time(),
        max_output_tokens=_most_tokens(card),
    )
    if is_ramped:
        number = estate.settings.number
        new = routing.canary(new, harm=number("route.harm"), shadow_rate=number("route.shadow_rate"))
    return RoutePlan(new, routing.plan_text(old, new, coverage=verdict.coverage).replace(task.id, task.name))


def shadow_plan(estate: Estate, task_name: str, model_id: str | None = None) -> RoutePlan:
    """The route that compares a model, the newest unless one is named, and lets the provider answer everything."""
    task = estate.task(task_name)
    card = estate.model(task, model_id)
    dataset = estate.dataset_of(task, card.dataset_hash)
    old = estate.store.book.route(task.id)
    verdicts = [verdict for verdict in estate.store.book.verdicts(task.id) if verdict.model_id == card.id]
    new = routing.shadow(
        old,
        model=card,
        verdict=verdicts[0] if verdicts else None,
        output_kind=dataset.manifest.kind,
        template=dataset.manifest.template,
        shadow_rate=estate.settings.number("route.shadow_rate"),
        created_at=time.time(),
        max_output_tokens=_most_tokens(card),
    )
    return RoutePlan(new, routing.plan_text(old, new).replace(task.id, task.name))


def _most_tokens(card: ModelCard) -> int:
    return int(card.metrics.get("max_output_tokens", 512))


def back_plan(estate: Estate, task_name: str) -> RoutePlan:
    """The route that returns everything to the provider."""
    task = estate.task(task_name)
    old = estate.store.book.route(task.id)
    new = routing.back(old, created_at=time.time())
    return RoutePlan(new, routing.plan_text(old, new).replace(task.id, task.name))


def put_route(estate: Estate, route: Route) -> Route:
    """Put a planned route in place, as of now; BusyError when the route has changed since it was planned.

    Running gateways follow within a second.
    """
    placed = replace(route, created_at=time.time())
    estate.store.book.put_route(placed)
    return placed


def return_all(estate: Estate, task_name: str) -> Route:
    """Return everything to the provider, whoever else changes the route at the same moment."""
    for _ in range(_TRIES_BACK - 1):
        try:
            return put_route(estate, back_plan(estate, task_name).route)
        except BusyError:
            continue
    return put_route(estate, back_plan(estate, task_name).route)


def live_views(estate: Estate) -> list[LiveView]:
    """Each task's route with its live figures."""
    return [live_view(estate, task) for task in estate.store.book.tasks()]


def live_view(estate: Estate, task: Task) -> LiveView:
    """One task's route with its live figures, since that route was put in place."""
    route = estate.store.book.route(task.id)
    since = route.created_at or None
    calls = estate.store.calls.stream(CallFilter(task_id=task.id, since=since, is_failed=False))
    rows = list(_live_calls(calls))
    return LiveView(task.name, route.kind, route.version, routing.live_figures(rows, output_kind=task.kind))


def _live_calls(calls: Iterator[Call]) -> Iterator[LiveCall]:
    local: dict[str, Call] = {}
    audits: list[Call] = []
    for call in calls:
        if call.arm == "audit":
            audits.append(call)
        else:
            if call.arm == "owned":
                local[call.id] = call
            yield LiveCall(arm=call.arm, latency_ms=call.latency_ms, cost_usd=call.cost_usd)
    for audit in audits:
        audited = local.get(audit.parent_id or "")
        is_readable = audited is not None and "deleted" not in (audit.redaction, audited.redaction)
        yield LiveCall(
            arm="audit",
            latency_ms=audit.latency_ms,
            cost_usd=audit.cost_usd,
            owned_text=read_call(audited).answer.text if audited and is_readable else None,
            rented_text=read_call(audit).answer.text if is_readable else None,
        )
