"""The console: a process beside the workers, which ask it for pages and pass them on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from test_up_sorter import _is_gone, _until
from up_town import WAIT_S, Up, provider

from freehold.app.console_link import CLIENT_HEADER, ConsoleLink
from freehold.app.console_server import FromWorkers
from freehold.app.sockets import console_socket
from freehold.gateway.server import refuse
from freehold.httpd.asgi import AsgiApp, Event, answer_with
from freehold.httpd.request import Request
from freehold.httpd.server import Limits, Server

CHUNK = bytes(64 * 2**10)
MOST_AHEAD_BYTES = 16 * 2**20
Send = Callable[[Event], Awaitable[None]]


@asynccontextmanager
async def serving(app: AsgiApp, taken: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a listening socket, on the running loop."""

    async def handle(request: Request) -> None:
        await answer_with(app, request)

    server = Server(handle, Limits(), refuse)
    taken.setblocking(False)
    await server.start(taken)
    try:
        yield
    finally:
        await server.stop(0)


@asynccontextmanager
async def gateway(app: AsgiApp | None, folder: Path, *, most: int = 32) -> AsyncIterator[int]:
    """A worker's side on a port, and behind it the console's with this application; None for a console that is away."""
    with console_socket(folder) as pages, socket.socket() as front:
        front.bind(("127.0.0.1", 0))
        front.listen()
        async with serving(ConsoleLink(pages.getsockname(), most=most), front):
            if app is None:
                pages.close()
                yield front.getsockname()[1]
                return
            async with serving(FromWorkers(app), pages):
                yield front.getsockname()[1]


async def asked(port: int, *lines: str, body: bytes = b"") -> bytes:
    """What comes back for a request, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "\r\n".join([*lines, "connection: close", f"content-length: {len(body)}", "", ""])
    writer.write(head.encode() + body)
    found = await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()
    return found


async def _says(send: Send, text: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


async def _mirror(scope: Event, receive: Callable[[], Awaitable[Event]], send: Send) -> None:
    headers = [name for name, _ in scope["headers"]]
    body = (await receive())["body"]
    await _says(send, f"{scope['method']} {scope['path']} {scope['query_string']} {scope['client']} {headers} {body}")


async def test_a_request_comes_to_the_console_as_it_was_asked_and_nobody_can_name_another_client(
    tmp_path: Path,
) -> None:
    async with gateway(_mirror, tmp_path) as port:
        forged = f"{CLIENT_HEADER.decode()}: 10.0.0.1"
        answer = await asked(port, "POST /api/x?y=1 HTTP/1.1", "host: there", forged, "x-own: 1", body=b"told")
    assert answer.startswith(b"HTTP/1.1 200")
    assert (
        b"POST /api/x b'y=1' ('127.0.0.1', 0) [b'host', b'x-own', b'connection', b'content-length'] b'told'" in answer
    )


async def test_a_console_that_is_told_no_client_takes_nobody_for_this_machine(tmp_path: Path) -> None:
    with console_socket(tmp_path) as pages:
        path = pages.getsockname()
        async with serving(FromWorkers(_mirror), pages):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), WAIT_S)
            writer.close()
    assert b"('', 0)" in answer


async def test_a_large_page_waits_for_its_reader_instead_of_filling_memory(tmp_path: Path) -> None:
    sent = 0

    async def large(scope: Event, receive: object, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            sent += len(CHUNK)
        await send({"type": "http.response.body", "body": b""})

    async with gateway(large, tmp_path) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while before != sent:  # until nothing more is taken
            before = sent
            await asyncio.sleep(0.2)
        assert 0 < sent < MOST_AHEAD_BYTES
        received, chunk = 0, b""
        while not chunk.endswith(b"\r\n0\r\n\r\n"):
            chunk = await asyncio.wait_for(reader.read(2**20), WAIT_S)
            received += len(chunk)
        assert received >= 1000 * len(CHUNK)
        writer.close()


async def test_more_pages_at_once_than_there_is_room_for_are_turned_away(tmp_path: Path) -> None:
    release, places = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(scope: Event, receive: object, send: Send) -> None:
        if scope["path"] == "/slow":
            places.release()
            await release.wait()
        await _says(send, "done")

    async with gateway(slow, tmp_path, most=2) as port:
        waiting = [asyncio.create_task(asked(port, "GET /slow HTTP/1.1", "host: x")) for _ in range(2)]
        for _ in waiting:
            await asyncio.wait_for(places.acquire(), WAIT_S)
        answer = await asked(port, "GET / HTTP/1.1", "host: x")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"The console is busy" in answer
        release.set()
        assert all(one.endswith(b"done\r\n0\r\n\r\n") for one in await asyncio.gather(*waiting))
        assert (await asked(port, "GET / HTTP/1.1", "host: x")).startswith(b"HTTP/1.1 200")


async def test_a_console_that_is_away_is_said_so(tmp_path: Path) -> None:
    async with gateway(None, tmp_path) as port:
        answer = await asked(port, "GET / HTTP/1.1", "host: x")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Calls pass all the same." in answer


def test_the_socket_is_in_a_folder_of_this_user_alone_also_where_the_path_is_long(tmp_path: Path) -> None:
    for run in (tmp_path, tmp_path / ("long" * 30)):
        with console_socket(run) as pages:
            folder = Path(pages.getsockname()).parent
            assert folder.stat().st_mode & 0o777 == 0o700
        assert not folder.exists()


def test_a_worker_loads_nothing_of_the_console() -> None:
    code = "import sys, freehold.app.gateway_process; print([m for m in ('starlette', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _console(up: Up) -> int:
    for pid in up.workers():
        if b"freehold.app.console" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return pid
    return 0


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
async def test_pages_come_from_a_process_of_their_own_which_is_started_again_when_it_dies(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        status, _, page = await up.get("/")
        assert (status, b"0 calls in 0 tasks" in page) == (200, True)
        assert (await up.get("/nothing/here"))[0] == 404
        first = _console(up)
        assert os.getpriority(os.PRIO_PROCESS, first) == 10
        os.kill(first, signal.SIGKILL)
        await _until(lambda: _console(up) not in (0, first), up)
        status, _, page = await up.get("/")
        assert status == 200, page
        assert (await up.ask("1p")).status == 200
        second = _console(up)
        assert await up.stop() == 0
    assert _is_gone(second)
