"""Whatever is killed, and whenever: every response that a client received whole is in the record, once."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from made import a_workspace
from up_town import Crowd, Up, provider

from freehold.record import read_backlog
from freehold.store import CallFilter

CLIENTS = 16
DELIVERY_S = 240.0
"""On a busy machine delivery takes longer than a stop waits for it."""
SEED = 20261123


async def _killed_at_random(folder: Path, *, kills: int, parent_every: int, workers: int, between: int) -> int:
    rng = random.Random(SEED)
    async with provider() as url:
        up = Up(folder, url)
        await up.start("--workers", str(workers))
        crowd = Crowd(up, CLIENTS)
        for kill in range(1, kills + 1):
            await crowd.until(len(crowd.received) + rng.randrange(1, between))
            if kill % parent_every == 0:
                await up.kill()
                await up.start("--workers", str(workers))
            else:
                with suppress(ProcessLookupError, IndexError):  # the last one may not be back yet
                    os.kill(rng.choice(up.workers()), signal.SIGKILL)
        await crowd.until(len(crowd.received) + between)
        await crowd.leave()
        await up.until_waiting(calls=0, wait_s=DELIVERY_S)
        assert await up.stop() == 0, up.log
    _check(up, crowd)
    return len(crowd.received)


def _check(up: Up, crowd: Crowd) -> None:
    workspace = a_workspace(up.state)
    calls = {call.id: call for call in workspace.store.calls.stream(CallFilter())}
    workspace.store.close()
    rows = Counter(call.tags["row"] for call in calls.values())
    for got in crowd.received:
        call = calls[got.call_id]
        wanted = f"question {got.row}"[::-1]
        assert (call.tags["row"], call.error, rows[got.row]) == (got.row, None, 1)
        assert wanted in call.response_body.decode()
    waiting = read_backlog(up.state / "journal")
    assert (waiting.calls, waiting.size_bytes, waiting.damaged, waiting.refused) == (0, 0, 0, 0)


async def test_what_a_client_has_is_in_the_record_whenever_a_worker_is_killed(tmp_path: Path) -> None:
    assert await _killed_at_random(tmp_path, kills=4, parent_every=4, workers=2, between=60) > 100


@pytest.mark.slow
async def test_a_hundred_kills(tmp_path: Path) -> None:
    received = await _killed_at_random(tmp_path, kills=100, parent_every=4, workers=2, between=400)
    assert received > 10_000
