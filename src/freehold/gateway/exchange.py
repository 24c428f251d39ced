"""One exchange with a provider: its request goes out, its response comes back part by part, and both are kept.

The response is kept as it came, whatever its encoding or dialect; the record reads it later. Not covered: which
provider, and what is done when it fails (`gateway.attempts`).
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from functools import lru_cache

from freehold.gateway.closing import ClosingScan
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.edits import UsageStrip, with_model, with_usage
from freehold.gateway.http1.client import Pool, Response, UpstreamError
from freehold.gateway.http1.request import Request
from freehold.gateway.inbound import Inbound
from freehold.gateway.providers import address, lent_key, response_headers, upstream_head
from freehold.gateway.refusal import RefusedError
from freehold.record import Decision, Exchange, ResponseSide, decode_body

CLIENT_GONE_STATUS = 499
UNDECIDED = Decision()
_TRAILING_WAIT_S = 2.0
_LEAST_ERROR_STATUS = 400
_LARGEST_ERROR_BYTES = 64 * 2**20
_MASK = b"[key]"
_ABOUT_THE_BODY = (b"content-length", b"content-encoding")
_HINTS = {
    "unreachable": "Check base_url in freehold.toml and the network.",
    "connect_timeout": "Ask again, or raise connect_timeout_s.",
    "first_byte_timeout": "Ask again, or raise first_byte_timeout_s.",
    "total_timeout": "Ask again, or raise total_timeout_s.",
}


class ProviderExchange:
    """An exchange under way; `failure` says what went wrong after the head, `is_ended` that nothing more is to come."""

    def __init__(
        self,
        inbound: Inbound,
        decision: Decision,
        provider: Provider,
        settings: GatewaySettings,
        *,
        model: str | None = None,
    ) -> None:
        self.provider = provider
        self.decision = _by(provider.name) if decision is UNDECIDED else replace(decision, provider=provider.name)
        self.response: Response | None = None
        self.failure: str | None = None
        self.is_ended = False
        self._inbound = inbound
        self._settings = settings
        self._model = model
        self._strip: UsageStrip | None = None
        self._scan: ClosingScan | None = None
        self._is_stream = False
        self._is_replay = False
        self._is_masked = False
        self._secret = b""
        self._encoding = ""
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._note: dict[str, str] = {}
        self._asked_at = self._ended_at = inbound.begun_at
        self._first_at: float | None = None

    @property
    def status(self) -> int:
        """The response's status; 0 before there is one."""
        return self.response.status if self.response is not None else 0

    async def open(self, pool: Pool) -> None:
        """Send the request and take the head of the response; RefusedError when none comes."""
        inbound, provider = self._inbound, self.provider
        body, is_edited = self._body()
        lent = lent_key(provider, inbound, os.environ)
        head = upstream_head(provider, inbound, lent, size_bytes=len(body), is_identity=is_edited)
        origin, _ = address(provider.base_url)
        self._asked_at = time.perf_counter()
        is_head = inbound.method == "HEAD"
        try:
            response = await pool.ask(origin, head, body, is_head=is_head, timeouts=provider.timeouts)
        except UpstreamError as error:
            self._ended_at = time.perf_counter()
            raise _refusal(provider, error) from error
        self.response = response
        self._first_at = time.perf_counter()
        self._encoding = response.header(b"content-encoding")
        self._is_stream = "text/event-stream" in response.header(b"content-type")
        if self._encoding or not self._is_stream:
            self._strip = None
        if self._is_stream:
            self._scan = ClosingScan(inbound.dialect)
        if lent is not None and response.status >= _LEAST_ERROR_STATUS:
            await self._take_error(response, lent[1].removeprefix(b"Bearer "))

    async def _take_error(self, response: Response, secret: bytes) -> None:
        """Read an error whole before it goes on: some providers repeat the key that they did not like."""
        try:
            while chunk := await response.read():
                self._keep(chunk)
            self.is_ended = True
        except UpstreamError as error:
            self.failure = _failure_of(error)
        self._ended_at = time.perf_counter()
        self._secret = secret
        self.replay()
        whole = b"".join(self._kept)
        plain = decode_body(self._encoding, whole, limit_bytes=_LARGEST_ERROR_BYTES) if self._encoding else whole
        if plain is not None and secret in plain:
            self._kept, self._encoding, self._is_masked = [plain.replace(secret, _MASK)], "", True

    def _body(self) -> tuple[bytes, bool]:
        """The body to send, and whether its answer is edited on its way back."""
        body = self._inbound.body
        if self._model is not None:
            body = with_model(body, self._model) or body
        if self._settings.add_usage and self._inbound.lacks_usage:
            edited = with_usage(body)
            if edited is not None:
                self._strip = UsageStrip()
                return edited, True
        return body, False

    async def relay(self, client: Request | None) -> bytes:
        """Pass the response on up to its last part, which is returned; without a client it is only kept.

        Held back is the newest part of a body whose length the client knows, and the closing event of a stream.
        """
        assert self.response is not None
        if client is not None:
            client.start(self.status, self.headers())
        if self._is_replay:
            return b"".join(self._kept)
        if client is not None and not self._holds_newest:
            client.write(b"")
        held = b""
        try:
            while chunk := await self.response.read():
                self._keep(chunk)
                passing = self._passing(chunk)
                if client is not None and self._holds_newest:
                    passing, held = held, passing
                if client is not None and passing:
                    client.write(passing)
                    await client.drain()
                if self._scan is not None and self._scan.is_ended:
                    held = self._scan.held
                    break
            else:
                self.is_ended = True
                held += self._rest()
        except UpstreamError as error:
            self.failure = _failure_of(error)
        self._ended_at = time.perf_counter()
        return held

    def replay(self) -> None:
        """Let `relay` give the client what was read whole before: an attempt that failed, for want of a better one."""
        self._is_replay = True

    @property
    def can_replay(self) -> bool:
        """Whether the response has been read and kept whole."""
        return self.is_ended and not self._note

    def _keep(self, chunk: bytes) -> None:
        self._kept_bytes += len(chunk)
        if self._kept_bytes <= self._settings.record_body_bytes:
            self._kept.append(chunk)
        elif self._kept:
            self._kept.clear()
            self._note["response_not_kept"] = f"more than {self._settings.record_body_bytes} bytes"

    def _passing(self, chunk: bytes) -> bytes:
        if self._strip is not None:
            chunk = self._strip.feed(chunk)
        if self._scan is None:
            return chunk
        if not self._encoding:
            return self._scan.feed(chunk)
        return chunk

    def _rest(self) -> bytes:
        """What edits and the search for the closing event still hold at the end of the body."""
        rest = self._strip.finish() if self._strip is not None else b""
        if self._scan is None or self._encoding:
            return rest
        return self._scan.feed(rest) + self._scan.held

    @property
    def _holds_newest(self) -> bool:
        """Whether the newest part waits for its successor: not in a stream, where it would be late."""
        return not self._is_stream

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response's headers as the client gets them."""
        assert self.response is not None
        headers = response_headers(self.response.headers, self._inbound.id, is_edited=self._strip is not None)
        if self._is_masked:
            headers = [header for header in headers if header[0].lower() not in _ABOUT_THE_BODY]
            headers.append((b"content-length", b"%d" % len(self._kept[0])))
        if self._secret:
            headers = [(name, value.replace(self._secret, _MASK)) for name, value in headers]
        return headers

    async def release(self, held: bytes, client: Request) -> None:
        """Send what was held back, and whatever still follows the closing event of a stream.

        A response that broke off ends here without its last part, which breaks the client's connection off as well.
        """
        if self.failure is not None:
            client.write(held)
            client.abort()
            return
        if self.is_ended:
            client.finish(held)
            return
        client.write(held)
        client.finish(await self._trailing())

    async def _trailing(self) -> bytes:
        """What the provider sends after the closing event, until its response ends, but not for long."""
        assert self.response is not None
        trailing = bytearray()
        try:
            async with asyncio.timeout(_TRAILING_WAIT_S):
                while chunk := await self.response.read():
                    trailing += self._strip.feed(chunk) if self._strip else chunk
        except (UpstreamError, TimeoutError):
            self.close()  # the stream has ended by its own word; the connection is not worth more
        return bytes(trailing) + (self._strip.finish() if self._strip else b"")

    def close(self) -> None:
        """Leave the provider: the connection is broken off unless the response has come in whole."""
        if self.response is not None:
            self.response.close()

    def kept(self, error: str | None) -> Exchange:
        """What the record keeps of the exchange."""
        now = time.perf_counter()
        begun_at = self._inbound.begun_at
        ended_at = self._ended_at if self._ended_at > self._asked_at else now
        is_cut = self.failure is not None or error == "client_gone"
        side = ResponseSide(
            status=self.status or CLIENT_GONE_STATUS,
            body=self._kept[0] if len(self._kept) == 1 else b"".join(self._kept),
            content_encoding=self._encoding,
            is_stream=self._is_stream,
            is_cut=is_cut,
            error=error,
            latency_ms=1000 * (ended_at - begun_at),
            ttft_ms=None if self._first_at is None else 1000 * (self._first_at - begun_at),
            gateway_ms=1000 * ((self._asked_at - begun_at) + (now - ended_at)),
            note=self._note,
        )
        return Exchange(self._inbound.side(), self.decision, side)


@lru_cache(maxsize=256)
def _by(provider: str) -> Decision:
    """The decision about a request of no task, which is made anew for every one of them."""
    return Decision(provider=provider)


def _failure_of(error: UpstreamError) -> str:
    return "cut_off" if error.kind in ("closed", "malformed") else error.kind


def _refusal(provider: Provider, error: UpstreamError) -> RefusedError:
    origin, _ = address(provider.base_url)
    is_late = error.kind.endswith("_timeout")
    code = "upstream_timeout" if is_late else "upstream_unreachable"
    words = "did not answer in time" if is_late else "cannot be reached"
    hint = _HINTS.get(error.kind, "Ask again; if it stays so, look at the provider.")
    return RefusedError(504 if is_late else 502, code, f"The provider at {origin} {words}: {error}.", hint=hint)
