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

from freehold.gateway.http1.acceptor import Acceptor, OpenCounts
from freehold.gateway.http1.connection import Connection
from freehold.gateway.http1.heads import Header
from freehold.gateway.http1.limits import Limits, Refusal
from freehold.gateway.http1.request import Request

__all__ = ["Handler", "Limits", "OpenCounts", "Refusal", "Server"]

Handler = Callable[[Request], Awaitable[None]]

_SWEEP_S = 1.0
_BACKLOG = 4096
_LOG = logging.getLogger("freehold.gateway")


class Server:
    """Serves connections of a listening socket with one handler.

    `refuse` gives the answer (status, headers, body) to what cannot be handed to the handler. `on_sweep` is told once a
    second how many connections are open. `screen` sees the head of each request with a body, before the body is read.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        refuse: Callable[[Refusal], tuple[int, list[Header], bytes]],
        on_sweep: Callable[[int], None] | None = None,
        screen: Callable[[Request], None] | None = None,
    ) -> None:
        self.limits = limits
        self._refuse = refuse
        self.is_stopping = False
        self.connections: set[Connection] = set()
        self._handler = handler
        self._on_sweep = on_sweep
        self._screen = screen
        self._listener: asyncio.Server | Acceptor | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, taken: socket.socket, counts: OpenCounts | None = None) -> None:
        """Accept connections from now on; with `counts` from a socket that other processes accept from, too."""
        loop = asyncio.get_running_loop()
        if counts is None:
            self._listener = await loop.create_server(lambda: Connection(self, loop), sock=taken, backlog=_BACKLOG)
        else:
            self._listener = Acceptor(taken, lambda: Connection(self, loop), counts, lambda: len(self.connections))
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

    def let_in(self, connection: Connection) -> bool:
        """Count a new connection; False when there are too many, or the server stops."""
        if len(self.connections) >= self.limits.connections or self.is_stopping:
            return False
        self.connections.add(connection)
        return True

    def let_go(self, connection: Connection) -> None:
        """Count it no more."""
        self.connections.discard(connection)
        if isinstance(self._listener, Acceptor):
            self._listener.tell()

    def refuse(self, refusal: Refusal) -> tuple[int, list[Header], bytes]:
        """The answer to what is not a request that can be handled."""
        return self._refuse(refusal)

    def screen(self, request: Request) -> None:
        """Say by its head how much of a request's body may be read."""
        if self._screen is not None:
            self._screen(request)

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
            now = loop.time()
            if self._on_sweep is not None:
                self._on_sweep(len(self.connections))
            for connection in tuple(self.connections):
                connection.check(now)
