"""Clients that do not read, are many, idle or gone: they take nothing from anybody else.

Where these tests sleep, time is what they test. Not covered: requests that come slowly (`test_abuse_slow`).
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable

import pytest
from abuse.town import LATE_BYTES, MIB, Town
from fidelity.upstream import End, Seen, plain
from fidelity.wire import Line, request

READ_BYTES = 50 * MIB
BUFFERED_BYTES = 30 * MIB  # what the system itself holds in the sockets between two who talk


@pytest.fixture(scope="module")
def settings() -> str:
    """Both sides may open as many files as the system lets them; the gateway inherits it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return ""


def test_a_client_that_does_not_read_holds_its_provider_back(town: Town) -> None:
    """Four clients ask for 50 MB each and read none of it: the gateway takes no more than it can pass on."""
    sent = [0]

    async def large(_: Seen) -> AsyncIterator[bytes | End]:
        yield b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: %d\r\n\r\n" % READ_BYTES
        for _part in range(READ_BYTES // 2**16):
            yield b"x" * 2**16
            sent[0] += 2**16

    town.upstream.script = large
    before = town.gateway.memory_bytes()
    lines = town.upstream.run(_ask_and_not_read(town, 4, lambda: sent[0]))
    assert sent[0] < 4 * BUFFERED_BYTES
    assert town.gateway.memory_bytes() - before < LATE_BYTES + 100 * MIB
    town.upstream.run(_read_all(lines))
    assert sent[0] == 4 * READ_BYTES


@pytest.mark.slow
def test_large_calls_do_not_pile_up_behind_the_gateway(town: Town) -> None:
    """Calls of 50 MB, one after the other: twelve more than six take little more memory than the six did."""

    async def large(_: Seen) -> AsyncIterator[bytes | End]:
        yield plain(b"x" * READ_BYTES, kind=b"audio/mpeg", headers=[(b"x-large", b"1")])

    def ask(calls: int) -> int:
        for _ in range(calls):
            got = town.ask(request(b"GET", b"/v1/files/large"))
            assert len(got.body) == READ_BYTES
        town.gateway.one_recorded(got.header(b"freehold-call-id").decode())
        return town.gateway.peak_bytes()

    town.upstream.script = large
    before = ask(6)
    assert ask(12) - before < 6 * READ_BYTES


async def _ask_and_not_read(town: Town, clients: int, sent: Callable[[], int]) -> list[Line]:
    """Ask, and return once nothing moves any more."""
    lines = [Line(town.port, buffer_bytes=2**16) for _ in range(clients)]
    for line in lines:
        await line.send(b"GET /v1/files/f/content HTTP/1.1\r\nhost: localhost\r\n\r\n")
    still, last = 0, -1
    while still < 10:
        still, last = (still + 1 if sent() == last and last > 0 else 0), sent()
        await asyncio.sleep(0.1)
    return lines


async def _read_all(lines: list[Line]) -> None:
    for line in lines:
        got = await line.read(timeout_s=120)
        assert (got.status, got.is_whole, len(got.body)) == (200, True, READ_BYTES)
        line.close()


@pytest.mark.parametrize("idle", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_idle_connections_cost_little(town: Town, idle: int) -> None:
    """Each has had its answer and says nothing more; others are served as before, and so is each of them."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < idle + 1_000:
        pytest.skip(f"this system lets a process open {files} files")

    async def stand_around() -> int:
        lines = [Line(town.port) for _ in range(idle)]
        for first in range(0, idle, 100):
            await asyncio.gather(*(_healthy(line) for line in lines[first : first + 100]))
        grown = town.gateway.memory_bytes() - before
        async with asyncio.timeout(20):
            await _healthy(Line(town.port))
            await asyncio.gather(*(_healthy(line) for line in lines[::100]))
        for line in lines:
            line.close()
        return grown

    before = town.gateway.memory_bytes()
    assert town.upstream.run(stand_around()) < LATE_BYTES + idle * 50_000


async def _healthy(line: Line) -> None:
    await line.send(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert (await line.read()).status == 200
