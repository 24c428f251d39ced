"""Clients that break off in the middle of what they asked for: the provider is told, and nothing of them is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from abuse.town import LATE_BYTES, MIB, Town, chat
from fidelity.upstream import SSE_HEAD, End, Seen, chunk
from fidelity.wire import Line


def test_clients_that_come_and_go_leave_nothing_behind(town: Town) -> None:
    """180 clients break off in the middle of endless streams: the provider is rid of each, the memory comes back."""
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

    town.upstream.script = endless
    town.upstream.run(crowd(2))
    town.gateway.call(lambda call: call["error"] == "client_gone")
    before = town.gateway.memory_bytes()
    town.upstream.run(crowd(6))
    town.upstream.wait_until(lambda up: len(up.hung_up) >= 240)
    town.gateway.wait_for_memory_below(before + LATE_BYTES + 30 * MIB)
