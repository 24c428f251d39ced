"""The gateway: it forwards, answers and records calls.

    /v1/...  /openai/...        a call: admitted, assigned to its task, answered by a provider or the owned model
    /chat/completions ...       a call with a mistake in its base URL: a hint, and a record
    /healthz /readyz /metrics   what probes and Prometheus ask
    the rest                    the application that was handed in (the console), or 404

Not covered: HTTP itself (`httpd`), settings, tables, and which task a request belongs to; they are handed in.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from freehold.dialects import dialect_of
from freehold.dialects.paths import Fault
from freehold.gateway.background import Background
from freehold.gateway.checks import check
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.doors import Doors
from freehold.gateway.engine_gate import EngineGate
from freehold.gateway.errors import RefusedError, json_headers, mistaken_path, reply
from freehold.gateway.keys.scope import Admitted
from freehold.gateway.keys.stray_keys import check_body, check_place
from freehold.gateway.models import is_about_models, is_model_list, sole_source, told_models
from freehold.gateway.origins import is_preflight, preflight_headers, reading_headers
from freehold.gateway.oversight import Oversight, is_from_this_machine
from freehold.gateway.owned import Attempt, Owned, decision_of, fits, unfit, unproven
from freehold.gateway.provider.exchange import CLIENT_GONE_STATUS
from freehold.gateway.refuser import Refuser
from freehold.gateway.rented import Rented
from freehold.gateway.request_context import RequestContext
from freehold.gateway.router import Router
from freehold.gateway.sampling import throw_coins
from freehold.gateway.targets import CALLS, PAGE_BODY_BYTES, fault_of, no_page, origin_form
from freehold.gateway.telemetry.health import is_probe
from freehold.httpd.asgi import AsgiApp, answer_with
from freehold.httpd.client import Pool
from freehold.httpd.request import ClientGoneError, Request
from freehold.model.assignment import Assignment
from freehold.model.coins import DROPPED, Coins
from freehold.record import Decision, Exchange, GoneError, Recorder, ResponseSide

_LOG = logging.getLogger("freehold.gateway")


class Gateway:
    """One gateway; to be used on one event loop. The recorder is its owner's to close."""

    def __init__(
        self,
        settings: GatewaySettings,
        providers: Sequence[Provider],
        recorder: Recorder,
        router: Router,
        other: AsgiApp | None = None,
        oversight: Oversight | None = None,
    ) -> None:
        self._settings = settings
        self._providers = tuple(providers)
        self._doors = Doors(settings.hosts, settings.allowed_origins)
        self._recorder = recorder
        self._router = router
        self._other = other
        self.oversight = oversight or Oversight()
        self._refuser = Refuser(recorder, self.oversight.refused, settings.record_wait_s)
        self._pool = Pool()
        self._rented = Rented(settings, providers, self._pool, recorder)
        self._gate = EngineGate(settings, router, self._pool)
        self._owned = Owned(settings, router, self._pool, self._gate, recorder)
        self.oversight.watch_engines(self._gate.gauges, self._gate.problem)
        self._background = Background(settings.background_asks, self.oversight.meter.add)

    async def shutdown(self) -> None:
        """Let audits and shadows end, for a while, then close the pool."""
        await self._background.close()
        await self._gate.close()
        self._pool.close()

    def screen(self, request: Request) -> None:
        """Keep a stranger's body out: it is not read, and the request is answered by its head."""
        is_known = self.oversight.knows(request)
        if is_known and request.target.startswith(CALLS):
            return
        is_call = origin_form(request.target).startswith(CALLS)
        if not is_known and (is_call or not is_from_this_machine(request)):
            request.leave_body()
        elif not is_call:
            request.bound_body(min(PAGE_BODY_BYTES, self._settings.max_body_bytes))

    async def __call__(self, request: Request) -> None:
        """Answer one request."""
        if request.method == "CONNECT":
            self._tell(request, RefusedError(405, "no_tunnels", "This gateway is no proxy.", hint="Ask it for /v1/..."))
            return
        target = request.target = origin_form(request.target)
        is_call = target.startswith(CALLS)
        refusal = self._doors.refusal_of(request, is_call=is_call)
        if refusal is not None and not is_probe(target):
            self.oversight.meter.refuse(refusal.code)
            self._tell(request, refusal)
            return
        if is_call:
            if is_preflight(request):
                self._answer_preflight(request)
            else:
                await self._serve(request, fault_of(request) if target.startswith(b"/v1/v1") else None)
            return
        page = self.oversight.page(request, self._recorder, self._providers, is_welcome=refusal is None)
        if page is not None:
            status, headers, body = page
            request.start(status, headers)
            request.finish(body)
        elif (fault := fault_of(request)) is not None:
            await self._serve(request, fault)
        elif self._other is not None and request.problem is None:
            await self._let_other_answer(self._other, request)
        else:
            self._tell(request, no_page(request))

    def _tell(self, request: Request, refusal: RefusedError) -> None:
        headers, body = reply(refusal, dialect_of(request.target.partition(b"?")[0].decode("latin-1")))
        request.start(refusal.status, headers)
        request.finish(body)

    def _answer_preflight(self, request: Request) -> None:
        try:
            request.start(204, preflight_headers(request, self._settings.allowed_origins))
            request.finish()
        except RefusedError as refusal:
            self._tell(request, refusal)

    async def _let_other_answer(self, other: AsgiApp, request: Request) -> None:
        try:
            await answer_with(other, request)
        except ClientGoneError:
            _LOG.debug("A client left before its page was there.")

    async def _serve(self, request: Request, fault: tuple[Fault, str] | None) -> None:
        """One call, from its first byte to its last; every way out leaves a record, and a refusal at least a count."""
        context = RequestContext(request, self._settings.max_body_bytes, meant=fault[1] if fault else None)
        if b"origin" in request.by_name:
            request.beside = reading_headers(request, self._settings.allowed_origins)
        if self._recorder.refuses:
            self._refuser.turn_away(context)
            return
        self.oversight.meter.calls_under_way += 1
        assignment: Assignment | None = None
        try:
            admitted = self._let_in(context, fault)
            if is_about_models(context) and not sole_source(self._providers, context):
                kept = await self._tell_models(context)
            else:
                assignment = self._place(context, admitted)
                if admitted is not None and admitted.key.has_budget:
                    await self._reserve(context, admitted)
                if assignment is not None:
                    self.oversight.begin(context, assignment)
                kept = await self._answer(context, assignment)
        except RefusedError as refusal:
            kept = await self._refuser.refuse(context, decision_of(assignment), refusal)
        except ClientGoneError:
            side = ResponseSide(status=CLIENT_GONE_STATUS, error="client_gone")
            kept = Exchange(context.side(), decision_of(assignment), side)
            self._recorder.add(kept)
        except GoneError:
            self._refuser.turn_away(context)
            return
        except Exception:
            _LOG.exception("Call %s failed inside the gateway.", context.id)
            if request.is_begun:
                request.abort()
                return
            bug = RefusedError(500, "gateway_failed", "The gateway failed on this request.", hint="See its log.")
            kept = await self._refuser.refuse(context, decision_of(assignment), bug)
        finally:
            self.oversight.meter.calls_under_way -= 1
            self.oversight.end(context, assignment)
            self.oversight.release(context)
        self.oversight.observe(context, kept)

    def _let_in(self, context: RequestContext, fault: tuple[Fault, str] | None) -> Admitted | None:
        """Whose call it is, where keys are asked for; RefusedError for one that cannot be served or its key bars."""
        check_place(context)
        admitted = self._admit(context)
        if fault is not None:
            raise mistaken_path(context.path, *fault)
        check(context, self._settings)
        check_body(context)
        if admitted is not None:
            admitted.allows(context)
        return admitted

    def _admit(self, context: RequestContext) -> Admitted | None:
        """RefusedError for a key that does not open this gateway; what came with it is not kept."""
        try:
            return self.oversight.admit(context)
        except RefusedError:
            context.body = b""
            raise

    async def _answer(self, context: RequestContext, assignment: Assignment | None) -> Exchange:
        if assignment is None:
            return await self._rented.answer(context, decision_of(assignment))
        kept = await self._answer_placed(context, assignment)
        self._gate.learn(assignment, kept)
        return kept

    async def _answer_placed(self, context: RequestContext, assignment: Assignment) -> Exchange:
        """Let the owned model answer where the route and the coin say so and it is sure; else the provider."""
        if assignment.route.kind == "rented" or not fits(context, assignment):
            return await self._rented.answer(context, decision_of(assignment, unfit(assignment)))
        left_alone = unproven(context, assignment)
        if left_alone is not None:
            return await self._rented.answer(context, decision_of(assignment, left_alone))
        assignment = self._as_far_as_there_is_room(throw_coins(assignment, self._router.draw))
        if not assignment.is_local:
            if assignment.coins.is_shadow_due:
                self._background.start("shadow", self._shadow(context, assignment))
            beside = Attempt(propensity=assignment.propensity, coins=assignment.coins)
            return await self._rented.answer(context, decision_of(assignment, beside))
        with context.http.attended():
            attempt = await self._attempt(context, assignment)
        if attempt.is_used:
            kept = await self._owned.answer(context, assignment, attempt)
            if assignment.coins.is_audit_due:
                decision = structs.replace(decision_of(assignment), arm="audit", propensity=assignment.route.audit_rate)
                self._background.start("audit", self._audit(context, assignment, decision))
            return kept
        if attempt.answer is not None:
            self._recorder.add(self._owned.kept(context, assignment, attempt, arm="shadow", parent_id=context.id))
        return await self._rented.answer(context, decision_of(assignment, attempt))

    async def _attempt(self, context: RequestContext, assignment: Assignment) -> Attempt:
        """Ask the owned model; its answer is used only while the route holds, which may just have been taken back."""
        attempt = await self._owned.attempt(context, assignment)
        if attempt.is_used and not await self._router.holds(assignment):
            attempt = replace(attempt, is_used=False, coins=Coins(owned="withdrawn"))
        said = attempt.coins
        coins = structs.replace(assignment.coins, owned=said.owned, engine=said.engine, slice=said.slice)
        return replace(attempt, propensity=assignment.propensity, coins=coins)

    def _as_far_as_there_is_room(self, assignment: Assignment) -> Assignment:
        """What is left out for want of room is left out before any answer is known, so that it says nothing of them."""
        coins = assignment.coins
        if coins.is_audit_due and not self._background.has_room("audit"):
            return replace(assignment, coins=structs.replace(coins, audit=DROPPED))
        if coins.is_shadow_due and not self._background.has_room("shadow"):
            return replace(assignment, coins=structs.replace(coins, shadow=DROPPED))
        return assignment

    async def _audit(self, context: RequestContext, assignment: Assignment, decision: Decision) -> None:
        decision = structs.replace(decision, parent_id=context.id)
        self._gate.learn(assignment, await self._rented.collect(context.again(), decision))

    async def _shadow(self, context: RequestContext, assignment: Assignment) -> None:
        attempt = await self._owned.attempt(context, assignment, is_background=True)
        attempt = replace(attempt, propensity=assignment.route.shadow_rate)
        self._recorder.add(self._owned.kept(context, assignment, attempt, arm="shadow", parent_id=context.id))

    def _place(self, context: RequestContext, admitted: Admitted | None) -> Assignment | None:
        """The task of a request, where that matters; RefusedError when its key is not for the task."""
        assignment = None
        if not self._router.is_idle() or (admitted is not None and admitted.key.tasks):
            assignment = self._find(context)
        if admitted is not None and not is_model_list(context):
            task_key = assignment.task_key if assignment is not None else None
            admitted.allows_task(task_key=task_key, task_name=context.explicit_task)
        return assignment

    async def _reserve(self, context: RequestContext, admitted: Admitted) -> None:
        assumed = self._settings.assumed_output_tokens
        await self.oversight.reserve(context, admitted.key, self._providers, assumed_output=assumed)

    def _find(self, context: RequestContext) -> Assignment | None:
        asked = context.asked
        if asked is None:
            return None
        try:
            return self._router.find(asked, context.explicit_task)
        except Exception:
            _LOG.exception("Call %s could not be placed in a task; the provider answers.", context.id)
            return None

    async def _tell_models(self, context: RequestContext) -> Exchange:
        body = await told_models(self._providers, context, self._pool)
        kept = Exchange(context.side(), Decision(provider="freehold"), ResponseSide(status=200, body=body))
        await self._recorder.commit(kept, self._settings.record_wait_s)
        context.http.start(200, [*json_headers(body), (b"freehold-call-id", context.id.encode())])
        context.http.finish(body)
        return kept
