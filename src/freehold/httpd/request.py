"""One request and the way back to its client.

Not covered: reading it (`server`), and who answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, Protocol

from freehold.httpd.heads import BODYLESS_STATUSES, Header, find, header_lines, status_line

Problem = Literal["too_large", "gone", "timeout", "unwelcome"]


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody to answer."""


class Line(Protocol):
    """The connection that a request came by; `peer` is the client's address and port, if it has one."""

    @property
    def peer(self) -> tuple[str, int] | None:
        """Who is at the other end."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def break_off(self, *, is_abrupt: bool) -> None:
        """End it; an abrupt end is a reset, and what has not been sent yet is lost."""

    def answered(self, request: Request, *, is_last: bool) -> None:
        """The response has been written whole."""


class Request:
    """A request as it came: `target` is path and query, `headers` have their names as sent, `body` is whole.

    `by_name` has the last value of each header by its lower-case name.

    `beside` are headers that every response to it has.

    `problem` says why the body is not whole: too_large, gone (the client hung up), timeout, or unwelcome (its sender is
    not known, and nothing of it was read). `is_gone` holds once the client has hung up; what is written then goes
    nowhere.
    """

    __slots__ = (
        "_chunks",
        "_drained",
        "_has_body",
        "_head",
        "_is_chunked",
        "_is_old",
        "_is_waiting",
        "_keeps_alive",
        "_limit_bytes",
        "_line",
        "_size_bytes",
        "beside",
        "by_name",
        "headers",
        "is_answered",
        "is_begun",
        "is_gone",
        "method",
        "problem",
        "target",
        "task",
    )

    def __init__(
        self,
        line: Line,
        *,
        method: str,
        target: bytes,
        headers: list[Header],
        by_name: Mapping[bytes, bytes],
        is_old: bool,
        keeps_alive: bool,
        limit_bytes: int,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.by_name = by_name
        self.problem: Problem | None = None
        self.is_gone = False
        self.is_begun = False
        self.is_answered = False
        self.task: asyncio.Task[None] | None = None
        self.beside: Sequence[Header] = ()
        self._line = line
        self._is_old = is_old
        self._keeps_alive = keeps_alive
        self._limit_bytes = limit_bytes
        self._chunks: list[bytes] = []
        self._size_bytes = 0
        self._head: bytes | None = None
        self._is_chunked = False
        self._has_body = True
        self._is_waiting = False
        self._drained: asyncio.Future[None] | None = None
        self.bound_body(limit_bytes)

    @classmethod
    def unreadable(cls, line: Line) -> Request:
        """A stand-in for what could not be read, so that it can be answered; the connection ends with it."""
        request = cls(
            line, method="", target=b"", headers=[], by_name={}, is_old=False, keeps_alive=False, limit_bytes=0
        )
        request.problem = "gone"
        return request

    @property
    def peer(self) -> tuple[str, int] | None:
        """The client's address and port."""
        return self._line.peer

    def header(self, name: bytes) -> str:
        """The last header of this (lower-case) name, or an empty text."""
        return self.by_name.get(name, b"").decode("latin-1")

    @property
    def wants_continue(self) -> bool:
        """The client sends its body only when it is told to."""
        return self.by_name.get(b"expect", b"").lower() == b"100-continue"

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def bound_body(self, limit_bytes: int) -> None:
        """Take at most so many bytes of the body; a head that declares more is a problem at once."""
        self._limit_bytes = limit_bytes
        declared = self.by_name.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit_bytes:
            self.problem = "too_large"

    def leave_body(self) -> None:
        """Read nothing of the body: it is answered by its head alone, and the connection ends with that."""
        self.problem = "unwelcome"

    def add(self, chunk: bytes) -> bool:
        """Take a part of the body; False when it has become too large."""
        self._size_bytes += len(chunk)
        if self._size_bytes > self._limit_bytes:
            self.problem = "too_large"
            self._chunks.clear()
            return False
        self._chunks.append(chunk)
        return True

    # the response

    def start(self, status: int, headers: Sequence[Header], *, is_last: bool = False) -> None:
        """Keep the head of the response until the first part of the body is sent: one packet instead of two.

        With `is_last` the connection ends after this response.
        """
        lines = [status_line(status), header_lines(headers)]
        if self.beside:
            lines.append(header_lines(self.beside))
        self._is_chunked = False
        self._has_body = status >= 200 and status not in BODYLESS_STATUSES and self.method != "HEAD"
        if self._has_body and find(headers, b"content-length") is None:
            if self._is_old:
                self._keeps_alive = False
            else:
                self._is_chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
        if is_last or self.problem is not None:
            self._keeps_alive = False
        if not self._keeps_alive:
            lines.append(b"connection: close\r\n")
        elif self._is_old:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def write(self, data: bytes) -> None:
        """Send a part of the body that is not the last; an empty part sends the head alone."""
        self._send(data, is_last=False)

    def finish(self, data: bytes = b"") -> None:
        """Send the last part of the body."""
        self._send(data, is_last=True)
        self.is_answered = True
        self._line.answered(self, is_last=not self._keeps_alive)

    def _send(self, data: bytes, *, is_last: bool) -> None:
        if not self._has_body:
            data = b""
        elif self._is_chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._is_chunked and is_last:
            data += b"0\r\n\r\n"
        if self._head is not None:
            data, self._head, self.is_begun = self._head + data, None, True
        if data:
            self._line.write(data)

    def abort(self) -> None:
        """Break the connection off: the response cannot be made whole, and the client must be able to tell."""
        self.is_answered = True
        can_tell = self._is_chunked or not self.is_begun or not self._is_old
        self._line.break_off(is_abrupt=not can_tell)

    # a client that hangs up, or reads slowly

    async def drain(self) -> None:
        """Wait until a slow client has read; returns at once for others."""
        if self._drained is not None and not self.is_gone:
            await self._drained

    def hold(self) -> None:
        """From now on `drain` waits."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        """Nobody has to wait any more."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def _has_lost_client(self) -> bool:
        return self.is_gone

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Interrupt the block with ClientGoneError as soon as the client hangs up."""
        if self.is_gone:
            raise ClientGoneError
        self._is_waiting = True
        try:
            yield
        except asyncio.CancelledError:
            if self._has_lost_client() and self.task is not None and self.task.uncancel() == 0:
                raise ClientGoneError from None
            raise
        finally:
            self._is_waiting = False

    def lose(self) -> None:
        """The client has hung up."""
        self.is_gone = True
        self.go_on()
        if self._is_waiting and self.task is not None:
            self.task.cancel()
