"""A provider, a `freehold up` in a folder of its own, and clients that ask it as fast as they can; all on one loop."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from made import chat_body

from freehold.record import Backlog, read_backlog

WAIT_S = 60.0
CLIENT_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
BROKEN = (OSError, asyncio.IncompleteReadError, ValueError, asyncio.TimeoutError)


@dataclass(frozen=True, slots=True)
class Received:
    """A response that came whole."""

    row: str
    call_id: str
    text: str
    status: int = 200


async def _provide(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer chat requests with what was asked, reversed; as a stream where that is wanted."""
    with suppress(*BROKEN):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            asked = json.loads(await reader.readexactly(_length(head)))
            text = asked["messages"][-1]["content"][::-1]
            if asked.get("stream"):
                pieces = [{"delta": {"content": c}, "index": 0} for c in (text[:3], text[3:])]
                pieces.append({"delta": {}, "index": 0, "finish_reason": "stop"})
                events = [f"data: {json.dumps({'id': '1', 'model': 'm', 'choices': [p]})}\n\n" for p in pieces]
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for event in [*events, "data: [DONE]\n\n"]:
                    writer.write(b"%x\r\n%b\r\n" % (len(event), event.encode()))
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
            else:
                choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                body = json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode()
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """The URL of a provider."""
    server = await asyncio.start_server(_provide, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


class Up:
    """`freehold up` in a folder."""

    def __init__(self, folder: Path, provider_url: str, *lines: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.write_settings(provider_url, *lines)
        self._process: subprocess.Popen[bytes] | None = None

    def write_settings(self, provider_url: str, *lines: str) -> None:
        """Write `freehold.toml`; `lines` stand at its top."""
        text = [*lines, "[gateway]", f"port = {self.port}", "[providers.mine]", f'base_url = "{provider_url}"']
        (self.folder / "freehold.toml").write_text("\n".join(text) + "\n", encoding="utf-8")

    @property
    def state(self) -> Path:
        return self.folder / ".freehold"

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        announced = self.log.count("gateway on http") if self._process else 0
        self._process = self._spawn(options)
        deadline = time.monotonic() + WAIT_S
        while self.log.count("gateway on http") == announced or not await self._is_up():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.02)

    def _spawn(self, options: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "up.log").open("a") as log:
            command = [sys.executable, "-m", "freehold", "up", *options]
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    async def stop(self) -> int:
        """End it gently; returns its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return await self._ended()

    async def until_waiting(self, *, calls: int, wait_s: float = WAIT_S) -> Backlog:
        """The journal's backlog once it has this size."""
        deadline = time.monotonic() + wait_s
        while (waiting := read_backlog(self.state / "journal")).calls != calls:
            assert time.monotonic() < deadline, (waiting, self.log)
            await asyncio.sleep(0.01)
        return waiting

    async def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)
        await self._ended()

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Return once this holds; fails with the log when it does not in time."""
        deadline = time.monotonic() + WAIT_S
        while not await holds():
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.02)

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """The status and body of `/readyz`."""
        status, _, body = await self.get("/readyz")
        return status, json.loads(body)

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    async def _ended(self) -> int:
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, WAIT_S)

    async def _is_up(self) -> bool:
        try:
            status, _, _ = await asyncio.wait_for(self.get("/healthz"), 5)
        except BROKEN:
            return False
        return status == 200

    async def get(self, path: str) -> tuple[int, bytes, bytes]:
        """The status, head and body of a page."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
            return await _response(reader)
        finally:
            writer.close()

    async def ask(self, row: str) -> Received:
        """Ask once, on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await _ask(reader, writer, row)
        finally:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, row: str) -> Received:
    """One call; raises one of BROKEN when the response does not come whole."""
    body = json.loads(chat_body(f"question {row}"))
    is_stream = row.endswith("s")
    if is_stream:
        body["stream"] = True
    sent = json.dumps(body).encode()
    writer.write(CLIENT_HEAD + f"freehold-tags: row={row}\r\ncontent-length: {len(sent)}\r\n\r\n".encode() + sent)
    status, head, answer = await _response(reader)
    text = answer.decode()
    if is_stream and status == 200 and not text.endswith("data: [DONE]\n\n"):
        raise ValueError(f"a stream without its end: {text!r}")
    return Received(row, _header(head, b"freehold-call-id"), text, status)


class Crowd:
    """Clients that ask until told to stop; `received` holds the responses that came whole."""

    def __init__(self, up: Up, clients: int) -> None:
        self.received: list[Received] = []
        self._up = up
        self._numbers = itertools.count()
        self._is_ending = False
        self._tasks = [asyncio.create_task(self._client()) for _ in range(clients)]

    async def until(self, count: int) -> None:
        """Wait until so many responses have come."""
        deadline = time.monotonic() + WAIT_S
        while len(self.received) < count:
            assert time.monotonic() < deadline, self._up.log
            await asyncio.sleep(0.005)

    async def leave(self) -> None:
        """End all clients after what they are waiting for."""
        self._is_ending = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), WAIT_S)

    async def _client(self) -> None:
        while not self._is_ending:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._up.port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            with suppress(*BROKEN):
                while not self._is_ending:
                    number = next(self._numbers)
                    row = f"{number}{'s' if number % 3 == 0 else 'p'}"
                    got = await asyncio.wait_for(_ask(reader, writer, row), 30)
                    if got.status == 200:
                        self.received.append(got)
            writer.close()


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" not in head.lower():
        return status, head, await reader.readexactly(_length(head))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return status, head, body


def _length(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


def _header(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip().decode()
    return ""
