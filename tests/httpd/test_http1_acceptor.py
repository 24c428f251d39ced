"""Servers that accept from one socket: connections spread over them, and wait for none that is away."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from freehold.httpd.request import Request
from freehold.httpd.server import Limits, OpenCounts, Server

WAIT_S = 20.0


async def _answer(request: Request) -> None:
    request.start(200, [(b"content-length", b"2")])
    request.finish(b"ok")


@asynccontextmanager
async def _servers(number: int) -> AsyncIterator[tuple[int, list[Server]]]:
    """A port with so many servers that share its socket."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as taken, tempfile.TemporaryFile() as counts:
        counts.truncate(OpenCounts.size_bytes(number))
        taken.setblocking(False)
        servers = [Server(_answer, Limits(), lambda _: (400, [], b"")) for _ in range(number)]
        for place, server in enumerate(servers, start=1):
            await server.start(taken.dup(), OpenCounts(counts.fileno(), place))
        try:
            async with asyncio.timeout(WAIT_S):
                yield int(taken.getsockname()[1]), servers
        finally:
            for server in servers:
                await server.stop(0)


async def _connect(port: int) -> asyncio.StreamWriter:
    """A connection over which a request was answered, so that it was accepted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    return writer


@pytest.mark.parametrize("is_at_once", [False, True])
@pytest.mark.parametrize(("number", "most_apart"), [(8, 1), (100, 4)])
async def test_connections_spread_evenly(number: int, most_apart: int, is_at_once: bool) -> None:
    async with _servers(2) as (port, servers):
        if is_at_once:
            opened = await asyncio.gather(*(_connect(port) for _ in range(number)))
        else:
            opened = [await _connect(port) for _ in range(number)]
        first, second = (len(server.connections) for server in servers)
        assert first + second == number
        assert abs(first - second) <= most_apart
        for writer in opened:
            writer.close()


async def test_one_that_has_lost_its_clients_gets_the_next(tmp_path: object) -> None:
    async with _servers(2) as (port, servers):
        opened = [await _connect(port) for _ in range(10)]
        for connection in tuple(servers[0].connections):
            connection.break_off(is_abrupt=True)
        while servers[0].connections:
            await asyncio.sleep(0)
        opened += [await _connect(port) for _ in range(4)]
        assert [len(server.connections) for server in servers] == [4, 5]
        for writer in opened:
            writer.close()


async def test_nobody_waits_for_one_that_is_away() -> None:
    """It has the fewest connections, and never accepts: it is dead, or hangs."""
    async with _servers(3) as (port, servers):
        await servers[1].stop(0)
        opened = await asyncio.gather(*(_connect(port) for _ in range(60)))
        assert [bool(server.connections) for server in servers] == [True, False, True]
        assert sum(len(server.connections) for server in servers) == 60
        for writer in opened:
            writer.close()


async def test_a_stopped_server_lets_its_connections_go_and_accepts_no_more() -> None:
    async with _servers(2) as (port, servers):
        opened = [await _connect(port) for _ in range(4)]
        await servers[0].stop(0)
        await servers[0].stop(0)
        while servers[0].connections:
            await asyncio.sleep(0)
        opened += [await _connect(port) for _ in range(4)]
        assert [len(server.connections) for server in servers] == [0, 6]
        for writer in opened:
            writer.close()


async def test_too_many_open_files_are_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []
    accept = socket.socket.accept

    def refuse_once(listener: socket.socket) -> tuple[socket.socket, object]:
        if not refused:
            refused.append(listener)
            raise OSError(24, "Too many open files")
        return accept(listener)

    monkeypatch.setattr("freehold.httpd.acceptor._AFTER_FAILURE_S", 0.01)
    async with _servers(1) as (port, _):
        monkeypatch.setattr("socket.socket.accept", refuse_once)
        writer = await _connect(port)
        assert len(refused) == 1
        writer.close()
