"""Clients that break off in the middle of what they asked for: the provider is told, and nothing of them is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from abuse.town import MIB, Town, chat
from fidelity.upstream import SSE_HEAD, End, Seen, chunk
from fidelity.wire import Line


def test_clients_that_come_and_go_leave_nothing_behind(town: Town) -> None:
    """Waves of 180 clients break off after 1 MiB each: the provider is rid of each, and some wave leaves nothing.

    A wave during which a part is loaded that was not needed before leaves more; where all do, calls are kept.
    """
    event = chunk(b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 2**17))

    async def endless(_: Seen) -> AsyncIterator[bytes | End]:
        yield SSE_HEAD
        while True:
            yield event
            await asyncio.sleep(0.001)

    async def come_and_go() -> None:
        line = Line(town.port)
        await line.send(chat(stream=True))
        await line.read(seen=lambda got: line.abort() if len(got.body) > MIB else None)

    async def crowd(rounds: int) -> None:
        for _ in range(rounds):
            await asyncio.gather(*(come_and_go() for _ in range(30)))

    def wave(number: int) -> int:
        before = town.gateway.settled_bytes()
        town.upstream.run(crowd(6))
        town.upstream.wait_until(lambda up: len(up.hung_up) >= 180 * number)
        return town.gateway.settled_bytes() - before

    town.upstream.script = endless
    assert any(wave(number) < 60 * MIB for number in range(1, 5))
    town.gateway.call(lambda call: call["error"] == "client_gone")
