"""One client's connection: bytes in, requests out, answered one after the other.

A peer that sends nothing or reads nothing is bounded in time, and whatever it sends is bounded in size; a request is
screened by its head before any of its body is kept. Malformed requests are answered with 400 and end the connection,
because nobody can say where the next one begins.

Not covered: accepting connections (`server`), and the way back to the client (`request`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal, cast

from freehold.httpd.host import Host
from freehold.httpd.limits import Refusal
from freehold.httpd.parser import ParserError, RequestParser, SwitchError
from freehold.httpd.request import Request

_LINGER_S = 2.0
_LINGER_BYTES = 2**20
_VERSIONS = ("1.0", "1.1")
_PROGRESS_BYTES = 1024
_MOST_WAITING = 8


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser = RequestParser(self, server.limits.headers)
        self._transport: asyncio.Transport | None = None
        self._state: Literal["idle", "head", "body", "answering", "ending", "lingering"] = "idle"
        self._since = loop.time()
        self._unread_bytes = 0
        self._current: Request | None = None
        self._waiting: deque[Request] = deque()
        self._reading: Request | None = None
        self._head_bytes = 0
        self._refusal: Refusal | None = None
        self._is_reading_over = False
        self._unsent_bytes = 0

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection, or tell it that there are too many."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is not derived from it
        entry = self._server.let_in(self)
        if entry == "dropped":
            self._transport.abort()
        elif entry == "told":
            self._refuse("full")

    def data_received(self, data: bytes) -> None:
        """Take bytes; what comes after the end of the conversation is thrown away, as long as it is not too much."""
        if self._is_reading_over:
            self._unread_bytes += len(data)
            if self._unread_bytes > _LINGER_BYTES and self._state == "lingering" and self._transport is not None:
                self._transport.abort()
            return
        self._note_progress(len(data))
        if self._reading is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed(data)
        except SwitchError:
            self._is_reading_over = True  # whatever follows is not HTTP/1.1; the request itself is answered
        except ParserError:
            self._refusal = self._refusal or "bad_request"
        if self._reading is None and self._state == "head" and self._head_bytes > 2 * self._server.limits.head_bytes:
            self._refusal = self._refusal or "head_too_large"
        if self._refusal is not None:
            self._refuse(self._refusal)

    def _note_progress(self, size: int) -> None:
        if self._state == "idle":
            self._state, self._since, self._unread_bytes = "head", self._loop.time(), 0
            self._server.idle.pop(self, None)
        elif self._state == "body":
            self._unread_bytes += size
            if self._unread_bytes >= _PROGRESS_BYTES:
                self._since, self._unread_bytes = self._loop.time(), 0

    def eof_received(self) -> None:
        """The client sends nothing more: nobody waits for an answer any longer, as far as one can tell."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        """Tell whoever works for this client."""
        self._server.let_go(self)
        self._is_reading_over = True
        for request in (self._current, *self._waiting):
            if request is not None:
                request.lose()
        if self._reading is not None and self._reading.problem is None:
            self._reading.lose()
            self._reading.problem = "gone"
            self._server.handle(self._reading)
        self._waiting.clear()
        self._transport = None

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        self._since = self._loop.time()
        if self._current is not None:
            self._current.hold()

    def resume_writing(self) -> None:
        """The client has read."""
        if self._current is not None:
            self._current.go_on()

    # what the parser calls

    def on_too_many_headers(self) -> None:
        """There are more headers than any request has."""
        self._refusal = "head_too_large"

    def on_headers_complete(self) -> None:
        """The head is whole: the body follows."""
        limits = self._server.limits
        if self._parser.head_bytes > limits.head_bytes:
            self._refusal = "head_too_large"
        version = self._parser.version
        if version not in _VERSIONS or (self._parser.is_switch and self._declares_body()):
            self._refusal = self._refusal or "bad_request"
        if self._refusal is not None:
            return
        request = self._reading = Request(
            self,
            method=self._parser.method.decode("latin-1"),
            target=self._parser.target,
            headers=self._parser.headers,
            by_name=self._parser.by_name,
            is_old=version == "1.0",
            keeps_alive=self._parser.keeps_alive,
            limit_bytes=limits.body_bytes,
        )
        if request.problem is None and self._declares_body():
            self._server.screen(request)
        if self._current is None:
            self._state, self._since, self._unread_bytes = "body", self._loop.time(), 0
            if request.problem is None and request.wants_continue:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.problem is not None:
            self._hand_over(request)

    def _declares_body(self) -> bool:
        """The parser leaves the body of a request that wants another protocol unread."""
        by_name = self._parser.by_name
        return b"transfer-encoding" in by_name or by_name.get(b"content-length", b"0") != b"0"

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        request = self._reading
        if request is not None and self._refusal is None and request.problem is None and not request.add(body):
            self._hand_over(request)

    def on_message_complete(self) -> None:
        """The request is whole."""
        request, self._reading = self._reading, None
        self._head_bytes = 0
        if request is not None and self._refusal is None and request.problem is None:
            self._hand_over(request)

    # requests, one after the other

    def _hand_over(self, request: Request) -> None:
        if request.problem is not None:
            self._is_reading_over = True
        if self._current is None:
            self._answer(request)
            return
        self._waiting.append(request)
        if len(self._waiting) >= _MOST_WAITING and self._transport is not None:
            self._transport.pause_reading()

    def _answer(self, request: Request) -> None:
        self._current = request
        self._state, self._since = "answering", self._loop.time()
        self._server.handle(request)

    def answered(self, request: Request, *, is_last: bool) -> None:
        """A response has been written whole: go on with the next request, or end the connection."""
        if request is not self._current:
            return
        self._current = None
        transport = self._transport
        if transport is None:
            return
        if is_last or self._server.is_stopping or (self._is_reading_over and not self._waiting):
            self._end()
        elif self._waiting:
            transport.resume_reading()
            self._answer(self._waiting.popleft())
        else:
            self._state = "body" if self._reading is not None else "idle"
            self._since = self._loop.time()
            if self._state == "idle":
                self._server.idle[self] = None

    def _end(self) -> None:
        """Close, but let a client that is still sending read its answer first."""
        assert self._transport is not None
        is_sending = self._reading is not None
        self._is_reading_over = True
        self._reading = None
        if is_sending and self._transport.can_write_eof():
            self._transport.write_eof()
            self._state, self._since = "lingering", self._loop.time()
        else:
            self._state = "ending"
            self._transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is not a request that can be handled; requests before it are answered first by ending here."""
        self._is_reading_over = True
        if self._current is not None or self._transport is None:
            return
        status, headers, body = self._server.refuse(refusal)
        self._reading = reading = Request.unreadable(self)
        self._current = reading
        reading.start(status, headers)
        reading.finish(body)

    # the way back

    @property
    def peer(self) -> tuple[str, int] | None:
        """The client's address and port."""
        found = self._transport.get_extra_info("peername") if self._transport is not None else None
        return (str(found[0]), int(found[1])) if isinstance(found, tuple) and len(found) >= 2 else None

    def write(self, data: bytes) -> None:
        """Send bytes, if there still is somebody to send them to."""
        if self._transport is not None:
            self._transport.write(data)

    def break_off(self, *, is_abrupt: bool) -> None:
        """End the connection; an abrupt end is a reset, and what has not been sent yet is lost."""
        self._is_reading_over = True
        if self._transport is not None and is_abrupt:
            self._transport.abort()
        elif self._transport is not None:
            self._transport.close()

    def end_when_idle(self) -> None:
        """Close now if nothing is under way; otherwise after the response."""
        if self._current is None and self._transport is not None:
            self._transport.close()

    def check(self, now: float, *, is_hurried: bool = False) -> None:
        """End a connection that has made no progress for too long; `is_hurried` where others need its place."""
        transport, limits, waited_s = self._transport, self._server.limits, now - self._since
        if transport is None:
            return
        unsent = transport.get_write_buffer_size()
        match self._state:
            case "idle" if waited_s > limits.keepalive_s:
                transport.close()
            case "head" if waited_s > (
                min(limits.hurried_s, limits.client_wait_s) if is_hurried else limits.client_wait_s
            ):
                self._refuse("timeout")
            case "body" if waited_s > limits.client_wait_s and self._reading is not None:
                self._reading.problem = "timeout"
                self._hand_over(self._reading)
            case "lingering" if waited_s > _LINGER_S:
                transport.abort()
            case "answering" | "ending" if unsent and unsent == self._unsent_bytes:
                if waited_s > limits.client_wait_s:
                    transport.abort()
            case "answering" | "ending" if unsent:
                self._since = now
            case _:
                pass
        self._unsent_bytes = unsent
