"""A client on a raw socket: it sends bytes as they are written down, and reads a response strictly.

Not covered: deciding what the bytes mean; a body is given without its framing, and still content-encoded.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Header = tuple[bytes, bytes]
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"}
_ALSO_HOP_BY_HOP = {b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_BODILESS = (204, 304)


@dataclass
class Got:
    """A response; `is_whole` is false when less came than the framing says, `status` is 0 when nothing came."""

    status: int
    headers: tuple[Header, ...]
    body: bytearray
    is_whole: bool = False

    def header(self, name: bytes) -> bytes:
        """The first header of this lower-case name, or nothing."""
        return next((value for key, value in self.headers if key == name), b"")


def end_to_end(headers: Sequence[Header], *more: bytes) -> list[Header]:
    """Headers that a proxy passes on, by name, those of one name in their order; `more` names others to leave out."""
    named = {item.strip().lower() for key, value in headers if key == b"connection" for item in value.split(b",")}
    out = _HOP_BY_HOP | _ALSO_HOP_BY_HOP | named | set(more)
    kept = [(key, value) for key, value in headers if key not in out and not key.startswith(b"freehold-")]
    return sorted(kept, key=lambda header: header[0])


class Line:
    """One connection to a port of this machine; opened at need, and again after an end."""

    def __init__(self, port: int, *, buffer_bytes: int | None = None) -> None:
        self._port = port
        self._buffer_bytes = buffer_bytes
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_open(self) -> bool:
        """Whether the connection goes on, as far as the other side has said."""
        return self._writer is not None

    async def send(self, *pieces: bytes) -> None:
        """Send these bytes, each piece with one write."""
        if self._writer is None:
            taken = socket.socket()
            if self._buffer_bytes is not None:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_bytes)
            taken.setblocking(False)
            await asyncio.get_running_loop().sock_connect(taken, ("127.0.0.1", self._port))
            self._reader, self._writer = await asyncio.open_connection(sock=taken)
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def read(
        self, *, is_head: bool = False, seen: Callable[[Got], None] = lambda _: None, timeout_s: float = 60.0
    ) -> Got:
        """One response, as far as it comes; `seen` is called with what there is, whenever more has come."""
        got = Got(0, (), bytearray())
        try:
            async with asyncio.timeout(timeout_s):
                await self._read_head(got)
                seen(got)
                await self._read_body(got, is_head=is_head, seen=seen)
                got.is_whole = True
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            self.close()
        if b"close" in got.header(b"connection"):
            self.close()
        return got

    async def read_rest(self, timeout_s: float = 60.0) -> bytes:
        """All that still comes until the other side closes."""
        assert self._reader is not None
        async with asyncio.timeout(timeout_s):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def read_interim(self, timeout_s: float = 60.0) -> bytes:
        """The head of a 1xx response."""
        assert self._reader is not None
        async with asyncio.timeout(timeout_s):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def _read_head(self, got: Got) -> None:
        assert self._reader is not None
        while True:
            raw = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = raw[:-4].split(b"\r\n")
            assert first.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), first
            status = first.split(b" ")[1]
            pairs = [line.partition(b":") for line in lines]
            assert all(colon for _, colon, _ in pairs), raw
            headers = tuple((name.lower(), value.strip(b" \t")) for name, _, value in pairs)
            if int(status) >= 200 or status == b"101":
                got.status, got.headers = int(status), headers
                return

    async def _read_body(self, got: Got, *, is_head: bool, seen: Callable[[Got], None]) -> None:
        if is_head or got.status in _BODILESS:
            return
        if got.header(b"transfer-encoding").lower() == b"chunked":
            await self._read_chunks(got, seen)
        elif got.header(b"content-length"):
            await self._read_exactly(got, int(got.header(b"content-length")), seen)
        else:
            await self._read_until_end(got, seen)

    async def _read_chunks(self, got: Got, seen: Callable[[Got], None]) -> None:
        assert self._reader is not None
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await self._read_exactly(got, size, seen)
            assert await self._reader.readexactly(2) == b"\r\n"
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers

    async def _read_exactly(self, got: Got, size: int, seen: Callable[[Got], None]) -> None:
        assert self._reader is not None
        while size:
            part = await self._reader.read(min(size, 65536))
            if not part:
                raise asyncio.IncompleteReadError(b"", size)
            got.body += part
            size -= len(part)
            seen(got)

    async def _read_until_end(self, got: Got, seen: Callable[[Got], None]) -> None:
        assert self._reader is not None
        while part := await self._reader.read(65536):
            got.body += part
            seen(got)
        self.close()

    def close(self) -> None:
        """End the connection; the next `send` opens another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def abort(self) -> None:
        """Break the connection off."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


def request(
    method: bytes, target: bytes, headers: Sequence[Header] = (), body: bytes = b"", *, has_length: bool = True
) -> bytes:
    """A request as bytes, with host and content-length."""
    lines = [method + b" " + target + b" HTTP/1.1", b"host: localhost"]
    lines += [name + b": " + value for name, value in headers]
    if has_length and (body or method in (b"POST", b"PUT", b"PATCH")):
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def exchange(port: int, raw: bytes, *, timeout_s: float = 60.0) -> Got:
    """One request and its response on a connection of its own."""
    line = Line(port)
    try:
        await line.send(raw)
        return await line.read(timeout_s=timeout_s)
    finally:
        line.close()
