"""Workers accept from one socket: none of them keeps a connection waiting, and all of them get some."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from up_town import WAIT_S, Up, provider

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_that_is_away_keeps_no_new_connection(tmp_path: Path, way: signal.Signals) -> None:
    """It is dead, and its parent cannot start it again; or it hangs. All calls get their answers from the other."""
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start("--workers", "2")
        victim = _a_worker(up)
        os.kill(up.pid, signal.SIGSTOP)
        try:
            os.kill(victim, way)
            if way == signal.SIGKILL:
                while not _has_ended(victim):
                    await asyncio.sleep(0.01)
            received = await asyncio.wait_for(asyncio.gather(*(up.ask(f"{row}p") for row in range(40))), WAIT_S)
            assert {got.status for got in received} == {200}
        finally:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGCONT)
            os.kill(up.pid, signal.SIGCONT)
        await up.until_waiting(calls=0)
        assert await up.stop() == 0, up.log


async def test_connections_that_stay_open_spread_over_the_workers(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start("--workers", "2")
        opened = []
        for _ in range(100):
            reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"}")
            opened.append(writer)
        held = _connections(up)
        assert sum(held.values()) == 100
        assert min(held.values()) >= 10, held
        assert len(held) == 2
        for writer in opened:
            writer.close()
        assert await up.stop() == 0


def _a_worker(up: Up) -> int:
    """A process that holds the listening socket and is not the parent."""
    holders = [pid for pid in up.workers() if _sockets(pid) & _inodes(up.port, state="0A")]
    assert len(holders) == 2
    return holders[0]


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits for a parent that stands still."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _connections(up: Up) -> Counter[int]:
    """How many connections each worker holds."""
    open_now = _inodes(up.port, state="01")
    return Counter({pid: count for pid in up.workers() if (count := len(_sockets(pid) & open_now))})


def _inodes(port: int, *, state: str) -> set[str]:
    """The sockets on this local port that are in this state."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == state}


def _sockets(pid: int) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            name = os.readlink(file)
            if name.startswith("socket:["):
                found.add(name[8:-1])
    return found
