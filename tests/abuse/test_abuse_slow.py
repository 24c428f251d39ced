"""Requests that come slowly or not at all: waited for while they move, and no longer.

Where these tests sleep, time is what they test. Not covered: clients that do not read (`test_abuse_load`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest
from abuse.town import CHAT_PATH, Town, chat
from fidelity.wire import Got, Line

PATIENCE_S = 1.0


@pytest.fixture(scope="module")
def settings() -> str:
    return f"client_timeout_s = {PATIENCE_S}"


async def dribble(town: Town, at_once: bytes, slowly: bytes) -> bytes:
    """Send a byte at a time, each well within any patience; returns what is answered until the gateway hangs up."""
    line = Line(town.port)
    await line.send(at_once)
    answer = asyncio.create_task(line.read_rest(timeout_s=20 * PATIENCE_S))
    try:
        for byte in slowly:
            if answer.done():
                break
            await line.send(bytes([byte]))
            await asyncio.wait([answer], timeout=PATIENCE_S / 10)
    except ConnectionError:
        pass
    rest = await answer
    line.close()
    return rest


def under_pressure(town: Town, works: list[Coroutine[Any, Any, bytes]]) -> list[bytes]:
    """Run these side by side, and see to it that an ordinary call is answered meanwhile."""

    async def run() -> list[bytes]:
        tasks = [asyncio.create_task(work) for work in works]
        line = Line(town.port)
        await line.send(chat())
        assert (await line.read(timeout_s=20)).status == 200
        line.close()
        return await asyncio.gather(*tasks)

    return town.upstream.run(run())


SLOW_HEAD = b"POST %b HTTP/1.1\r\nhost: localhost\r\nx-slow: 1\r\n" % CHAT_PATH
SLOW: Mapping[str, tuple[bytes, bytes]] = {
    "a head": (b"", SLOW_HEAD + b"x-long: " + b"v" * 1000),
    "a head after its first line": (SLOW_HEAD, b"x-long: " + b"v" * 1000),
    "nothing but a letter": (b"G", b""),
    "a body that does not come": (SLOW_HEAD + b"content-length: 1000\r\n\r\n{", b""),
    "chunks that do not come": (SLOW_HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n", b""),
}


@pytest.mark.parametrize("form", SLOW)
def test_a_request_that_does_not_come_is_not_waited_for(town: Town, form: str) -> None:
    """408 in time, or no answer at all, and the connection is closed."""
    for rest in under_pressure(town, [dribble(town, *SLOW[form]) for _ in range(20)]):
        assert rest == b"" or rest.startswith(b"HTTP/1.1 408 ")
    assert [seen for seen in town.upstream.seen if seen.header(b"x-slow")] == []


def test_a_request_that_comes_byte_by_byte_in_time_is_answered(town: Town) -> None:
    raw = chat()

    async def send() -> Got:
        line = Line(town.port)
        for byte in raw:
            await line.send(bytes([byte]))
        got = await line.read()
        line.close()
        return got

    assert town.upstream.run(send()).status == 200


def test_a_large_body_is_not_a_slow_one(town: Town) -> None:
    """Patience is for bytes that do not come, not for the whole of an upload that takes longer."""

    async def send() -> Got:
        line = Line(town.port)
        await line.send(b"POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (20 * 2**16))
        for _ in range(20):
            await line.send(b"x" * 2**16)
            await asyncio.sleep(PATIENCE_S / 10)
        got = await line.read()
        line.close()
        return got

    assert town.upstream.run(send()).status == 200
