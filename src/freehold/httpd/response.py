"""A response of an upstream, read part by part, and what can go wrong on the way.

Time is kept by one timer for each response: it is set again only when it fires. Not covered: the connection that the
bytes come by (`upstream`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

from freehold.httpd.heads import Header

HIGH_WATER_BYTES = 256 * 2**10

Failure = Literal[
    "unreachable", "connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout", "closed", "malformed"
]


class UpstreamError(Exception):
    """An upstream gave no whole response; `kind` says how, the text says why."""

    def __init__(self, kind: Failure, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an upstream listens."""

    is_secure: bool
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_secure else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: for a connection, until the first byte, between two parts, and for all of it; 0 means no limit."""

    connect_s: float = 10.0
    first_byte_s: float = 600.0
    idle_s: float = 600.0
    total_s: float = 0.0


class Source(Protocol):
    """The connection that a response comes by."""

    def go_on(self) -> None:
        """Read again."""

    def drop(self) -> None:
        """Break it off."""


class Response:
    """A response under way: its head is there, its body is read part by part."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_deadline",
        "_ends_at",
        "_error",
        "_loop",
        "_size_bytes",
        "_timeouts",
        "_timer",
        "_waiter",
        "headers",
        "is_headed",
        "is_whole",
        "status",
    )

    def __init__(self, connection: Source, timeouts: Timeouts, ends_at: float, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.is_headed = False
        self.is_whole = False
        self._connection = connection
        self._timeouts = timeouts
        self._ends_at = ends_at
        self._loop = loop
        self._chunks: list[bytes] = []
        self._size_bytes = 0
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._expect(timeouts.first_byte_s)

    async def wait_for_head(self) -> None:
        """Return once the head has come."""
        while not self.is_headed:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read(self) -> bytes:
        """The bytes of the body that have come since, waiting for some; empty at its end. UpstreamError when cut."""
        while not self._chunks:
            if self.is_whole:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        if self._size_bytes > HIGH_WATER_BYTES:
            self._connection.go_on()
        self._size_bytes = 0
        return data

    async def read_all(self, limit_bytes: int) -> bytes:
        """The rest of the body; UpstreamError when it is cut or larger than `limit_bytes`."""
        whole = bytearray()
        while chunk := await self.read():
            whole += chunk
            if len(whole) > limit_bytes:
                self.close()
                raise UpstreamError("malformed", f"the response is larger than {limit_bytes} bytes")
        return bytes(whole)

    def header(self, name: bytes) -> str:
        """The first header of this lower-case name, or an empty text."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1")
        return ""

    def close(self) -> None:
        """Leave: a response that is not whole takes its connection with it."""
        if not self.is_whole and self._error is None:
            self.fail(UpstreamError("closed", "the response was left before its end"))
            self._connection.drop()

    # what the connection tells

    def add_head(self, status: int, headers: list[Header]) -> None:
        """The head has come."""
        self.status, self.headers, self.is_headed = status, headers, True
        self._expect(self._timeouts.idle_s)
        self._wake()

    def add(self, chunk: bytes) -> bool:
        """A part of the body has come; False when no more should be read for now."""
        self._chunks.append(chunk)
        self._size_bytes += len(chunk)
        self._expect(self._timeouts.idle_s)
        self._wake()
        return self._size_bytes <= HIGH_WATER_BYTES

    def end(self) -> None:
        """The body is whole."""
        self.is_whole = True
        self._stop_timer()
        self._wake()

    def fail(self, error: UpstreamError) -> None:
        """Nothing more will come."""
        if not self.is_whole and self._error is None:
            self._error = error
            self._stop_timer()
            self._wake()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # time: one timer, set again only when it fires

    def _expect(self, within_s: float) -> None:
        deadline = self._loop.time() + within_s if within_s else 0.0
        if self._ends_at:
            deadline = min(deadline, self._ends_at) if deadline else self._ends_at
        self._deadline = deadline
        if deadline and (self._timer is None or deadline < self._timer.when()):
            self._stop_timer()
            self._timer = self._loop.call_at(deadline, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._chunks and not (self._ends_at and now >= self._ends_at):
            self._deadline = now + 1.0  # the client is the slow one: it has yet to read what came
        if self._deadline and now + 0.001 < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check)
        elif self._deadline:
            self._connection.drop()
            self.fail(self._timeout())

    def _timeout(self) -> UpstreamError:
        if self._ends_at and self._deadline >= self._ends_at:
            return UpstreamError("total_timeout", f"not done within {self._timeouts.total_s:g} s")
        if not self.is_headed:
            return UpstreamError("first_byte_timeout", f"no answer within {self._timeouts.first_byte_s:g} s")
        return UpstreamError("idle_timeout", f"nothing more for {self._timeouts.idle_s:g} s")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
