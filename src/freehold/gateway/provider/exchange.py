"""One exchange with a provider: its request goes out, its response comes back part by part, and both are kept.

The response is kept as it came, whatever its encoding or dialect; the record reads it later. Not covered: which
provider, and what is done when it fails (`gateway.provider.failover`); what of a body may pass when
(`gateway.provider.passage`).
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import lru_cache

from msgspec.structs import replace

from freehold.dialects.address import speaks_azure
from freehold.dialects.model_name import with_added_model, with_model
from freehold.dialects.paths import AZURE, path_model
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.errors import unanswered
from freehold.gateway.provider.edits import UsageStrip
from freehold.gateway.provider.passage import Passage
from freehold.gateway.provider.provider_keys import lent_key
from freehold.gateway.provider.providers import address, response_headers, upstream_head
from freehold.gateway.provider.usage import UsageHabits, UsageOption, refuses_option
from freehold.gateway.request_context import RequestContext
from freehold.httpd.client import Pool, Response, UpstreamError
from freehold.httpd.heads import Header
from freehold.httpd.request import Request
from freehold.record import Decision, Exchange, ResponseSide, decode_body

CLIENT_GONE_STATUS = 499
UNDECIDED = Decision()
USAGE_TAG = "usage_option"
_TRAILING_WAIT_S = 2.0
_OK, _LEAST_ERROR_STATUS = 200, 400
_LARGEST_ERROR_BYTES = 64 * 2**20
_LARGEST_LEARNT_BYTES = 2**22
_MASK = b"[key]"
_ABOUT_THE_BODY = (b"content-length", b"content-encoding")


class ProviderExchange:
    """An exchange under way; `failure` says what went wrong after the head, `is_ended` that nothing more is to come."""

    def __init__(
        self,
        context: RequestContext,
        decision: Decision,
        provider: Provider,
        settings: GatewaySettings,
        habits: UsageHabits,
        *,
        model: str | None = None,
    ) -> None:
        self.provider = provider
        self.decision = _by(provider.name) if decision is UNDECIDED else replace(decision, provider=provider.name)
        self.response: Response | None = None
        self.failure: str | None = None
        self.is_ended = False
        self._context = context
        self._settings = settings
        self._model = model
        self._passage: Passage | None = None
        self._peeked = b""
        self._option: UsageOption | None = None
        if settings.add_usage and context.lacks_usage:
            self._option = UsageOption(habits, provider, address(provider.base_url)[0], model or context.model)
        self._is_replay = False
        self._is_masked = False
        self._secret = b""
        self._note: dict[str, str] = {}
        self._asked_at = self._ended_at = context.begun_at
        self._first_at: float | None = None

    @property
    def status(self) -> int:
        """The response's status; 0 before there is one."""
        return self.response.status if self.response is not None else 0

    async def open(self, pool: Pool) -> None:
        """Send the request and take the head of the response; RefusedError when none comes."""
        body, option = self._body(), self._option
        edited = option.added_to(body) if option is not None else None
        self._asked_at = time.perf_counter()
        await self._ask(pool, edited or body, option.strip() if option is not None and edited is not None else None)
        if option is not None and edited is not None and await self._refuses_option(edited):
            await self._ask(pool, body, None)
            if self.status < _LEAST_ERROR_STATUS:
                option.is_refused()
                self._note[USAGE_TAG] = "refused"
        if self.status >= _LEAST_ERROR_STATUS and self._secret:
            await self._take_error()

    async def _ask(self, pool: Pool, body: bytes, strip: UsageStrip | None) -> None:
        context, provider = self._context, self.provider
        lent = lent_key(provider, context, os.environ)
        self._secret = lent[1].removeprefix(b"Bearer ") if lent is not None else b""
        is_identity = strip is not None
        head = upstream_head(provider, context, lent, size_bytes=len(body), is_identity=is_identity, model=self._model)
        origin, _ = address(provider.base_url)
        try:
            is_head = context.method == "HEAD"
            response = await pool.ask(origin, head, body, is_head=is_head, timeouts=provider.timeouts)
        except UpstreamError as error:
            self._ended_at = time.perf_counter()
            raise unanswered(origin, error) from error
        self.response, self._is_replay, self.is_ended = response, False, False
        self._peeked, self._is_masked = b"", False
        self._first_at = time.perf_counter()
        is_stream = "text/event-stream" in response.header(b"content-type")
        self._passage = Passage(
            context.dialect,
            encoding=response.header(b"content-encoding"),
            is_stream=is_stream,
            may_be_stream=context.is_stream and response.status < _LEAST_ERROR_STATUS,
            limit_bytes=self._settings.record_body_bytes,
            strip=strip,
        )
        if strip is not None and self._passage.is_stream is None:
            await self._peek(self._passage)

    async def _peek(self, passage: Passage) -> None:
        """Take the first bytes before the head goes on: whether the body is edited decides about its length."""
        assert self.response is not None
        try:
            while passage.is_stream is None and (chunk := await self.response.read()):
                self._peeked += passage.take(chunk)
            if passage.is_stream is None:
                self._peeked += passage.rest()
        except UpstreamError as error:
            self.failure = _failure_of(error)

    async def _refuses_option(self, edited: bytes) -> bool:
        """Whether the provider refuses what was added to the request; what is no stream is read whole to see that."""
        if self._passage is None or (self.status < _LEAST_ERROR_STATUS and self._passage.is_stream is not False):
            return False
        await self._take_error()
        plain = self._plain(self._passage)
        return not self.failure and plain is not None and refuses_option(self.status, plain, edited)

    async def _take_error(self) -> None:
        """Read an error whole before it goes on: some providers repeat the key that they did not like."""
        passage = self._passage
        assert passage is not None
        assert self.response is not None
        if not self._is_replay:
            try:
                while chunk := await self.response.read():
                    passage.keep(chunk)
                self.is_ended = True
            except UpstreamError as error:
                self.failure = _failure_of(error)
            self._ended_at = time.perf_counter()
            self.replay()
        plain = self._plain(passage)
        if self._secret and plain is not None and self._secret in plain:
            passage.replace(plain.replace(self._secret, _MASK))
            self._is_masked = True

    def _plain(self, passage: Passage) -> bytes | None:
        if not passage.encoding:
            return passage.kept
        return decode_body(passage.encoding, passage.kept, limit_bytes=_LARGEST_ERROR_BYTES)

    def _body(self) -> bytes:
        """The body to send, with the model that a fallback names, or an Azure path where no other provider's can."""
        context, named = self._context, self._model
        is_moved = context.path.startswith(AZURE) and not speaks_azure(self.provider.base_url)
        if is_moved and named is None and not context.names_model:
            named = path_model(context.path)
        if named is None:
            return context.body
        edited = with_model(context.body, named)
        if edited is None and is_moved:
            edited = with_added_model(context.body, named)
        return edited or context.body

    async def relay(self, client: Request | None) -> bytes:
        """Pass the response on up to its last part, which is returned; without a client it is only kept.

        Held back is the newest part of a body whose length the client knows, and the closing event of a stream.
        """
        assert self.response is not None
        assert self._passage is not None
        passage = self._passage
        if client is not None:
            client.start(self.status, self.headers())
        if self._is_replay:
            return passage.kept
        if client is not None and passage.is_stream is not False:
            client.write(b"")
        held, passing = b"", self._peeked
        try:
            while True:
                if client is not None and passage.is_stream is False:
                    passing, held = held, passing
                if client is not None and passing:
                    client.write(passing)
                    await client.drain()
                if passage.is_ended or not (chunk := await self.response.read()):
                    break
                passing = passage.take(chunk)
            self.is_ended = not passage.is_ended
            held = passage.held if passage.is_ended else held + passage.rest()
        except UpstreamError as error:
            self.failure = _failure_of(error)
        self._ended_at = time.perf_counter()
        if self._option is not None:
            self._option.learn(self._unasked_stream)
        return held

    def _unasked_stream(self) -> bytes | None:
        """The stream as it came, where it is fit to learn from."""
        passage = self._passage
        if passage is None or not passage.is_stream or self.status != _OK or self.failure is not None:
            return None
        return self._plain(passage) if len(passage.kept) <= _LARGEST_LEARNT_BYTES else None

    def replay(self) -> None:
        """Let `relay` give the client what was read whole before: an attempt that failed, for want of a better one."""
        self._is_replay = True

    @property
    def can_replay(self) -> bool:
        """Whether the response has been read and kept whole."""
        return self.is_ended and self._passage is not None and not self._passage.note

    def headers(self) -> list[Header]:
        """The response's headers as the client gets them."""
        assert self.response is not None
        assert self._passage is not None
        is_edited = self._passage.is_edited
        is_from_page = b"origin" in self._context.http.by_name
        call_id = self._context.id
        headers = response_headers(self.response.headers, call_id, is_edited=is_edited, is_from_page=is_from_page)
        if self._is_masked:
            headers = [header for header in headers if header[0].lower() not in _ABOUT_THE_BODY]
            headers.append((b"content-length", b"%d" % len(self._passage.kept)))
        if self._secret and self.status >= _LEAST_ERROR_STATUS:
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
        assert self._passage is not None
        trailing = bytearray()
        try:
            async with asyncio.timeout(_TRAILING_WAIT_S):
                while chunk := await self.response.read():
                    trailing += self._passage.trailing(chunk)
        except (UpstreamError, TimeoutError):
            self.close()  # the stream has ended by its own word; the connection is not worth more
        return bytes(trailing) + self._passage.finish()

    def close(self) -> None:
        """Leave the provider: the connection is broken off unless the response has come in whole."""
        if self.response is not None:
            self.response.close()

    def kept(self, error: str | None) -> Exchange:
        """What the record keeps of the exchange; a client that left on an error of the provider's did not fail."""
        now = time.perf_counter()
        begun_at, passage = self._context.begun_at, self._passage
        ended_at = self._ended_at if self._ended_at > self._asked_at else now
        if error == "client_gone" and passage is not None and passage.tells_failure:
            error = "upstream_error"
        side = ResponseSide(
            status=self.status or CLIENT_GONE_STATUS,
            body=passage.kept if passage else b"",
            content_encoding=passage.encoding if passage else "",
            is_stream=bool(passage and passage.is_stream),
            is_cut=self.failure is not None or error == "client_gone",
            error=error,
            latency_ms=1000 * (ended_at - begun_at),
            ttft_ms=None if self._first_at is None else 1000 * (self._first_at - begun_at),
            gateway_ms=1000 * ((self._asked_at - begun_at) + (now - ended_at)),
            note={**self._note, **passage.note} if passage and passage.note else self._note,
        )
        return Exchange(self._context.side(), self.decision, side)


@lru_cache(maxsize=256)
def _by(provider: str) -> Decision:
    """The decision about a request of no task, which is made anew for every one of them."""
    return Decision(provider=provider)


def _failure_of(error: UpstreamError) -> str:
    return "cut_off" if error.kind in ("closed", "malformed") else error.kind
