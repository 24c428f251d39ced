"""Move and back: plan a change of a route, and put it in place.

Not covered: a route's live figures (`route.run.route_status`), changes that evidence makes (`watch.run.monitor`).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import pairwise

from freehold import route as routing
from freehold.errors import BusyError, DataError
from freehold.model import ModelCard, Route, Verdict
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.route.run.grounds import check_grounds
from freehold.train.run.train import model_file
from freehold.watch import live_of
from freehold.watch.run.monitor_state import begun
from freehold.watch.run.prompt_replacement import said_beside

_TRIES_BACK = 5
_MOST_TIMES = 200


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A route that could be put in place, and what that would do, in words.

    `is_in_place` says that nothing would change: the route of now is the same but for who put it, when and why.
    """

    route: Route
    text: str
    is_in_place: bool = False


def move_plan(workspace: Workspace, task_name: str, *, is_ramped: bool = False, is_again: bool = False) -> RoutePlan:
    """The cascade that the newest verdict proves, or the canary that becomes it; DataError when it proves none.

    DataError, too, for a verdict that live evidence has taken back, unless a person wants it again, and for one that is
    not what its receipt says; StateError where the model's file is not the one that was proven.
    """
    task = workspace.task(task_name)
    verdicts = workspace.store.registry.verdicts(task.id)
    if not verdicts:
        raise DataError(f"Nothing has been proven for task {task.name!r}.", hint=f"Run: freehold prove {task.name}")
    verdict = verdicts[0]
    spent = None if is_again else taken_back(workspace, task.id, verdict.id)
    if spent is not None:
        raise DataError(
            f"The verdict {verdict.id!r} was taken back by live evidence: {spent.reason}.",
            hint=f"Compare it: freehold move {task.name} --shadow. With --again it is moved all the same.",
        )
    card = workspace.model(task, verdict.model_id)
    dataset = workspace.dataset_of(task, verdict.dataset_hash)
    if verdict.decision == "move":
        check_grounds(workspace, task, verdict, card)
    old = workspace.store.registry.route(task.id)
    new = routing.propose(
        verdict,
        model=card,
        old=old,
        output_kind=dataset.manifest.kind,
        template=dataset.manifest.template,
        audit_rate=workspace.settings.number("route.audit_rate"),
        created_at=time.time(),
        max_output_tokens=_most_tokens(card),
    )
    if not is_again:
        new = replace(new, withheld=still_withheld(workspace, new))
    if is_ramped:
        _check_ramp(verdict, task.name)
        number = workspace.settings.number
        new = routing.canary(new, harm=number("route.harm"), shadow_rate=number("route.shadow_rate"))
    stale = _stale(workspace, new, task.name)
    slow = _slow(workspace, task, verdict)
    text = routing.plan_text(old, new, coverage=verdict.coverage, stale=stale, slow=slow).replace(task.id, task.name)
    return RoutePlan(new, text, is_in_place=_is_same(old, new))


def _slow(workspace: Workspace, task: Task, verdict: Verdict) -> str | None:
    """Why calls may be given to the provider for want of time; None where the proof's answers came soon enough."""
    median_ms = verdict.figures.speed.latency_p50_ms
    provider_ms = sorted(workspace.store.call_stream.provider_ms(task.id, most=_MOST_TIMES))
    if median_ms is None or not provider_ms:
        return None
    settings = workspace.settings.for_task(task.name)
    p99_ms = provider_ms[math.ceil(0.99 * len(provider_ms)) - 1]
    bound_ms = min(1000 * settings.number("route.engine_timeout_s"), p99_ms + settings.number("route.slack_ms"))
    if median_ms <= bound_ms:
        return None
    return (
        f"half of the answers took {median_ms / 1000:.1f} s or more in the proof, and a call waits"
        f" {bound_ms / 1000:.1f} s at most (the provider's 99th percentile and route.slack_ms): the provider would"
        " answer many of them. Raise route.slack_ms, or give the engine a faster machine"
    )


def _stale(workspace: Workspace, new: Route, name: str) -> tuple[str, ...]:
    """Why the evidence behind a route is no longer what it was, as far as is known before the route is put."""
    watch = begun(workspace.store, new, workspace.settings.for_task(name))
    document, now = workspace.store.watches.get(new.task_id).document, time.time()
    return live_of(watch, now=now, also=said_beside(workspace.store, new, document, now)).stale


def _check_ramp(verdict: Verdict, name: str) -> None:
    """DataError for a ramp that could not end: it takes the provider's answers for the right ones."""
    differing = verdict.baseline.differing_share or 0.0
    if differing > verdict.risk:
        raise DataError(
            f"The model was shown to be no worse while it differs from the provider in {differing:.0%} of the calls; a"
            " ramp, which compares the two, would take that for harm and never end.",
            hint=f"Move it without: freehold move {name}. Or compare it first: freehold move {name} --shadow.",
        )


def still_withheld(workspace: Workspace, new: Route) -> tuple[str, ...]:
    """What the verdict withholds, and what live evidence has withheld from it since."""
    history = workspace.store.registry.route_history(new.task_id)
    found = [
        route.withheld for route in history if route.decided_by == routing.SLICES and route.verdict_id == new.verdict_id
    ]
    return tuple(dict.fromkeys((*new.withheld, *(name for names in found for name in names))))


def shadow_plan(workspace: Workspace, task_name: str, model_id: str | None = None) -> RoutePlan:
    """The route that compares a model, the newest unless one is named, and lets the provider answer everything."""
    task = workspace.task(task_name)
    card = workspace.model(task, model_id)
    model_file(task, card)
    dataset = workspace.dataset_of(task, card.dataset_hash)
    old = workspace.store.registry.route(task.id)
    verdicts = [verdict for verdict in workspace.store.registry.verdicts(task.id) if verdict.model_id == card.id]
    new = routing.shadow(
        old,
        model=card,
        verdict=verdicts[0] if verdicts else None,
        output_kind=dataset.manifest.kind,
        template=dataset.manifest.template,
        shadow_rate=workspace.settings.number("route.shadow_rate"),
        created_at=time.time(),
        max_output_tokens=_most_tokens(card),
    )
    text = routing.plan_text(old, new).replace(task.id, task.name)
    return RoutePlan(new, text, is_in_place=_is_same(old, new))


def _is_same(old: Route, new: Route) -> bool:
    as_told = replace(new, version=old.version, created_at=old.created_at, decided_by=old.decided_by, reason=old.reason)
    return as_told == old


def _most_tokens(card: ModelCard) -> int:
    return int(card.metrics.get("max_output_tokens", 512))


def taken_back(workspace: Workspace, task_id: str, verdict_id: str) -> Route | None:
    """The route with which live evidence took this verdict back; None where it did not."""
    history = workspace.store.registry.route_history(task_id)
    for after, before in pairwise(history):
        if after.decided_by == "rollback" and before.verdict_id == verdict_id:
            return after
    return None


def back_plan(workspace: Workspace, task_name: str) -> RoutePlan:
    """The route that returns everything to the provider."""
    task = workspace.task(task_name)
    old = workspace.store.registry.route(task.id)
    new = routing.back(old, created_at=time.time())
    text = routing.plan_text(old, new).replace(task.id, task.name)
    return RoutePlan(new, text, is_in_place=old.kind == "rented")


def put_route(workspace: Workspace, route: Route) -> Route:
    """Put a planned route in place, as of now; BusyError when the route has changed since it was planned.

    Running gateways follow within a second.
    """
    placed = replace(route, created_at=time.time())
    workspace.store.registry.put_route(placed)
    return placed


def return_all(
    workspace: Workspace, task_name: str, *, reason: str = "returned by hand", decided_by: str = "person"
) -> Route:
    """Return everything to the provider, whoever else changes the route at the same moment.

    A task that is with the provider already stays on the route that it has.
    """

    def put() -> Route:
        plan, current = back_plan(workspace, task_name), workspace.store.registry.route(workspace.task(task_name).id)
        if current.kind == "rented":
            return current
        return put_route(workspace, replace(plan.route, reason=reason, decided_by=decided_by))

    for _ in range(_TRIES_BACK - 1):
        try:
            return put()
        except BusyError:
            continue
    return put()
