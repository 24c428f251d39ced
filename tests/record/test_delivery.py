"""The delivery: everything in the journal reaches the sink, once, whatever dies or fails in between."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from exchanges import an_exchange, as_call

from freehold.model import Call
from freehold.record import Delivery, Exchange, Journal, ends, is_delivered, read_backlog
from freehold.record.entries import mark_of, read_payload, write_entry
from freehold.record.segments import writers

WAIT_S = 30.0
KILLS = 20


class Shelf:
    """A sink that keeps each call once, and fails while told to."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.rows: list[str] = []
        self.batches: list[int] = []
        self.poison: set[str] = set()
        self.is_away = False

    def __call__(self, calls: Sequence[Call]) -> None:
        if self.is_away or self.poison & {call.tags["row"] for call in calls}:
            raise OSError("the database is away")
        self.batches.append(len(calls))
        fresh = [call for call in calls if call.id not in self.calls]
        self.calls.update({call.id: call for call in fresh})
        self.rows += [call.tags["row"] for call in fresh]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr("freehold.record.delivery._FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr("freehold.record.delivery._LONGEST_PAUSE_S", 0.001)
    return Shelf()


def filled(folder: Path, rows: Sequence[str], *, segment_bytes: int = 2**20) -> Journal:
    journal = Journal(folder, segment_bytes=segment_bytes)
    for row in rows:
        journal.append(an_exchange(row))
    return journal


def numbers(count: int, begin: int = 0) -> list[str]:
    return [str(number) for number in range(begin, begin + count)]


def test_everything_is_delivered_in_order_while_the_writer_goes_on(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, numbers(50), segment_bytes=5000)
    delivery = Delivery(tmp_path, shelf, as_call, batch_calls=16)
    assert delivery.drain(WAIT_S)
    for row in numbers(50, 50):
        journal.append(an_exchange(row))
        assert delivery.step()
        assert not delivery.step()
    assert shelf.rows == numbers(100)
    assert max(shelf.batches) == 16
    assert len(list(journal.folder.glob("*.log"))) == 1
    journal.close()
    assert delivery.drain(WAIT_S)
    assert writers(tmp_path) == []


def test_two_writers(tmp_path: Path, shelf: Shelf) -> None:
    first, second = filled(tmp_path, numbers(30), segment_bytes=3000), filled(tmp_path, numbers(30, 100))
    delivery = Delivery(tmp_path, shelf, as_call, batch_calls=7)
    assert delivery.drain(WAIT_S)
    assert sorted(shelf.rows, key=int) == numbers(30) + numbers(30, 100)
    first.close()
    assert delivery.drain(WAIT_S)
    assert writers(tmp_path) == [second.folder]
    second.close()


def test_a_new_delivery_goes_on_where_the_last_one_was(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, numbers(10))
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    journal.append(an_exchange("10"))
    again = Shelf()
    assert Delivery(tmp_path, again, as_call).drain(WAIT_S)
    assert again.rows == ["10"]
    (journal.folder / "position").write_text("gar bage")
    journal.close()
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert shelf.rows == numbers(11)


def test_while_the_sink_is_away_everything_waits(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, numbers(40))
    delivery = Delivery(tmp_path, shelf, as_call)
    shelf.is_away = True
    for _ in range(100):
        assert not delivery.step()
    waiting = read_backlog(tmp_path)
    assert (waiting.calls, waiting.refused, waiting.live_writers) == (40, 0, 1)
    assert waiting.oldest_at == 1_763_900_000.0
    assert waiting.problem == "OSError: the database is away"
    until = ends(tmp_path)
    assert not is_delivered(until)
    shelf.is_away = False
    assert delivery.drain(WAIT_S)
    assert sorted(shelf.rows, key=int) == numbers(40)
    assert is_delivered(until)
    assert (read_backlog(tmp_path).calls, read_backlog(tmp_path).problem) == (0, None)
    journal.close()


def test_a_call_that_the_sink_never_takes_is_set_aside(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, numbers(60))
    shelf.poison = {"3", "4", "50"}
    delivery = Delivery(tmp_path, shelf, as_call, batch_calls=32)
    delivery.drain(0.5)
    for row in numbers(60, 60):
        journal.append(an_exchange(row))
        delivery.drain(0.02)
    assert delivery.drain(WAIT_S)
    assert sorted(shelf.rows, key=int) == [row for row in numbers(120) if row not in shelf.poison]
    assert read_backlog(tmp_path).refused == 3
    kept = [read_payload(path.read_bytes()).request.tags["row"] for path in (tmp_path / "refused").glob("*.bin")]
    assert sorted(kept) == ["3", "4", "50"]
    assert delivery.problem is None
    journal.close()


def test_a_lone_call_that_the_sink_does_not_take_waits(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, ["poison"])
    shelf.poison = {"poison"}
    delivery = Delivery(tmp_path, shelf, as_call)
    for _ in range(20):
        assert not delivery.step()
    assert read_backlog(tmp_path).refused == 0
    shelf.poison = set()
    assert delivery.drain(WAIT_S)
    assert shelf.rows == ["poison"]
    journal.close()


def test_a_call_that_cannot_be_read_is_set_aside(tmp_path: Path, shelf: Shelf) -> None:
    def read(exchange: Exchange) -> Call:
        if exchange.request.tags["row"] == "1":
            raise ValueError("odd")
        return as_call(exchange)

    journal = filled(tmp_path, numbers(3))
    assert Delivery(tmp_path, shelf, read).drain(WAIT_S)
    assert shelf.rows == ["0", "2"]
    assert read_backlog(tmp_path).refused == 1
    journal.close()


def test_damage_is_kept_and_counted_and_costs_nothing_else(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, numbers(5))
    journal.close()
    (segment,) = journal.folder.glob("*.log")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data + b"junk")
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert shelf.rows == ["0", "1", "3", "4"]
    assert read_backlog(tmp_path).damaged == 2
    assert sum(path.stat().st_size for path in (tmp_path / "damaged").glob("*.bin")) == len(data) // 5 + 4
    assert writers(tmp_path) == []


def test_an_unfinished_entry_waits_for_its_end_or_for_its_writers(tmp_path: Path, shelf: Shelf) -> None:
    journal = filled(tmp_path, ["0"])
    (segment,) = journal.folder.glob("*.log")
    entry = bytearray()
    write_entry(entry, mark_of(journal.folder.name), an_exchange("1"))
    delivery = Delivery(tmp_path, shelf, as_call)
    for cut in (3, 10, 100):
        with segment.open("ab") as file:
            file.write(entry[:cut])
        del entry[:cut]
        delivery.drain(WAIT_S)
        assert shelf.rows == ["0"]
    with segment.open("ab") as file:
        file.write(entry)
    delivery.drain(WAIT_S)
    assert shelf.rows == ["0", "1"]
    with segment.open("ab") as file:
        file.write(mark_of(journal.folder.name))
    journal.close()
    assert delivery.drain(WAIT_S)
    assert (read_backlog(tmp_path).damaged, writers(tmp_path)) == (0, [])


def test_large_entries(tmp_path: Path, shelf: Shelf) -> None:
    journal = Journal(tmp_path)
    for row in numbers(6):
        journal.append(an_exchange(row, body=row.encode() * 3_000_000))
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert shelf.rows == numbers(6)
    assert max(shelf.batches) == 3
    assert len(next(iter(shelf.calls.values())).response_body) == 3_000_000
    journal.close()


def test_a_full_disk_does_not_stop_the_delivery(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _text: str, **_: object) -> int:
        raise OSError("No space left on device")

    journal = filled(tmp_path, numbers(20), segment_bytes=3000)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    assert shelf.rows == numbers(20)
    assert len(list(journal.folder.glob("*.log"))) == 1
    monkeypatch.undo()
    assert Delivery(tmp_path, shelf, as_call).drain(WAIT_S)
    journal.close()


def test_run_delivers_soon_and_ends_when_told(tmp_path: Path, shelf: Shelf) -> None:
    arrived, ending = threading.Event(), threading.Event()

    def sink(calls: Sequence[Call]) -> None:
        shelf(calls)
        arrived.set()

    delivery = Delivery(tmp_path, sink, as_call)
    thread = threading.Thread(target=delivery.run, args=(ending,))
    thread.start()
    journal = filled(tmp_path, ["0"])
    assert arrived.wait(WAIT_S)
    ending.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    journal.close()


WRITER = """
import os, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from exchanges import an_exchange
from freehold.record import Journal
journal = Journal(Path({folder!r}), segment_bytes=20000)
number = 0
while True:
    for _ in range(20):
        name = f"{{os.getpid()}}-{{number}}"
        number += 1
        journal.append(an_exchange(name, body=b"x" * (number * 7919 % 9000)))
        os.write(1, name.encode() + b"\\n")
    sys.stdin.readline()
"""
DELIVERER = """
import sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from exchanges import as_call
from freehold.record import Delivery
import threading
out = open({out!r}, "a")
def sink(calls):
    print("".join(f"{{call.id}} {{call.tags['row']}}\\n" for call in calls), end="", file=out, flush=True)
    print(len(calls), flush=True)
Delivery(Path({folder!r}), sink, as_call, batch_calls=8).run(threading.Event())
"""


class Child:
    """A Python process that is read line by line and killed."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def kill(self) -> list[str]:
        """End it at once; returns the whole lines that it had said and nobody had read."""
        self.process.kill()
        said = self.stdout.read()
        self.process.wait(WAIT_S)
        self.stdin.close()
        self.stdout.close()
        return [line.decode() for line in said.splitlines(keepends=True) if line.endswith(b"\n")]


def _killed_at_random(folder: Path, kills: int) -> None:
    rng = random.Random(20261123)
    out, tests = folder / "out.txt", os.path.dirname(__file__)
    out.touch()
    writer_code = WRITER.format(tests=tests, folder=str(folder / "journal"))
    deliverer_code = DELIVERER.format(tests=tests, folder=str(folder / "journal"), out=str(out))
    acknowledged: list[str] = []
    writer, deliverer = Child(writer_code), Child(deliverer_code)
    for kill in range(kills):
        for _ in range(rng.randrange(1, 30)):
            acknowledged.append(writer.stdout.readline().decode())
            if len(acknowledged) % 7 == 0:
                writer.stdin.write(b"\n")
        deliverer.stdout.readline()
        if kill % 2:
            acknowledged += writer.kill()
            writer = Child(writer_code)
        else:
            deliverer.kill()
            deliverer = Child(deliverer_code)
    acknowledged += writer.kill()
    deliverer.kill()
    shelf = Shelf()
    assert Delivery(folder / "journal", shelf, as_call).drain(WAIT_S)
    delivered = [line.split() for line in out.read_text().splitlines()]
    by_id = {parts[0]: parts[1] for parts in delivered if len(parts) == 2} | {
        call_id: call.tags["row"] for call_id, call in shelf.calls.items()
    }
    rows = sorted(by_id.values())
    assert len(set(rows)) == len(rows)
    assert {line.strip() for line in acknowledged} <= set(rows)
    assert len(acknowledged) > kills
    assert read_backlog(folder / "journal").damaged == 0
    assert writers(folder / "journal") == []


def test_whatever_is_killed_each_call_is_delivered(tmp_path: Path) -> None:
    _killed_at_random(tmp_path, KILLS)
