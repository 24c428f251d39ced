"""The lanes of the journal: evidence of moved tasks comes first, nothing starves, and every call comes once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from exchanges import an_exchange, as_call
from msgspec.structs import replace
from test_delivery import WAIT_S, Shelf, _killed_at_random, filled, numbers

from freehold.model import Call
from freehold.record import (
    EVIDENCE_LANES,
    OTHER_LANES,
    Decision,
    Delivery,
    Exchange,
    Journal,
    Recorder,
    delivery_lag_s,
    oldest_waiting,
    read_backlog,
)
from freehold.record.lanes import is_evidence, lane_of, writer_name
from freehold.record.segments import writers

PLACED = Decision(provider="up", task_id="t1", route_version=3)
ASKED_AT = 1_763_900_000.0


def evidence(text: str, asked_at: float = ASKED_AT, latency_ms: float = 0.0) -> Exchange:
    exchange = an_exchange(text, latency_ms=latency_ms)
    return replace(exchange, request=replace(exchange.request, created_at=asked_at), decision=PLACED)


def other(text: str, asked_at: float = ASKED_AT, latency_ms: float = 0.0) -> Exchange:
    exchange = an_exchange(text, latency_ms=latency_ms)
    return replace(exchange, request=replace(exchange.request, created_at=asked_at))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(Journal(tmp_path, lane="rest"), evidence=Journal(tmp_path, lane="evidence"))
    yield recorder
    recorder.close()


def test_a_writers_name_says_its_lane() -> None:
    for lane in ("evidence", "mixed", "rest"):
        assert lane_of(writer_name("0190-abc", lane)) == lane


@pytest.mark.parametrize(
    ("decision", "is_so"),
    [
        (PLACED, True),
        (replace(PLACED, arm="audit", parent_id="a"), True),
        (replace(PLACED, arm="shadow", parent_id="a"), True),
        (replace(PLACED, task_id=None), False),
        (replace(PLACED, route_version=0), False),
        (Decision(provider="up"), False),
    ],
)
def test_evidence_is_what_a_moved_tasks_route_placed(decision: Decision, *, is_so: bool) -> None:
    assert is_evidence(replace(an_exchange(), decision=decision)) is is_so


def test_evidence_comes_first_whatever_waits(tmp_path: Path, recorder: Recorder) -> None:
    shelf = Shelf()
    for row in numbers(100):
        recorder.add(other(row))
    for row in numbers(10, 1000):
        recorder.add(evidence(row))
    delivery = Delivery(tmp_path, shelf, as_call, batch_calls=16)
    assert delivery.step()
    assert shelf.rows[:10] == numbers(10, 1000)
    for row in numbers(3, 2000):
        recorder.add(evidence(row))
    assert delivery.step()
    assert shelf.rows[16:19] == numbers(3, 2000)
    assert delivery.drain(WAIT_S)
    assert [row for row in shelf.rows if int(row) < 1000] == numbers(100), "the rest keeps its order"
    assert len(shelf.rows) == 113


def test_evidence_that_never_ends_does_not_keep_the_rest_out(tmp_path: Path, recorder: Recorder) -> None:
    shelf = Shelf()
    for row in numbers(10):
        recorder.add(other(row))
    delivery = Delivery(tmp_path, shelf, as_call, batch_calls=16)
    for step in range(5):
        for row in numbers(50, 1000 + 50 * step):
            recorder.add(evidence(row))
        assert delivery.step()
    assert [row for row in shelf.rows if int(row) < 1000] == numbers(10)


def test_evidence_that_the_sink_refuses_keeps_nobody_out(tmp_path: Path, recorder: Recorder) -> None:
    shelf = Shelf()
    shelf.poison = {"1001"}
    delivery = Delivery(tmp_path, shelf, as_call, batch_calls=4)
    for row in numbers(6, 1000):
        recorder.add(evidence(row))
    for step in range(60):
        recorder.add(evidence(str(2000 + step)))
        recorder.add(other(str(step)))
        delivery.step()
    delivery.drain(0.5)
    assert {row for row in shelf.rows if int(row) < 1000} == set(numbers(60))
    assert {row for row in shelf.rows if int(row) >= 2000} == set(numbers(60, 2000))
    assert read_backlog(tmp_path).refused == 1


def test_a_journal_of_an_earlier_version_holds_both_kinds(tmp_path: Path, recorder: Recorder) -> None:
    """It may have evidence in it, so what was asked after its oldest call is not all in the record."""
    old = filled(tmp_path, numbers(20))
    old.append(evidence("99"))
    recorder.add(evidence("1000", ASKED_AT + 5))
    recorder.add(other("2000", ASKED_AT + 6))
    assert oldest_waiting(tmp_path, EVIDENCE_LANES) == oldest_waiting(tmp_path, OTHER_LANES) == ASKED_AT
    shelf = Shelf()
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert shelf.rows == ["1000", *numbers(20), "99", "2000"]
    old.close()
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert not old.folder.exists()


def test_what_waits_is_told_by_lane(tmp_path: Path, recorder: Recorder) -> None:
    recorder.add(evidence("0", ASKED_AT + 50, latency_ms=1_000))
    recorder.add(other("1", ASKED_AT, latency_ms=60_000))
    recorder.add(other("2", ASKED_AT + 40, latency_ms=30_000))
    waiting = read_backlog(tmp_path)
    assert waiting.calls == 3
    assert waiting.asked == {"evidence": ASKED_AT + 50, "rest": ASKED_AT}
    assert waiting.oldest_at == ASKED_AT
    now = ASKED_AT + 70
    assert waiting.lag_s(now, EVIDENCE_LANES) == 19.0
    assert waiting.lag_s(now) == delivery_lag_s(tmp_path, now) == 19.0
    assert waiting.lag_s(now, OTHER_LANES) == 10.0, "a slow call waits from its end on, not while it is answered"
    assert oldest_waiting(tmp_path, EVIDENCE_LANES) == ASKED_AT + 50
    assert Delivery(tmp_path, Shelf(), as_call).drain(WAIT_S)
    assert (oldest_waiting(tmp_path, EVIDENCE_LANES), delivery_lag_s(tmp_path, now)) == (None, 0.0)


def test_evidence_is_all_there_while_the_rest_still_waits(tmp_path: Path, recorder: Recorder) -> None:
    for row in numbers(40):
        recorder.add(other(row))
    recorder.add(evidence("1000"))
    assert Delivery(tmp_path, Shelf(), as_call, batch_calls=8).step()
    assert oldest_waiting(tmp_path, EVIDENCE_LANES) is None
    assert oldest_waiting(tmp_path, OTHER_LANES) == ASKED_AT


async def test_power_is_waited_for_in_the_lane_of_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    journals = [Journal(tmp_path, lane=lane, durability="power") for lane in ("rest", "evidence")]
    for journal in journals:
        lane = lane_of(journal.folder.name)
        monkeypatch.setattr(journal, "_flush", lambda lane=lane: flushed.append(lane))
    recorder = Recorder(journals[0], evidence=journals[1])
    assert await recorder.commit(evidence("0"), WAIT_S)
    assert flushed == ["evidence"]
    assert await recorder.commit(other("1"), WAIT_S)
    assert flushed == ["evidence", "rest"]
    recorder.close()


def test_a_closed_recorder_lets_go_of_both_lanes(tmp_path: Path) -> None:
    recorder = Recorder(Journal(tmp_path, lane="rest"), evidence=Journal(tmp_path, lane="evidence"))
    recorder.add(other("0"))
    recorder.add(evidence("1"))
    assert read_backlog(tmp_path).live_writers == 2
    recorder.close()
    assert read_backlog(tmp_path).live_writers == 0
    shelf = Shelf()
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert (sorted(shelf.rows), writers(tmp_path)) == (["0", "1"], [])


WRITER = """
import os, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from test_lanes import evidence, other
from freehold.record import Journal, Recorder
folder = Path({folder!r})
lanes = [Journal(folder, lane=lane, segment_bytes=20000) for lane in ("rest", "evidence")]
recorder = Recorder(lanes[0], evidence=lanes[1])
number = 0
while True:
    for _ in range(20):
        name = f"{{os.getpid()}}-{{number}}"
        number += 1
        recorder.add((evidence if number % 3 == 0 else other)(name))
        os.write(1, name.encode() + b"\\n")
    sys.stdin.readline()
"""


def test_whatever_is_killed_each_call_of_both_lanes_is_delivered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("test_delivery.WRITER", WRITER)
    _killed_at_random(tmp_path, kills=8)


class Counted:
    """A sink that tells how many of each batch were evidence."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []

    def __call__(self, calls: Sequence[Call]) -> None:
        placed = sum(call.route_version > 0 for call in calls)
        self.batches.append((placed, len(calls) - placed))


def test_memory_is_bounded_in_both_lanes(tmp_path: Path, recorder: Recorder) -> None:
    for row in numbers(200):
        recorder.add(other(row))
        recorder.add(evidence(row))
    delivery = Delivery(tmp_path, Counted(), as_call, batch_calls=16)
    delivery.step()
    held = len(delivery._evidence.calls) + len(delivery._rest.calls)
    assert held <= 2 * 16
