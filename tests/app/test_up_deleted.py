"""The state folder, or the database in it, is deleted while the gateway runs: no call is acknowledged and lost."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from made import a_workspace
from up_town import Crowd, Up, provider

from freehold.store import CallFilter


async def _is_unready(up: Up) -> bool:
    return (await up.readiness())[0] == 503


async def _names_database(up: Up) -> bool:
    return "deleted or replaced" in (await up.readiness())[1]["database"]


async def _answers(up: Up) -> bool:
    return (await up.ask("back p")).status == 200


async def _put_back(away: Path, state: Path) -> None:
    """In place of what other parts of the gateway may have made there meanwhile."""
    while True:
        shutil.rmtree(state, ignore_errors=True)
        with suppress(OSError):
            os.rename(away, state)
            return
        await asyncio.sleep(0.01)


def _ids(state: Path) -> set[str]:
    workspace = a_workspace(state)
    found = {call.id for call in workspace.store.calls.stream(CallFilter())}
    workspace.store.close()
    return found


async def test_a_state_folder_that_is_moved_away_takes_no_call_until_it_is_back(tmp_path: Path) -> None:
    """Under load: what was acknowledged is in the folder that was moved, and calls go on once it is back."""
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start("--workers", "2")
        crowd = Crowd(up, 8)
        await crowd.until(60)
        away = tmp_path / "away"
        up.state.rename(away)
        await up.until(partial(_is_unready, up))
        assert "put it back, or start freehold up again" in up.log
        refused = [await up.ask(f"{row}p") for row in range(4)]
        assert {got.status for got in refused} == {503}
        assert "record_unavailable" in refused[0].text
        status, told = await up.readiness()
        assert (status, told["status"]) == (503, "not ready")
        assert "deleted or moved away" in told["journal"]
        await _put_back(away, up.state)
        await up.until(partial(_answers, up))
        await crowd.until(len(crowd.received) + 60)
        await crowd.leave()
        await up.until_waiting(calls=0)
        assert await up.stop() == 0, up.log
    assert {got.call_id for got in crowd.received} <= _ids(up.state)


async def test_a_state_folder_that_is_deleted_takes_no_call_until_a_new_start(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        assert (await up.ask("1p")).status == 200
        shutil.rmtree(up.state)
        await up.until(partial(_is_unready, up))  # it is noticed without a call
        assert "deleted or moved away" in (await up.readiness())[1]["journal"]
        assert {(await up.ask(row)).status for row in ("2p", "3s")} == {503}
        await up.stop()
        await up.start()
        again = await up.ask("4p")
        await up.until_waiting(calls=0)
        assert await up.stop() == 0, up.log
    assert again.call_id in _ids(up.state)


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_calls_wait_in_the_journal_for_a_database_that_was_deleted(tmp_path: Path, is_replaced: bool) -> None:
    async with provider() as url:
        up = Up(tmp_path, url)
        await up.start()
        await up.ask("1p")
        await up.until_waiting(calls=0)
        for file in up.state.glob("freehold.db*"):
            file.unlink()
        if is_replaced:
            a_workspace(up.state).store.close()
        received = [await up.ask(f"{row}p") for row in range(5)]
        assert {got.status for got in received} == {200}
        await up.until(partial(_names_database, up))
        assert not await _is_unready(up), "calls are answered and kept"
        await up.until_waiting(calls=5)
        assert await up.stop() == 0, up.log
        await up.start()
        await up.until_waiting(calls=0)
        assert await up.stop() == 0, up.log
    assert {got.call_id for got in received} <= _ids(up.state)
