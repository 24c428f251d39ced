"""The client: asks upstreams over connections that are kept, and hands their bytes on as they come.

Nothing is decoded, redirected or repeated: a response is what the upstream sent. A pooled connection is used by one
exchange at a time; what broke, timed out or was left early is never used again.

Not covered: proxies, HTTP/2, cookies, and which upstream is asked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from freehold.httpd.response import HIGH_WATER_BYTES, Origin, Response, Timeouts, UpstreamError
from freehold.httpd.upstream import Connection

__all__ = ["Origin", "Pool", "Response", "Timeouts", "UpstreamError"]


class Pool:
    """Connections to upstreams, kept for the next request; belongs to the loop that uses it."""

    def __init__(self) -> None:
        self._idle: dict[Origin, deque[Connection]] = {}
        self._secure: ssl.SSLContext | None = None

    async def ask(self, origin: Origin, head: bytes, body: bytes, *, is_head: bool, timeouts: Timeouts) -> Response:
        """Send a request (its head with the empty line) and wait for the head of the response.

        UpstreamError when none comes. `is_head` tells that the request's method is HEAD.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeouts.total_s if timeouts.total_s else 0.0
        connection = self._take(origin) or await self._connect(origin, timeouts)
        response = Response(connection, timeouts, ends_at, loop)
        connection.begin(response, is_head=is_head)
        connection.send(head + body if len(body) < HIGH_WATER_BYTES else head)
        if len(body) >= HIGH_WATER_BYTES:
            connection.send(body)
        try:
            await response.wait_for_head()
        except BaseException:
            response.close()
            raise
        return response

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for waiting in self._idle.values():
            for connection in waiting:
                connection.drop()
        self._idle.clear()

    def _take(self, origin: Origin) -> Connection | None:
        waiting = self._idle.get(origin)
        while waiting:
            connection = waiting.pop()
            if connection.is_usable:
                return connection
            connection.drop()
        return None

    def keep(self, connection: Connection) -> None:
        """Take a connection back; the longest unused ones are closed when they are too old."""
        waiting = self._idle.setdefault(connection.origin, deque())
        waiting.append(connection)
        while waiting and not waiting[0].is_usable:
            waiting.popleft().drop()

    async def _connect(self, origin: Origin, timeouts: Timeouts) -> Connection:
        loop = asyncio.get_running_loop()
        secure = self._context() if origin.is_secure else None
        try:
            async with asyncio.timeout(timeouts.connect_s or None):
                _, connection = await loop.create_connection(
                    lambda: Connection(origin, loop, self.keep),
                    origin.host,
                    origin.port,
                    ssl=secure,
                    server_hostname=origin.host if secure else None,
                )
        except TimeoutError as error:
            raise UpstreamError("connect_timeout", f"no connection within {timeouts.connect_s:g} s") from error
        except (OSError, ValueError) as error:
            raise UpstreamError("unreachable", str(error) or type(error).__name__) from error
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._secure is None:
            self._secure = ssl.create_default_context()
        return self._secure
