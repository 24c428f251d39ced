"""A worker's way to the console: requests for pages and the admin API go to the console's process, answers come back.

Bytes are passed on as they come, with what is on its way bounded, so that a large page takes little memory here and a
slow reader holds up nobody else. The client's address goes along in a header, which the console believes because
nobody but this gateway's own user can reach its socket; one that a client sent is taken out.

Not covered: what is answered, and who may see it (`freehold.console`), the console's process (`app.console`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from freehold.httpd.asgi import Event
from freehold.httpd.client import Origin, Response, Timeouts, UpstreamError
from freehold.httpd.heads import Header, header_lines
from freehold.httpd.upstream import Connection

CLIENT_HEADER = b"freehold-console-client"
MOST_UNDER_WAY = 32
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"content-length",
        b"proxy-connection",
        CLIENT_HEADER,
    }
)
_LEFT_OUT_OF_ANSWERS = _HOP_BY_HOP - {b"content-length"}
_TIMEOUTS = Timeouts(connect_s=2.0, first_byte_s=60.0, idle_s=60.0)
_ORIGIN = Origin(is_secure=False, host="console", port=0)
_BUSY = b"The console is busy with other pages. Try again in a moment; calls pass all the same.\n"
_AWAY = b"The console does not answer; the gateway's log says why, and it is started again. Calls pass all the same.\n"
_LOG = logging.getLogger("freehold.gateway")

Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class ConsoleLink:
    """An ASGI application that asks the console behind the socket at `path`, at most `most` requests at once."""

    def __init__(self, path: str, *, most: int = MOST_UNDER_WAY) -> None:
        self._path = path
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request; 503 where the console is busy or away."""
        if self._under_way >= self._most:
            await _tell(send, _BUSY)
            return
        self._under_way += 1
        try:
            await self._pass_on(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _pass_on(self, scope: Event, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        try:
            response = await self._ask(_head(scope, body), body, is_head=scope["method"] == "HEAD")
        except UpstreamError as error:
            _LOG.warning("The console gives no answer: %s.", error)
            await _tell(send, _AWAY)
            return
        try:
            headers = [(name, value) for name, value in response.headers if name.lower() not in _LEFT_OUT_OF_ANSWERS]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            while chunk := await response.read():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            response.close()

    async def _ask(self, head: bytes, body: bytes, *, is_head: bool) -> Response:
        """Send a request over a connection of its own and wait for the head of its response."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TIMEOUTS.connect_s):
                _, connection = await loop.create_unix_connection(
                    lambda: Connection(_ORIGIN, loop, Connection.drop), self._path
                )
        except (OSError, TimeoutError) as error:
            raise UpstreamError("unreachable", str(error) or type(error).__name__) from error
        response = Response(connection, _TIMEOUTS, 0.0, loop)
        connection.begin(response, is_head=is_head)
        connection.send(head)
        connection.send(body)
        try:
            await response.wait_for_head()
        except BaseException:
            response.close()
            raise
        return response


def _head(scope: Event, body: bytes) -> bytes:
    """The head of the request for the console, with the empty line."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    client = scope["client"]
    headers: list[Header] = [header for header in scope["headers"] if header[0].lower() not in _HOP_BY_HOP]
    headers.append((CLIENT_HEADER, client[0].encode("latin-1", "replace") if client else b""))
    headers.append((b"connection", b"close"))
    if body or scope["method"] not in ("GET", "HEAD"):
        headers.append((b"content-length", b"%d" % len(body)))
    line = b"%b %b%b HTTP/1.1\r\n" % (scope["method"].encode("latin-1"), scope["raw_path"], query)
    return line + header_lines(headers) + b"\r\n"


async def _tell(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
