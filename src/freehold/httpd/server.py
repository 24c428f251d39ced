"""The server: it listens, hands requests to a handler, bounds slow peers, and stops gracefully.

The handler gets every request whose head was whole, also one whose body is too large or broke off (`Request.problem`),
so that it can record it.

Not covered: one connection (`connection`), one request (`request`), and what is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from freehold.httpd.acceptor import Acceptor, OpenCounts
from freehold.httpd.connection import Connection
from freehold.httpd.heads import Header
from freehold.httpd.host import Entry
from freehold.httpd.limits import MOST_TURNED_AWAY, Limits, Refusal
from freehold.httpd.request import Request

__all__ = ["Crowd", "Handler", "Limits", "OpenCounts", "Refusal", "Server"]

Handler = Callable[[Request], Awaitable[None]]

_SWEEP_S = 1.0
_HURRIED_SHARE = 0.9
_BACKLOG = 4096
_LOG = logging.getLogger("freehold.gateway")


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many connections are open and may be, and what was done since the last look to have no more of them."""

    open: int = 0
    most: int = 0
    turned_away: int = 0
    closed_idle: int = 0

    @property
    def is_full(self) -> bool:
        """Whether somebody was turned away."""
        return self.turned_away > 0


class Server:
    """Serves connections of a listening socket with one handler.

    `refuse` gives the answer (status, headers, body) to what cannot be handed to the handler. `on_sweep` is told once a
    second how many connections there are. `screen` sees the head of each request with a body, before the body is read.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        refuse: Callable[[Refusal], tuple[int, list[Header], bytes]],
        on_sweep: Callable[[Crowd], None] | None = None,
        screen: Callable[[Request], None] | None = None,
    ) -> None:
        self.limits = limits
        self._refuse = refuse
        self.is_stopping = False
        self.connections: set[Connection] = set()
        self.idle: dict[Connection, None] = {}
        self._turned_away = self._closed_idle = 0
        self._handler = handler
        self._on_sweep = on_sweep
        self.screen = screen or _read_all
        self._listener: asyncio.Server | Acceptor | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, taken: socket.socket, counts: OpenCounts | None = None) -> None:
        """Accept connections from now on; with `counts` from a socket that other processes accept from, too."""
        loop = asyncio.get_running_loop()
        if counts is not None:
            self._listener = Acceptor(taken, lambda: Connection(self, loop), counts, lambda: len(self.connections))
        else:
            listen = loop.create_unix_server if taken.family == socket.AF_UNIX else loop.create_server
            self._listener = await listen(lambda: Connection(self, loop), sock=taken, backlog=_BACKLOG)
        self._sweeper = loop.create_task(self._sweep())

    async def stop(self, grace_s: float | None) -> None:
        """Accept nothing more, let requests under way end for at most `grace_s` seconds, then break the rest off."""
        self.is_stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self.connections):
            connection.end_when_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        for connection in tuple(self.connections):
            connection.break_off(is_abrupt=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def let_in(self, connection: Connection) -> Entry:
        """Count a new connection: served, told that there is no room for it, or dropped where too many are told."""
        if self.is_stopping or len(self.connections) >= self.limits.connections + MOST_TURNED_AWAY:
            return "dropped"
        has_room = self._make_room()
        self.connections.add(connection)
        if not has_room:
            self._turned_away += 1
            return "told"
        self.idle[connection] = None
        return "served"

    def let_go(self, connection: Connection) -> None:
        """Count it no more."""
        self.connections.discard(connection)
        self.idle.pop(connection, None)
        if isinstance(self._listener, Acceptor):
            self._listener.tell()

    def _make_room(self) -> bool:
        """Whether one more can be served; the one that has been idle for the longest is closed for it."""
        if len(self.connections) < self.limits.connections:
            return True
        oldest = next(iter(self.idle), None)
        if oldest is None:
            return False
        del self.idle[oldest]
        oldest.end_when_idle()
        self._closed_idle += 1
        return True

    def refuse(self, refusal: Refusal) -> tuple[int, list[Header], bytes]:
        """The answer to what is not a request that can be handled."""
        return self._refuse(refusal)

    def handle(self, request: Request) -> None:
        """Let the handler answer a request."""
        request.task = task = asyncio.get_running_loop().create_task(self._handle(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, request: Request) -> None:
        try:
            await self._handler(request)
        except Exception:
            _LOG.exception("The handler failed.")
        finally:
            if not request.is_answered:
                request.abort()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now, crowd = loop.time(), self._look()
            if self._on_sweep is not None:
                self._on_sweep(crowd)
            is_hurried = crowd.open >= _HURRIED_SHARE * crowd.most
            for connection in tuple(self.connections):
                connection.check(now, is_hurried=is_hurried)

    def _look(self) -> Crowd:
        """The crowd since the last look."""
        crowd = Crowd(len(self.connections), self.limits.connections, self._turned_away, self._closed_idle)
        self._turned_away = self._closed_idle = 0
        return crowd


def _read_all(request: Request) -> None:
    """Every body is read, as far as the limits allow."""
