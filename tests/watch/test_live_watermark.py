"""Calls are read in the order in which they were asked, also where what was asked first is recorded last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from rollback_scene import FAST, Gateway, Script, both_sides, moved, teach
from watch.moved import PUT_AT, WRONG, Moved, a_moved_task

from freehold.model.ids import uuid7
from freehold.record import (
    Decision,
    Exchange,
    Journal,
    RequestSide,
    ResponseSide,
    UnderWay,
    forget_calls_under_way,
    oldest_under_way,
)
from freehold.record.run.journal import delivering, journal_folder
from freehold.watch.run.watermark import Watermark, under_way_folder


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Moved]:
    task = a_moved_task(tmp_path)
    yield task
    task.workspace.store.close()


class Monotonic:
    """A clock that a test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def under_way(task: Moved) -> UnderWay:
    return UnderWay(under_way_folder(task.workspace.settings) / "worker-1")


def test_the_oldest_call_under_way_is_told(tmp_path: Path) -> None:
    one, two = UnderWay(tmp_path / "one"), UnderWay(tmp_path / "two")
    assert oldest_under_way(tmp_path, "t") is None
    one.begin("t", "a", 5.0)
    one.begin("t", "b", 6.0)
    two.begin("t", "c", 4.0)
    two.begin("other", "d", 1.0)
    assert oldest_under_way(tmp_path, "t") == 4.0
    two.end("t", "c")
    two.end("t", "never-begun")
    assert oldest_under_way(tmp_path, "t") == 5.0
    one.end("t", "a")
    assert oldest_under_way(tmp_path, "t") == 6.0
    one.end("t", "b")
    assert oldest_under_way(tmp_path, "t") is None
    one.begin("t", "e", 9.0)
    UnderWay(tmp_path / "one")
    assert oldest_under_way(tmp_path, "t") is None, "a worker that died left its calls under way"
    forget_calls_under_way(tmp_path)
    assert oldest_under_way(tmp_path, "other") is None


def test_a_disk_that_takes_nothing_keeps_no_call_from_being_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    told = UnderWay(tmp_path / "file" / "worker-1")
    for call in ("a", "b"):
        told.begin("t", call, 1.0)
        told.end("t", call)
    assert caplog.text.count("cannot be told") == 1


def test_a_call_under_way_holds_what_was_asked_after_it(task: Moved) -> None:
    task.put()
    calls = under_way(task)
    first = task.local()
    calls.begin(task.task_id, "slow", task.clock + 0.5)
    task.local(audit=WRONG)
    task.now = first.created_at + 30
    task.look()
    assert task.kept.watch.calls == 1
    slow = task.rented(created_at=first.created_at + 0.5)
    calls.end(task.task_id, "slow")
    task.look()
    assert task.kept.watch.calls == 3
    assert task.kept.cursor[0] > slow.created_at


def test_a_call_that_never_ends_holds_nothing_for_ever(task: Moved) -> None:
    task.put()
    under_way(task).begin(task.task_id, "slow", task.clock)
    later = task.local()
    task.now = later.created_at + 55
    task.look()
    assert task.kept.watch.calls == 0
    task.now = later.created_at + 62
    task.look()
    assert task.kept.watch.calls == 1


def test_another_gateway_says_how_far_its_calls_are_recorded(task: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be slow, its database may have been away, or its clock behind; one that is silent is not waited for."""
    task.put()
    clock = Monotonic()
    monkeypatch.setattr("freehold.watch.run.watermark.time", clock)
    watches = task.workspace.store.watches
    task.local()
    later = task.local()
    task.now = later.created_at + 10
    watches.tell_reach("other", {task.task_id: later.created_at - 0.5}, task.now)
    for _ in range(10):
        task.look()
        task.now, clock.now = task.now + 1.4, clock.now + 1.4
        assert task.kept.watch.calls == 1
    assert list(watches.lives()) == [task.task_id]
    task.now, clock.now = task.now + 600, clock.now + 600
    task.look()
    assert task.kept.watch.calls == 1, "nobody could say anything while the database was away"
    for _ in range(12):
        task.now, clock.now = task.now + 1.4, clock.now + 1.4
        task.look()
    assert task.kept.watch.calls == 2
    (own,) = watches.reaches(told_since=0.0, without="other")
    assert own[task.task_id] >= PUT_AT
    task.watching.leave()
    assert watches.reaches(told_since=0.0, without="other") == []


def test_nothing_is_said_while_no_route_is_moved(task: Moved) -> None:
    assert Watermark(task.workspace).of([], task.now) == {}
    assert task.workspace.store.watches.reaches(told_since=0.0, without="") == []


async def test_slow_calls_count_beside_quick_ones(tmp_path: Path) -> None:
    """The provider takes longer than the owned model; without its calls the local ones would stand for all."""
    script = Script(owned=lambda number: "down" if number % 2 else "right", provider=lambda _: "slow", slow_s=0.4)
    async with both_sides(script) as origin:
        gateway = Gateway(tmp_path, origin, *FAST)
        task_id = teach(gateway.workspace)
        await gateway.start()
        try:
            route = moved(gateway.workspace, task_id, audit_rate=0.02)
            asks = []
            for number in range(1000, 1060):
                asks.append(asyncio.create_task(gateway.ask_beside(number)))
                await asyncio.sleep(0.03)
            answered = await asyncio.gather(*asks)
            store = gateway.workspace.store
            await gateway.until(lambda: all(store.calls.get(one.call_id) for one in answered))
            recorded = store.call_stream.page(task_id, route.version, (0.0, ""), 1e12, 999)
            await gateway.until(
                lambda: store.watches.get(task_id).document.get("cursor", ("", ""))[1] >= recorded[-1].id
            )
            watch = store.watches.get(task_id).document["watch"]
        finally:
            await gateway.stop()
            gateway.workspace.store.close()
    assert {one.arm for one in answered} == {"owned", "rented"}
    assert watch["calls"] == len(recorded)


def test_evidence_is_read_while_other_calls_wait_for_the_database(task: Moved) -> None:
    """The rest of a busy hour lies in a lane of its own; what waits among the evidence holds what was asked later."""
    task.put()
    folder = journal_folder(task.workspace.settings)
    rest = Journal(folder, lane="rest")
    rest.append(_waiting(task.clock - 100))
    first = task.local()
    task.now = first.created_at + 10
    task.look()
    assert task.kept.watch.calls == 1
    lane = Journal(folder, lane="evidence")
    lane.append(_waiting(first.created_at + 0.5))
    later = task.local()
    task.now = later.created_at + 10
    task.look()
    assert task.kept.watch.calls == 1
    reach = Watermark(task.workspace)
    assert reach.of([task.task_id], task.now)[task.task_id] == first.created_at + 0.5
    assert reach.rest(task.now) == first.created_at - 101
    rest.close()
    lane.close()


def test_strays_are_waited_for_as_long_as_the_rest_waits(task: Moved) -> None:
    """They are placed by no route, so they come with the rest: the watch must not have read past them by then."""
    task.put()
    asked_at = task.clock + 1
    rest = Journal(journal_folder(task.workspace.settings), lane="rest")
    rest.append(_waiting(asked_at))
    task.now = asked_at + 600
    task.look()
    assert task.kept.strays[0] <= asked_at
    stray = task.rented(route_version=0, created_at=asked_at)
    with delivering(task.workspace.settings, lambda _: None) as delivery:
        assert delivery.drain(30.0)
    task.look()
    assert task.kept.strays == (stray.created_at, stray.id)
    rest.close()


def _waiting(asked_at: float) -> Exchange:
    side = RequestSide(
        id=uuid7(), created_at=asked_at, dialect="openai-chat", method="POST", path="/v1/chat/completions", body=b"{}"
    )
    return Exchange(side, Decision(provider="up"), ResponseSide(status=200, body=b"{}"))
