"""A provider on raw sockets: a script decides every byte that it answers, and where the bytes are split.

A script is an async generator: each `bytes` that it yields is one write; `CLOSE` ends the connection, `RESET` breaks
it. It may wait between two writes. A script whose client hangs up is cancelled, and the request goes to `hung_up`.

Not covered: TLS and HTTP/2.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

T = TypeVar("T")
WAIT_S = 60.0


class End(Enum):
    """How a script ends its connection."""

    CLOSE = "close"
    RESET = "reset"


CLOSE, RESET = End.CLOSE, End.RESET
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Seen:
    """A request as it came; header names are in lower case."""

    method: str
    target: bytes
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The first header of this name, or nothing."""
        return next((value for key, value in self.headers if key == name), b"")

    @cached_property
    def data(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one when it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


Script = Callable[[Seen], AsyncIterator[bytes | End]]


def plain(
    body: bytes, *, status: int = 200, kind: bytes = b"application/json", headers: Sequence[Header] = ()
) -> bytes:
    """A whole response with a content-length."""
    lines = [b"HTTP/1.1 %d X" % status, b"content-type: " + kind, b"content-length: %d" % len(body)]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Bytes as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def always(*steps: bytes | End) -> Script:
    """The script that answers every request with these steps."""

    async def script(_: Seen) -> AsyncIterator[bytes | End]:
        for step in steps:
            yield step

    return script


@dataclass
class Upstream:
    """The provider; `script` may be replaced at any time."""

    script: Script
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    hung_up: list[Seen] = field(default_factory=list)
    open_connections: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 600.0) -> T:
        """Run a coroutine on the loop of this provider, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def wait_until(self, is_so: Callable[[Upstream], bool]) -> None:
        """Return once the provider is in this state; fails when that takes too long."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self), WAIT_S), "the provider never came to that state"

    def tell(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def event(self) -> asyncio.Event:
        """A gate for scripts, closed; opened by `open`."""
        return asyncio.Event()

    def open(self, gate: asyncio.Event) -> None:
        """Open a gate from another thread."""
        self._loop.call_soon_threadsafe(gate.set)


class _Connection(asyncio.Protocol):
    """One connection: a request, its script, the next request."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._came = bytearray()
        self._more = asyncio.Event()
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._is_gone = False
        self._now: Seen | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._upstream.open_connections += 1
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._came += data
        self._more.set()

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.open_connections -= 1
        self._is_gone = True
        self._more.set()
        if self._now is not None:
            self._upstream.hung_up.append(self._now)
        self._upstream.tell()
        self._task.cancel()

    async def _serve(self) -> None:
        while (request := await self._read_request()) is not None:
            self._now = request
            self._upstream.seen.append(request)
            self._upstream.tell()
            async for step in self._upstream.script(request):
                if isinstance(step, End):
                    self._now = None
                    self._transport.abort() if step is RESET else self._transport.close()
                    return
                self._transport.write(step)
                await self._can_write.wait()
                if self._transport.is_closing():
                    return  # a write found the client gone: a script that never waits would keep that from being told
            self._now = None

    async def _read_request(self) -> Seen | None:
        head = await self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head[:-4].split(b"\r\n")
        method, target, _ = first.split(b" ", 2)
        pairs = [line.partition(b":") for line in lines]
        headers = tuple((name.lower(), value.strip(b" \t")) for name, _, value in pairs)
        by_name = dict(headers)
        if by_name.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if by_name.get(b"transfer-encoding", b"").lower() == b"chunked":
            body = await self._read_chunks()
        else:
            body = await self._take(int(by_name.get(b"content-length", b"0")))
        return None if body is None else Seen(method.decode(), target, headers, body)

    async def _read_chunks(self) -> bytes | None:
        body = b""
        while (line := await self._until(b"\r\n")) is not None:
            size = int(line.split(b";")[0], 16)
            part = await self._take(size + 2)
            if part is None:
                return None
            body += part[:-2]
            if size == 0:
                return body
        return None

    async def _until(self, mark: bytes) -> bytes | None:
        while (place := self._came.find(mark)) < 0:
            if not await self._grow():
                return None
        return await self._take(place + len(mark))

    async def _take(self, size: int) -> bytes | None:
        while len(self._came) < size:
            if not await self._grow():
                return None
        taken = bytes(self._came[:size])
        del self._came[:size]
        return taken

    async def _grow(self) -> bool:
        self._more.clear()
        if not self._is_gone:
            await self._more.wait()
        return not self._is_gone


@contextmanager
def served(script: Script) -> Iterator[Upstream]:
    """A provider on a port of its own, in a thread of its own."""
    upstream = Upstream(script)
    loop = upstream._loop
    thread = threading.Thread(target=loop.run_forever, name="upstream", daemon=True)
    thread.start()
    server = upstream.run(_listen(upstream))
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        upstream.run(_stop(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
        loop.close()


async def _listen(upstream: Upstream) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(lambda: _Connection(upstream), "127.0.0.1", 0, backlog=4096)


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
