"""One connection to an upstream; between two exchanges it waits in the pool.

Not covered: the pool (`client`), and what is done with the bytes (`response`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from freehold.httpd.heads import Header, has_token
from freehold.httpd.response import Origin, Response, UpstreamError

_KEEPALIVE_S = 20.0
_LARGEST_HEAD_BYTES = 256 * 2**10


class Connection(asyncio.Protocol):
    """One connection; between two exchanges it waits in the pool."""

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop, keep: Callable[[Connection], None]) -> None:
        self.origin = origin
        self._loop = loop
        self._keep = keep
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._is_head = False
        self._until_close = False
        self._headers: list[Header] = []
        self._head_bytes = 0
        self._unused_since = loop.time()
        self._is_spent = False

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent over it."""
        is_young = self._loop.time() - self._unused_since < _KEEPALIVE_S
        return self._transport is not None and is_young and not self._is_spent and not self._transport.is_closing()

    def begin(self, response: Response, *, is_head: bool) -> None:
        """The next response is this one."""
        self._response = response
        self._is_head = is_head
        self._until_close = False

    def send(self, data: bytes) -> None:
        """Send bytes of the request."""
        if self._transport is not None:
            self._transport.write(data)

    def go_on(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Break it off; nobody uses it again."""
        self._is_spent = True
        if self._transport is not None:
            self._transport.abort()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is not derived from it

    def data_received(self, data: bytes) -> None:
        """Take bytes of a response; bytes that nobody asked for end the connection."""
        response = self._response
        if response is None:
            self.drop()
            return
        if not response.is_headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._give_up(response, UpstreamError("malformed", "it switched to another protocol"))
        except httptools.HttpParserError as error:
            self._give_up(response, UpstreamError("malformed", f"its response is not HTTP: {error}"))
        if not response.is_headed and self._head_bytes > _LARGEST_HEAD_BYTES:
            self._give_up(response, UpstreamError("malformed", f"its head is larger than {_LARGEST_HEAD_BYTES} bytes"))

    def _give_up(self, response: Response, error: UpstreamError) -> None:
        response.fail(error)
        self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The upstream closed: the end of a response that lasts until then, else a break."""
        self._transport = None
        self._is_spent = True
        response, self._response = self._response, None
        if response is None:
            return
        if self._until_close and response.is_headed and exc is None:
            response.end()
        elif response.is_headed:
            response.fail(UpstreamError("closed", "it closed the connection in the middle of its response"))
        else:
            response.fail(UpstreamError("closed", "it closed the connection without a response"))

    # what the parser calls

    def on_message_begin(self) -> None:
        """A response begins; one that nobody asked for spoils the connection."""
        self._headers = []
        self._is_spent = self._is_spent or self._response is None

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole; interim responses (1xx) are not for the client."""
        response, status = self._response, self._parser.get_status_code()
        if response is None or status < 200:
            return
        names = {name.lower() for name, _ in self._headers}
        is_bodyless = self._is_head or status in (204, 304)
        is_chunked = b"transfer-encoding" in names and has_token(self._headers, b"transfer-encoding", b"chunked")
        self._until_close = not (is_bodyless or is_chunked or b"content-length" in names)
        response.add_head(status, self._headers)
        if self._is_head:
            self._is_spent = True  # the parser waits for a body that a HEAD never has
            self._finish(response)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._response is not None and not self._response.add(body) and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The body is whole."""
        response = self._response
        if response is not None and response.is_headed:
            self._is_spent = self._is_spent or self._until_close or not self._parser.should_keep_alive()
            self._finish(response)

    def _finish(self, response: Response) -> None:
        self._response = None
        self._head_bytes = 0
        response.end()
        if self._is_spent:
            if self._transport is not None:
                self._transport.close()
            return
        self._unused_since = self._loop.time()
        if self._transport is not None:
            self._transport.resume_reading()
        self._keep(self)
