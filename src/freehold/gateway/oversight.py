"""Oversight of calls: who is let in, what is counted and logged, and what probes are told.

Every part can be absent: a gateway without any lets everybody in and counts nothing. Not covered: the parts themselves
(`gateway.keys.admission`, `meter`, `access`, `health`, `metrics`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from freehold.gateway.config import Provider
from freehold.gateway.errors import RefusedError, json_headers, reply
from freehold.gateway.keys.admission import Admission, is_loopback
from freehold.gateway.keys.budgets import Budgets
from freehold.gateway.keys.estimates import likely_amount
from freehold.gateway.keys.scope import Admitted
from freehold.gateway.refusal_counts import REFUSED_TAG, RefusedCounts
from freehold.gateway.request_context import RequestContext
from freehold.gateway.telemetry.access import Accessed, AccessLog
from freehold.gateway.telemetry.health import HEALTHY, Readiness
from freehold.gateway.telemetry.meter import Meter
from freehold.gateway.telemetry.metrics import CONTENT_TYPE
from freehold.httpd.heads import Header
from freehold.httpd.request import Request
from freehold.httpd.server import Crowd
from freehold.model.assignment import Assignment
from freehold.model.key import Key
from freehold.record import Exchange, Recorder, UnderWay

Page = tuple[int, list[Header], bytes]

_FULL = "All %d connections are in use by calls; who comes now is answered with 503. See gateway.max_connections."
_NOT_FULL = "There is room again within %d connections."
_LOG = logging.getLogger("freehold.gateway")
TRACE_TAG = "traceparent"
_UPSTREAM_CODES = ("upstream_unreachable", "upstream_timeout", "upstream_cut_off", "cut_off", "idle_timeout")


def _all_well() -> str | None:
    return None


def _no_lag() -> float:
    return 0.0


def _knows() -> bool:
    return True


def _all_served() -> Collection[str]:
    return ()


@dataclass(slots=True, kw_only=True)
class Oversight:
    """What a gateway is watched with.

    `metrics` gives the page for Prometheus. `database_problem` says why the database cannot be read, `knows_routes`
    whether tasks and routes were ever read, `delivery_lag_s` for how many seconds calls have waited for the database,
    `unserved` which models some route needs and no engine serves. With `is_tracing` the caller's `traceparent` is kept
    for the spans.
    """

    admission: Admission | None = None
    meter: Meter = field(default_factory=Meter)
    under_way: UnderWay = field(default_factory=UnderWay)
    refused: RefusedCounts = field(default_factory=RefusedCounts)
    budgets: Budgets | None = None
    access: AccessLog | None = None
    metrics: Callable[[], bytes] | None = None
    database_problem: Callable[[], str | None] = _all_well
    knows_routes: Callable[[], bool] = _knows
    delivery_lag_s: Callable[[], float] = _no_lag
    engine_problem: Callable[[], str | None] = _all_well
    unserved: Callable[[], Collection[str]] = _all_served
    is_tracing: bool = False
    is_stopping: bool = False
    crowd: Crowd = field(default_factory=Crowd)

    def watch_engines(self, gauges: Callable[[], Mapping[str, float]], problem: Callable[[], str | None]) -> None:
        """Take where the figures of engines are, and what is wrong with them."""
        self.meter.more_gauges, self.engine_problem = gauges, problem

    def note_connections(self, crowd: Crowd) -> None:
        """Take how many connections there are; the log says it when somebody is turned away, and when no more."""
        if crowd.is_full != self.crowd.is_full:
            _LOG.warning(_FULL if crowd.is_full else _NOT_FULL, crowd.most)
        self.crowd = crowd
        self.meter.connections = crowd.open
        for reason, count in (("full", crowd.turned_away), ("idle", crowd.closed_idle)):
            if count:
                self.meter.add("freehold_connections_closed", (reason,), count)

    def knows(self, request: Request) -> bool:
        """Whether a request's body may be read: its key is valid, or it needs none."""
        return self.admission is None or self.admission.knows(request.header)

    def admit(self, context: RequestContext) -> Admitted | None:
        """Let a request in; RefusedError when its key does not open this gateway."""
        if self.is_tracing and (parent := context.header(b"traceparent")):
            context.tags[TRACE_TAG] = parent[:64]
        if self.admission is None:
            return None
        admitted = self.admission.identify(context.header, now=context.created_at)
        if admitted is not None:
            context.key_id = admitted.key_id
            self.admission.count(admitted, now=context.created_at)
        return admitted

    async def reserve(
        self, context: RequestContext, key: Key, providers: Sequence[Provider], *, assumed_output: int
    ) -> None:
        """Reserve what a call may use of its key's budgets; RefusedError where they leave too little."""
        if self.budgets is None:
            return
        amount = likely_amount(context, key, providers, assumed_output=assumed_output)
        if amount is not None:
            context.has_reservation = True
            await self.budgets.reserve(key, context.id, amount)

    def release(self, context: RequestContext) -> None:
        """Take that a call has ended: what is reserved for it is free, unless it is still to be settled."""
        if context.has_reservation and self.budgets is not None:
            self.budgets.release(context.key_id or "", context.id)

    def observe(self, context: RequestContext, kept: Exchange) -> None:
        """Count and log one finished call."""
        response, decision = kept.response, kept.decision
        self.meter.observe(
            task=decision.task_key,
            provider=decision.provider,
            arm=decision.arm,
            status=response.status,
            dialect=context.dialect,
            latency_s=response.latency_ms / 1000,
            first_byte_s=None if response.ttft_ms is None else response.ttft_ms / 1000,
            gateway_s=(response.gateway_ms or 0.0) / 1000,
        )
        if decision.arm == "rented" and decision.coins.engine is not None:
            task = self.meter.task_label(decision.task_key)
            self.meter.add("freehold_engine_fallbacks", (task, decision.coins.engine))
        if response.error is not None:
            self._count_failure(response.error, decision.provider, is_own=response.ttft_ms is None)
        if self.access is not None and self.access.wants(response.status, response.error):
            self.access.log(
                is_refused=REFUSED_TAG in decision.tags,
                accessed=Accessed(
                    at=context.created_at,
                    id=context.id,
                    task=decision.task_key,
                    provider=decision.provider,
                    arm=decision.arm,
                    model=context.model,
                    status=response.status,
                    latency_ms=response.latency_ms,
                    error=response.error,
                ),
            )

    def begin(self, context: RequestContext, assignment: Assignment) -> None:
        """Take that a call has come that a route of its task's own places; others are read in no order."""
        if assignment.route.model_id is not None:
            self.under_way.begin(assignment.task_id, context.id, context.created_at)
            if assignment.new_prompt is not None:
                self.meter.add("freehold_new_prompt_calls", (assignment.task_key, str(assignment.new_prompt.number)))

    def end(self, context: RequestContext, assignment: Assignment | None) -> None:
        """Take that it has ended, and is kept."""
        if assignment is not None:
            self.under_way.end(assignment.task_id, context.id)

    def _count_failure(self, code: str, provider: str, *, is_own: bool) -> None:
        if code in _UPSTREAM_CODES:
            self.meter.fail_upstream(provider or "none", code)
        elif is_own and code != "client_gone":
            self.meter.refuse(code)

    def page(
        self, request: Request, recorder: Recorder, providers: Sequence[Provider], *, is_welcome: bool
    ) -> Page | None:
        """What probes are told at their paths, and figures at theirs; None at any other, and for callers elsewhere.

        `is_welcome`: the request goes by a name of this gateway, and no foreign page sends it.
        """
        match request.target.partition(b"?")[0]:
            case b"/healthz":
                return 200, json_headers(HEALTHY), HEALTHY
            case b"/readyz":
                is_whole = is_welcome and self._why_not_look(request) is None
                status, body = self._readiness(recorder, len(providers)).reply(is_whole=is_whole)
                return status, json_headers(body), body
            case b"/metrics" if self.metrics is not None:
                refusal = self._why_not_look(request)
                if refusal is not None:
                    return refusal.status, *reply(refusal, "other")
                body = self.metrics()
                return 200, [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(body))], body
        return None

    def _why_not_look(self, request: Request) -> RefusedError | None:
        """Figures are for whoever has a gateway key, and for this machine where none is asked for; None where both."""
        is_near = is_from_this_machine(request)
        try:
            admitted = self.admission.identify(request.header) if self.admission is not None else None
        except RefusedError as refusal:
            return refusal
        return None if is_near or admitted is not None else _not_from_here()

    def _engines(self) -> str | None:
        away = [f"{model_id} is not served; the provider answers its calls" for model_id in self.unserved()]
        left_alone = self.engine_problem()
        return "; ".join([*away, *([left_alone] if left_alone else [])]) or None

    def _readiness(self, recorder: Recorder, providers: int) -> Readiness:
        recorder.look()
        return Readiness(
            journal_problem=recorder.problem,
            is_full=recorder.is_full,
            is_stopping=self.is_stopping,
            providers=providers,
            knows_routes=self.knows_routes(),
            database_problem=self.database_problem(),
            delivery_lag_s=self.delivery_lag_s(),
            engine_problem=self._engines(),
            connections=self.crowd.open,
            most_connections=self.crowd.most,
            is_crowded=self.crowd.is_full,
        )


def is_from_this_machine(request: Request) -> bool:
    """Whether the client is on this machine, as far as its address tells."""
    return request.peer is None or is_loopback(request.peer[0])


def _not_from_here() -> RefusedError:
    hint = "Send a gateway key as Bearer fhk_...; freehold keys add NAME makes one."
    return RefusedError(401, "missing_gateway_key", "Figures are for this machine and for who has a key.", hint=hint)
