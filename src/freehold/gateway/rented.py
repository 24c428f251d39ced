"""Letting a provider answer: the request goes out as it came, the response comes back as it came, the call is recorded.

The last bytes of a response are released once its call is durable: the last part of a plain body, the closing event of
a stream. Not covered: who should answer (`gateway.app`), the owned side (`gateway.owned`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import aiohttp

from freehold.core.call import Call
from freehold.gateway.client import Client
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.edits import UsageStrip, with_usage
from freehold.gateway.inbound import Inbound
from freehold.gateway.providers import choose_provider, response_headers, upstream_headers, upstream_url
from freehold.gateway.refusal import ClientGoneError, RefusedError
from freehold.gateway.upstream import UPSTREAM_FAILURES, Upstream
from freehold.record import Decision, Recorder, ResponseCapture, ResponseSide, make_call

CLIENT_GONE_STATUS = 499
_TRAILING_WAIT_S = 2.0


class Rented:
    """Asks providers, for a client or in the background."""

    def __init__(
        self, settings: GatewaySettings, providers: Sequence[Provider], upstream: Upstream, recorder: Recorder
    ) -> None:
        self._settings = settings
        self._providers = tuple(providers)
        self._upstream = upstream
        self._recorder = recorder

    async def answer(self, inbound: Inbound, decision: Decision, client: Client) -> None:
        """Answer the client with the provider's response; RefusedError when the provider gives none."""
        exchange = self._prepare(inbound, decision)
        try:
            with client:
                await exchange.open(self._upstream)
                held = await exchange.relay(client)
        except ClientGoneError:
            self._recorder.add(exchange.call("client_gone"))
            return
        except asyncio.CancelledError:
            self._recorder.add(exchange.call("cut_off"))
            raise
        finally:
            exchange.close_unless_ended()
        await self._recorder.commit_within(exchange.call(exchange.failure), self._settings.record_wait_s)
        await exchange.release(held, client)

    async def collect(self, inbound: Inbound, decision: Decision) -> None:
        """Ask the provider with no client waiting (an audit) and record what it answers."""
        try:
            exchange = self._prepare(inbound, decision)
            try:
                await exchange.open(self._upstream)
                await exchange.relay(None)
            except asyncio.CancelledError:
                self._recorder.add(exchange.call("cut_off"))
                raise
            finally:
                exchange.close_unless_ended()
            self._recorder.add(exchange.call(exchange.failure))
        except RefusedError as refusal:
            side = ResponseSide(status=refusal.status, error=refusal.code)
            self._recorder.add(make_call(inbound.request, decision, side))

    def _prepare(self, inbound: Inbound, decision: Decision) -> Exchange:
        provider = choose_provider(self._providers, inbound)
        return Exchange(inbound, replace(decision, provider=provider.name), provider, self._settings)


class Exchange:
    """One exchange with a provider, under way."""

    def __init__(self, inbound: Inbound, decision: Decision, provider: Provider, settings: GatewaySettings) -> None:
        self.failure: str | None = None
        self.is_cleanly_ended = False
        self._inbound = inbound
        self._decision = decision
        self._provider = provider
        self._settings = settings
        self._response: aiohttp.ClientResponse | None = None
        self._capture: ResponseCapture | None = None
        self._strip: UsageStrip | None = None
        self._asked_at = self._ended_at = inbound.begun_at
        self._first_at: float | None = None

    async def open(self, upstream: Upstream) -> None:
        """Send the request and take the head of the response."""
        inbound, request = self._inbound, self._inbound.request
        headers = upstream_headers(self._provider, inbound, os.environ)
        body = self._body_with_usage() if self._settings.add_usage else None
        if body is not None:
            self._strip = UsageStrip()
            headers = [(name, value) for name, value in headers if name != "accept-encoding"]
            headers.append(("accept-encoding", "identity"))
        self._asked_at = time.perf_counter()
        url = upstream_url(self._provider, inbound.target)
        sent = inbound.body if body is None else body
        response = self._response = await upstream.ask(request.method, url, headers=headers, body=sent)
        encoding = response.headers.get("content-encoding", "")
        is_stream = "text/event-stream" in response.headers.get("content-type", "")
        if encoding or not is_stream:
            self._strip = None
        self._capture = ResponseCapture(
            request.dialect,
            is_stream=is_stream,
            content_encoding=encoding,
            limit_bytes=self._settings.record_body_bytes,
        )

    def _body_with_usage(self) -> bytes | None:
        asked = self._inbound.request.asked
        is_encoded = bool(self._inbound.header(b"content-encoding"))
        if asked is None or asked.dialect != "openai-chat" or not asked.is_stream or asked.wants_usage or is_encoded:
            return None
        return with_usage(self._inbound.body)

    async def relay(self, client: Client | None) -> bytes:
        """Pass the response on up to its last part, which is returned; without a client it is only kept."""
        assert self._response is not None
        assert self._capture is not None
        if client:
            client.prepare(self._response.status, self._headers())
            if not self._holds_last_part:
                await client.write(b"")
        held = b""
        try:
            while chunk := await self._read():
                self._capture.feed(chunk)
                piece = self._strip.feed(chunk) if self._strip else chunk
                if self._capture.is_ended:
                    opening = max(0, len(piece) - self._capture.closing_bytes)
                    if client:
                        await client.write(piece[:opening])
                    held = piece[opening:]
                    break
                if client and not self._holds_last_part:
                    await client.write(piece)
                elif client:
                    if held:
                        await client.write(held)
                    held = piece
            else:
                self.is_cleanly_ended = True
                held += self._strip.finish() if self._strip else b""
        except UPSTREAM_FAILURES:
            self.failure = "cut_off"
        self._ended_at = time.perf_counter()
        self._judge()
        return held

    async def _read(self) -> bytes:
        assert self._response is not None
        chunk = await self._response.content.readany()
        if self._first_at is None and chunk:
            self._first_at = time.perf_counter()
        return chunk

    def _judge(self) -> None:
        assert self._capture is not None
        self._capture.finish()
        if self._capture.error:
            self.failure = "upstream_error"
        elif not self._capture.is_complete:
            self.failure = "cut_off"

    @property
    def _holds_last_part(self) -> bool:
        """Whether the newest part waits for its successor: not in a stream, where it would be late."""
        assert self._response is not None
        return "content-length" in self._response.headers or "json" in self._response.headers.get("content-type", "")

    def _headers(self) -> list[tuple[bytes, bytes]]:
        assert self._response is not None
        raw = self._response.raw_headers
        return response_headers(raw, self._inbound.request.id, is_edited=self._strip is not None)

    async def release(self, held: bytes, client: Client) -> None:
        """Send what was held back, and whatever still follows the closing event of a stream.

        A response that broke off ends here without its last part, which breaks the client's connection off as well.
        """
        assert self._response is not None
        if self.is_cleanly_ended:
            await client.finish(held)
            return
        await client.write(held)
        if self.failure == "cut_off":
            return
        try:
            async with asyncio.timeout(_TRAILING_WAIT_S):
                while chunk := await self._response.content.readany():
                    await client.write(self._strip.feed(chunk) if self._strip else chunk)
        except UPSTREAM_FAILURES:
            self._response.close()  # the stream has ended by its own word; the connection is not worth more
        await client.finish(self._strip.finish() if self._strip else b"")

    def close_unless_ended(self) -> None:
        """Break the connection to the provider off, unless the response has come in whole."""
        is_ended = self._capture is not None and self._capture.is_ended
        if self._response is not None and not self.is_cleanly_ended and not is_ended:
            self._response.close()

    def call(self, error: str | None) -> Call:
        """What the record keeps of the exchange."""
        now = time.perf_counter()
        begun_at = self._inbound.begun_at
        ended_at = self._ended_at if self._ended_at > self._asked_at else now
        side = ResponseSide(
            status=self._response.status if self._response else CLIENT_GONE_STATUS,
            body=self._capture.body() if self._capture else b"",
            is_stream=self._capture.is_stream if self._capture else False,
            error=error,
            latency_ms=1000 * (ended_at - begun_at),
            ttft_ms=None if self._first_at is None else 1000 * (self._first_at - begun_at),
            gateway_ms=1000 * ((self._asked_at - begun_at) + (now - ended_at)),
            note=self._capture.note if self._capture else {},
        )
        return make_call(self._inbound.request, self._decision, side, prices=self._provider.prices)
