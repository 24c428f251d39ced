"""The sorter: a process beside the workers that is started again when it dies, and ends with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made import a_workspace
from up_town import WAIT_S, Up, provider

from freehold.store import CallFilter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


def _sorters(up: Up) -> list[int]:
    found = []
    for pid in up.workers():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        found += [pid] if b"freehold.app.sorter" in words else []
    return found


async def _until(is_so: Callable[[], bool], up: Up) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, up.log
        await asyncio.sleep(0.05)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_a_killed_sorter_is_started_again_and_sorts(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        (first,) = _sorters(up)
        os.kill(first, signal.SIGKILL)
        await _until(lambda: any(pid != first for pid in _sorters(up)), up)
        assert "the sorter ended (exit code -9) and is started again" in up.log
        await up.ask("1p")
        workspace = a_workspace(up.state)
        await _until(lambda: workspace.store.calls.count(CallFilter(is_sorted_out=True)) == 1, up)
        (second,) = _sorters(up)
        assert os.getpriority(os.PRIO_PROCESS, second) == 19
        assert await up.stop() == 0
        workspace.store.close()
    assert _is_gone(second)


async def test_the_sorter_dies_with_its_parent(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        (sorter,) = _sorters(up)
        await up.kill()
        await _until(lambda: _is_gone(sorter), up)


def test_a_sorter_without_its_parent_ends_at_once() -> None:
    command = [sys.executable, "-m", "freehold.app.sorter", "--parent", "1"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=WAIT_S)
    assert done.returncode == 1
    assert b"the process that started this one is gone" in done.stderr
