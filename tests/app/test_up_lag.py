"""The lag of the delivery: said once, shown wherever somebody looks, and no reason to send calls elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path

import pytest
from made import a_workspace
from up_town import WAIT_S, Up, provider

from freehold.app.lag import LagAlarm
from freehold.pipeline.locks import locked
from freehold.record import Backlog
from freehold.record.run.lag import lag_words

NOW = 1_764_000_000.0


def waiting(evidence_s: float = 0.0, rest_s: float = 0.0) -> Backlog:
    """A backlog whose first calls have waited so long; 0 for none."""
    ended = {"evidence": NOW - evidence_s} if evidence_s else {}
    ended |= {"rest": NOW - rest_s} if rest_s else {}
    return Backlog(calls=1200, size_bytes=5000, asked=ended, ended=ended)  # type: ignore[arg-type]


def test_the_alarm_speaks_once_and_once_more_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    alarm = LagAlarm(10.0)
    for lag_s in (1.0, 10.0, 9.0):
        alarm.look(waiting(rest_s=lag_s), NOW)
    assert not caplog.records
    for lag_s in (10.5, 12.0, 9.0, 11.0, 5.1):
        alarm.look(waiting(rest_s=lag_s), NOW)
    (said,) = [record.message for record in caplog.records]
    assert "about 1,200 calls" in said
    assert "the first for 10 s (of moved tasks: 0 s)" in said
    assert "record.delivery_share" in said
    alarm.look(waiting(rest_s=4.9), NOW)
    alarm.look(Backlog(), NOW)
    assert [record.message for record in caplog.records[1:]] == [
        "Delivery no longer lags: the first call that waits has waited for 4.9 s."
    ]
    alarm.look(waiting(evidence_s=30.0), NOW)
    assert "(of moved tasks: 30 s)" in caplog.records[-1].message


def test_evidence_that_lags_is_told_of_both_lanes() -> None:
    assert lag_words(Backlog(), NOW, limit_s=10.0) == "nothing waits for the database"
    calm = lag_words(waiting(rest_s=0.4), NOW, limit_s=10.0)
    assert calm == "about 1,200 calls wait for the database, the first for 0.4 s"
    late = lag_words(waiting(rest_s=20.0, evidence_s=0.2), NOW, limit_s=10.0)
    assert "the first for 20.0 s (of moved tasks: 0.2 s), longer than record.lag_s = 10" in late


async def test_a_delivery_that_cannot_work_is_seen_everywhere(tmp_path: Path) -> None:
    async with provider() as url:
        up = Up(tmp_path, url, "[record]", "lag_s = 0.2")
        workspace = a_workspace(up.state)
        with locked(up.state.absolute() / "locks" / "delivery.lock", "A test"):
            await up.start()
            for row in ("1p", "2p", "3p"):
                await up.ask(row)
            await _said(up, "Delivery lags: about 3 calls")
            status, _, body = await up.get("/readyz")
            assert (status, json.loads(body)["status"]) == (200, "ready")
            assert json.loads(body)["delivery_lag_s"] >= 0.2
            await _shown(up, "rest")
            assert await _lag(up, "evidence") == 0.0
        await up.until_waiting(calls=0)
        await _said(up, "Delivery no longer lags")
        assert up.log.count("Delivery lags") == 1
        assert json.loads((await up.get("/readyz"))[2])["delivery_lag_s"] == 0.0
        assert await up.stop() == 0
        workspace.store.close()


async def _lag(up: Up, lane: str) -> float:
    page = (await up.get("/metrics"))[2].decode()
    (line,) = [row for row in page.splitlines() if row.startswith(f'freehold_delivery_lag_seconds{{lane="{lane}"}}')]
    return float(line.split()[-1])


async def _shown(up: Up, lane: str) -> None:
    """Wait until the figures of the delivery, which are written once a second, have the lag."""
    deadline = time.monotonic() + WAIT_S
    while await _lag(up, lane) < 0.2:
        assert time.monotonic() < deadline, up.log
        await asyncio.sleep(0.02)


async def _said(up: Up, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in up.log:
        assert time.monotonic() < deadline, up.log
        await asyncio.sleep(0.02)


def test_the_alarm_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    LagAlarm(1.0).look(waiting(rest_s=2.0), NOW)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
