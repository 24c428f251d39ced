"""A worker's gateway, built from settings: with its providers, routes, keys, metrics and the way to the console.

Not covered: running it (`app.worker`).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from freehold import route as routing
from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.route_check import RouteCheck
from freehold.dialects import load_others
from freehold.gateway.app import Gateway
from freehold.gateway.config import Fallback, GatewaySettings, Provider, Resilience
from freehold.gateway.keys.admission import Admission, is_loopback
from freehold.gateway.keys.budgets import Budgets
from freehold.gateway.keys.settlement import Settlement
from freehold.gateway.origins import read_origins
from freehold.gateway.oversight import Oversight
from freehold.gateway.refusal_counts import RefusedCounts
from freehold.gateway.router import ProvidersOnly
from freehold.gateway.server import most_connections, raise_file_limit
from freehold.gateway.telemetry.access import AccessLog, AccessMode
from freehold.gateway.telemetry.meter import Meter
from freehold.gateway.telemetry.metrics import Metrics, Sources
from freehold.gateway.telemetry.tracing import is_wanted
from freehold.httpd.asgi import AsgiApp
from freehold.httpd.client import Timeouts
from freehold.httpd.server import Limits
from freehold.model import Asked, Message, Route
from freehold.model.assignment import Assignment
from freehold.model.engine import OwnedAnswer, owned_body
from freehold.record import Recorder
from freehold.route.run.directory import Directory
from freehold.serve.engines import Body, live_body
from freehold.serve.run.engines import EngineList, engine_file
from freehold.settings import ProviderSettings, Settings
from freehold.system.hosts import read_hosts
from freehold.watch.run.bounds import slow_ms

_TELL_S = 1.0


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What the settings of a task say of one version of its route."""

    task_name: str
    version: int
    slack_s: float
    slow_s: float
    shadow_rate: float


class GatewayContext:
    """What a gateway is told while it runs, as of the last `refresh`: routes, engines and keys; and what it tells."""

    def __init__(self, settings: Settings, late: LazyWorkspace) -> None:
        self.late = late
        self._settings = settings
        self.directory = Directory(late.store)
        self.engines = EngineList(engine_file(settings))
        self.admission = Admission(is_required=asks_for_keys(settings))
        self.refused = RefusedCounts()
        self.budgets = Budgets(Settlement({provider.name: provider.prices for provider in settings.providers}))
        self._told_at = 0.0
        self._bounds: dict[str, _Bounds] = {}
        self.check = RouteCheck(lambda task_ids: late.store().registry.newest_versions(task_ids))

    def refresh(self) -> None:
        """Read what has changed; FreeholdError while the database is away, and then what was known holds on."""
        self.engines.refresh()
        self.directory.refresh()
        self.admission.refresh(self.late.store().keys.sync)
        if time.monotonic() - self._told_at > _TELL_S:
            self.tell_refused()

    def step_budgets(self) -> None:
        """Settle and lease; FreeholdError while the database is away."""
        self.budgets.step(lambda *told: self.late.store().budgets.sync(*told))

    def close_budgets(self) -> None:
        """Give back what is held of budgets."""
        self.budgets.close(lambda *told: self.late.store().budgets.sync(*told))

    def tell_refused(self) -> None:
        """Bring the counts of refused requests to the store; FreeholdError while the database is away."""
        self.refused.tell(self.late.store().refusal_counts.add)
        self._told_at = time.monotonic()

    def find(self, asked: Asked, explicit_task: str | None) -> Assignment | None:
        """The task and route of a request."""
        found = self.directory.find(asked, explicit_task)
        if found is None:
            return None
        bounds = self._bounds_of(found)
        found = replace(found, slack_s=bounds.slack_s, slow_s=bounds.slow_s)
        if found.new_prompt is None or found.route.kind == "rented":
            return replace(found, new_prompt=None)
        shadow = replace(found.route, kind="shadow", shadow_rate=bounds.shadow_rate)
        return replace(found, route=shadow, messages=found.new_prompt.messages, share=1.0)

    def _bounds_of(self, found: Assignment) -> _Bounds:
        """What the settings say of calls of this route, read once for each of its versions."""
        route, kept = found.route, self._bounds.get(found.task_id)
        if kept is None or (kept.task_name, kept.version) != (found.task_name, route.version):
            own = self._settings.for_task(found.task_name)
            slow = slow_ms(route, own)
            kept = self._bounds[found.task_id] = _Bounds(
                found.task_name,
                route.version,
                slack_s=own.number("route.slack_ms") / 1000,
                slow_s=math.inf if slow is None else slow / 1000,
                shadow_rate=own.number("route.shadow_rate"),
            )
        return kept

    def is_idle(self) -> bool:
        """Whether no task has a route of its own."""
        return not self.directory.has_routes

    def unserved(self) -> list[str]:
        """The models that some route needs and no engine serves now."""
        return sorted(model for model in self.directory.served_models() if self.engines.url(model) is None)

    def knows_routes(self) -> bool:
        """Whether tasks and routes were ever read."""
        return self.directory.is_known


class TaskRouter(ProvidersOnly):
    """Routes by the tasks, routes and engines of a context; without a `body` no owned model is asked."""

    def __init__(self, context: GatewayContext, body: Body | None) -> None:
        self.body = body or owned_body
        self._context = context
        self._has_engine = body is not None

    def is_idle(self) -> bool:
        """Whether no task has a route of its own."""
        return self._context.is_idle()

    def find(self, asked: Asked, explicit_task: str | None) -> Assignment | None:
        """The task and route of a request."""
        return self._context.find(asked, explicit_task)

    def engine_url(self, model_id: str) -> str | None:
        """Where a model is served now."""
        return self._context.engines.url(model_id) if self._has_engine else None

    def confidence(self, route: Route, answer: OwnedAnswer) -> float:
        """By the calibrator that the proof made."""
        return routing.confidence(route, answer)

    def is_acceptable(self, route: Route, text: str, response_format: str | None) -> bool:
        """By the kind of the task's answers, and the schema that the request asks for."""
        return routing.is_acceptable(route, text, response_format)

    def withheld(self, route: Route, messages: Sequence[Message], text: str) -> str:
        """By the slices that the proof left with the provider."""
        return routing.withheld(route, messages, text)

    async def holds(self, assignment: Assignment) -> bool:
        """Asked of the database, together with other requests of the moment."""
        return await self._context.check.holds(assignment)


def asks_for_keys(settings: Settings) -> bool:
    """Whether callers need a gateway key."""
    return settings.flag("gateway.require_key") or not is_loopback(settings.text("gateway.host"))


def build_gateway(
    settings: Settings, recorder: Recorder, context: GatewayContext, oversight: Oversight, console: AsgiApp
) -> Gateway:
    """The gateway with everything that it is handed; where its engine cannot be loaded, no owned model is asked."""
    load_others()
    return Gateway(
        gateway_settings(settings),
        [_provider(settings, provider) for provider in settings.providers],
        recorder,
        TaskRouter(context, live_body(settings.text("serve.engine"))),
        console,
        oversight,
    )


def build_metrics(
    settings: Settings, context: GatewayContext, recorder: Recorder, *, number: int, run: str
) -> tuple[Meter, Metrics]:
    """A worker's meter, going on from where the worker of this number was, and the page of all workers."""
    meter = Meter()
    folder = settings.state.absolute() / "run" / "metrics"
    name_of = context.directory.name_of

    def gauges() -> dict[str, float]:
        is_failing = recorder.problem is not None
        return {"freehold_record_problem": float(is_failing), "freehold_waiting_bytes": float(recorder.waiting_bytes)}

    levels = context.directory.levels
    sources = Sources(folder=folder, name=f"worker-{number}", run=run, gauges=gauges, levels=levels, task_name=name_of)
    metrics = Metrics(meter, sources)
    metrics.restore()
    return meter, metrics


def build_access_log(settings: Settings) -> AccessLog:
    """The log of calls, as far as one is wanted."""
    return AccessLog(cast(AccessMode, settings.text("gateway.access_log")))


def traces(settings: Settings) -> bool:
    """Whether calls become spans."""
    return is_wanted(settings.flag("gateway.tracing"), os.environ)


def gateway_settings(settings: Settings) -> GatewaySettings:
    """What the settings say of the gateway itself."""
    return GatewaySettings(
        max_body_bytes=int(settings.number("gateway.max_body_mb") * 2**20),
        engine_timeout_s=settings.number("route.engine_timeout_s"),
        engine_slots=max(1, settings.whole("serve.slots") // max(1, settings.whole("gateway.workers"))),
        record_wait_s=settings.number("gateway.record_wait_s"),
        client_wait_s=settings.number("gateway.client_timeout_s"),
        connections=settings.whole("gateway.max_connections"),
        add_usage=settings.flag("gateway.add_usage"),
        allowed_origins=read_origins(settings.text("gateway.allowed_origins")),
        assumed_output_tokens=settings.whole("gateway.assumed_output_tokens"),
        hosts=read_hosts(settings.text("gateway.allowed_hosts"), settings.text("gateway.host")),
        background_asks=settings.whole("route.background_asks"),
    )


def limits(settings: Settings) -> Limits:
    """What clients may take, within the files that this process may open."""
    own = gateway_settings(settings)
    connections = most_connections(own.connections, raise_file_limit())
    return Limits(body_bytes=own.max_body_bytes, client_wait_s=own.client_wait_s, connections=connections)


def _provider(settings: Settings, provider: ProviderSettings) -> Provider:
    def timeout_s(name: str) -> float:
        return provider.timeouts.get(name, settings.number(f"gateway.{name}"))

    return Provider(
        name=provider.name,
        base_url=provider.base_url,
        dialect=provider.dialect,
        key_env=provider.key_env,
        models=provider.models,
        prices=provider.prices,
        timeouts=Timeouts(
            connect_s=timeout_s("connect_timeout_s"),
            first_byte_s=timeout_s("first_byte_timeout_s"),
            idle_s=timeout_s("idle_timeout_s"),
            total_s=timeout_s("total_timeout_s"),
        ),
        resilience=Resilience(
            retries=provider.retries,
            backoff_s=provider.backoff_s,
            longest_pause_s=provider.longest_pause_s,
            fallbacks=tuple(Fallback(name, model or None) for name, model in provider.fallbacks),
            hedge_after_s=provider.hedge_after_s,
            breaker_failures=provider.breaker_failures,
            breaker_s=provider.breaker_s,
        ),
    )
