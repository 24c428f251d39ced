"""The client's side of an exchange: sending to it, and noticing when it hangs up.

Not covered: reading the request (`gateway.inbound`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from freehold.gateway.inbound import Event, Header, Receive, Send
from freehold.gateway.refusal import ClientGoneError


class Client:
    """A client that waits for its response.

    Used as a context manager, it interrupts the block with ClientGoneError as soon as the client hangs up.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._watcher: asyncio.Task[None] | None = None
        self._is_gone = False
        self._head: Event | None = None
        self.has_started = False

    def prepare(self, status: int, headers: Sequence[Header]) -> None:
        """Keep the head of the response until the first part of the body is sent; one packet instead of two."""
        self._head = {"type": "http.response.start", "status": status, "headers": list(headers)}

    async def write(self, body: bytes) -> None:
        """Send a part of the body that is not the last; an empty part sends the head alone."""
        await self._send_head()
        if body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _send_head(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self.has_started = True
            await self._send(head)

    async def finish(self, body: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send_head()
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def __enter__(self) -> Client:
        self._watcher = asyncio.create_task(self._watch(asyncio.current_task()))
        return self

    async def _watch(self, exchange: asyncio.Task[object] | None) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        if exchange is not None:
            exchange.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
        exchange = asyncio.current_task()
        if self._is_gone and exchange is not None and exchange.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGoneError from error
