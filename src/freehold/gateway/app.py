"""The gateway: an ASGI application that forwards, answers and records calls.

    /v1/...     a call: read, placed in its task, answered by the provider or the owned model, recorded
    /healthz    whether it is up and can write the record
    the rest    the application that was handed in (the console), or 404

Not covered: settings, the record's tables, and which task a request belongs to; they are handed in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace

from freehold.core.call import Dialect
from freehold.core.dialects import dialect_of, error_body
from freehold.core.dialects.values import dump
from freehold.core.ids import uuid7
from freehold.gateway.client import Client
from freehold.gateway.config import GatewaySettings, Placed, Provider, Switchboard
from freehold.gateway.inbound import Header, Inbound, Receive, Scope, Send, begin, read, read_body
from freehold.gateway.models import is_model_list, merged_models, sole_source
from freehold.gateway.owned import Owned, decision_of, fits
from freehold.gateway.refusal import ClientGoneError, RefusedError
from freehold.gateway.rented import CLIENT_GONE_STATUS, Rented
from freehold.gateway.upstream import Upstream
from freehold.record import Decision, Recorder, ResponseSide, make_call

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_BACKGROUND_WAIT_S = 10.0
_LOG = logging.getLogger("freehold.gateway")


class Gateway:
    """One gateway; `startup` and `shutdown` run on the loop that serves it. The recorder is its owner's to close."""

    def __init__(
        self,
        settings: GatewaySettings,
        providers: Sequence[Provider],
        recorder: Recorder,
        switchboard: Switchboard,
        other: AsgiApp | None = None,
    ) -> None:
        self._settings = settings
        self._providers = tuple(providers)
        self._recorder = recorder
        self._switchboard = switchboard
        self._other = other
        self._upstream = Upstream(settings)
        self._rented = Rented(settings, providers, self._upstream, recorder)
        self._owned = Owned(settings, switchboard, self._upstream, recorder)
        self._background: set[asyncio.Task[None]] = set()

    async def startup(self) -> None:
        """Open the pool of connections."""
        await self._upstream.start()

    async def shutdown(self) -> None:
        """Let audits and shadows end, for a while, then close the pool."""
        if self._background:
            await asyncio.wait(self._background, timeout=_BACKGROUND_WAIT_S)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._upstream.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path: str = scope["path"] if scope["type"] == "http" else ""
        if path.startswith("/v1/"):
            await self._serve(scope, Client(receive, send), receive)
        elif path == "/healthz":
            await self._tell_health(send)
        elif self._other is not None:
            await self._other(scope, receive, send)
        elif scope["type"] == "http":
            message = f"There is nothing at {path!r}. Calls go to /v1/..., as with the provider's own API."
            await _send_error(send, RefusedError(404, "not_found", message), dialect_of(path), [])

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                await self.startup()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.shutdown()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, client: Client, receive: Receive) -> None:
        """One call, from its first byte to its last; every way out leaves a record."""
        inbound = begin(scope)
        if self._recorder.is_full:
            await self._turn_away(inbound, client)
            return
        placed: Placed | None = None
        try:
            body = await read_body(inbound, receive, self._settings.max_body_bytes)
            inbound = read(inbound, body, self._settings.max_body_bytes)
            if inbound.problem is not None:
                hint = "Send a JSON object, as the provider's API reference describes it."
                raise RefusedError(400, "bad_body", inbound.problem, hint=hint)
            if is_model_list(inbound) and not sole_source(self._providers, inbound):
                await self._list_models(inbound, client)
                return
            placed = self._place(inbound)
            await self._answer(inbound, placed, client)
        except RefusedError as refusal:
            await self._refuse(inbound, decision_of(placed), refusal, client)
        except ClientGoneError:
            side = ResponseSide(status=CLIENT_GONE_STATUS, error="client_gone")
            self._recorder.add(make_call(inbound.request, decision_of(placed), side))
        except Exception:
            _LOG.exception("Call %s failed inside the gateway.", inbound.request.id)
            if client.has_started:
                raise
            bug = RefusedError(500, "gateway_failed", "The gateway failed on this request.", hint="See its log.")
            await self._refuse(inbound, decision_of(placed), bug, client)

    async def _answer(self, inbound: Inbound, placed: Placed | None, client: Client) -> None:
        """Let the owned model answer where the route says so and it is sure; else the provider."""
        if placed is None or placed.route.kind == "rented" or not fits(inbound, placed):
            await self._rented.answer(inbound, decision_of(placed), client)
            return
        if placed.route.kind == "shadow":
            self._start(self._shadow(inbound, placed))
            await self._rented.answer(inbound, decision_of(placed), client)
            return
        with client:
            attempt = await self._owned.attempt(inbound, placed)
        if attempt.is_used:
            await self._owned.answer(inbound, placed, attempt, client)
            self._maybe_audit(inbound, placed)
            return
        if attempt.answer is not None:
            self._recorder.add(self._owned.call(inbound, placed, attempt, arm="shadow", parent_id=inbound.request.id))
        await self._rented.answer(inbound, decision_of(placed, attempt), client)

    def _place(self, inbound: Inbound) -> Placed | None:
        asked = inbound.request.asked
        if asked is None:
            return None
        try:
            return self._switchboard.find(asked, inbound.explicit_task)
        except Exception:
            _LOG.exception("Call %s could not be placed in a task; the provider answers.", inbound.request.id)
            return None

    def _maybe_audit(self, inbound: Inbound, placed: Placed) -> None:
        rate = placed.route.audit_rate
        if self._switchboard.draw() < rate:
            decision = replace(decision_of(placed), arm="audit", propensity=rate, parent_id=inbound.request.id)
            audited = replace(inbound, request=replace(inbound.request, id=uuid7()))
            self._start(self._rented.collect(audited, decision))

    async def _shadow(self, inbound: Inbound, placed: Placed) -> None:
        attempt = await self._owned.attempt(inbound, placed)
        if attempt.answer is not None:
            self._recorder.add(self._owned.call(inbound, placed, attempt, arm="shadow", parent_id=inbound.request.id))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _list_models(self, inbound: Inbound, client: Client) -> None:
        body = await merged_models(self._providers, inbound, self._upstream)
        call = make_call(inbound.request, Decision(provider="freehold"), ResponseSide(status=200, body=body))
        await self._recorder.commit_within(call, self._settings.record_wait_s)
        client.prepare(200, [*_json_headers(body), (b"freehold-call-id", call.id.encode())])
        await client.finish(body)

    async def _refuse(self, inbound: Inbound, decision: Decision, refusal: RefusedError, client: Client) -> None:
        body = error_body(inbound.error_dialect, message=str(refusal), code=refusal.code)
        side = ResponseSide(status=refusal.status, body=body, error=refusal.code)
        call = make_call(inbound.request, decision, side)
        await self._recorder.commit_within(call, self._settings.record_wait_s)
        client.prepare(refusal.status, [*_error_headers(body, refusal), (b"freehold-call-id", call.id.encode())])
        await client.finish(body)

    async def _turn_away(self, inbound: Inbound, client: Client) -> None:
        refusal = RefusedError(
            503,
            "record_unavailable",
            f"The record cannot be written: {self._recorder.problem or 'too many calls wait for it'}.",
            hint="No new calls are taken until it can be. Look at the disk and the database of the state folder.",
        )
        body = error_body(inbound.error_dialect, message=str(refusal), code=refusal.code)
        client.prepare(503, [*_error_headers(body, refusal), (b"retry-after", b"1")])
        await client.finish(body)

    async def _tell_health(self, send: Send) -> None:
        problem = self._recorder.problem
        state = {"status": "ok" if problem is None else "degraded", "record": problem or "ok"}
        body = dump({**state, "waiting_calls": self._recorder.waiting_calls})
        client = Client(_never, send)
        client.prepare(200 if problem is None else 503, _json_headers(body))
        await client.finish(body)


async def _never() -> dict[str, object]:
    raise RuntimeError("nothing is received here")


def _json_headers(body: bytes) -> list[Header]:
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


def _error_headers(body: bytes, refusal: RefusedError) -> list[Header]:
    return [*_json_headers(body), (b"freehold-error", refusal.code.encode())]


async def _send_error(send: Send, refusal: RefusedError, dialect: Dialect, headers: list[Header]) -> None:
    body = error_body(dialect, message=str(refusal), code=refusal.code)
    client = Client(_never, send)
    client.prepare(refusal.status, [*_error_headers(body, refusal), *headers])
    await client.finish(body)
