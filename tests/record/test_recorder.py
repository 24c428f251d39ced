"""The recorder: on disk when it returns, flushed where that was asked for, and nothing is dropped."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from exchanges import an_exchange

from freehold.record import Durability, Exchange, GoneError, Journal, Recorder
from freehold.record.entries import mark_of, read_payload, split

WAIT_S = 20.0


def rows(journal: Journal) -> list[str]:
    """What lies in a journal's segments now, in order."""
    found = []
    for path in sorted(journal.folder.glob("*.log")):
        for piece in split(path.read_bytes(), mark_of(journal.folder.name), is_final=True):
            assert piece.payload is not None
            found.append(read_payload(piece.payload).request.tags["row"])
    return found


class Disk:
    """Stands in for `os.write`: takes what it is given, until it is told to be full."""

    def __init__(self) -> None:
        self.is_full = False
        self.room_bytes = 0
        self.refused = threading.Event()
        self._write = os.write

    def write(self, file: int, data: bytes) -> int:
        if not self.is_full:
            return self._write(file, data)
        if self.room_bytes:
            taken, self.room_bytes = self._write(file, bytes(data[: self.room_bytes])), 0
            return taken
        self.refused.set()
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    stand_in = Disk()
    monkeypatch.setattr("freehold.record.journal.os.write", stand_in.write)
    monkeypatch.setattr("freehold.record.recorder._PAUSE_S", 0.01)
    yield stand_in
    stand_in.is_full = False


async def test_commit_has_written_when_it_returns_and_never_suspends(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    recorder = Recorder(journal)
    commit = recorder.commit(an_exchange("a"), wait_s=1.0)
    with pytest.raises(StopIteration) as returned:
        commit.send(None)
    assert returned.value.value is True
    recorder.add(an_exchange("b"))
    assert rows(journal) == ["a", "b"]
    assert recorder.close() == ()


def test_segments_roll(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2000)
    large = an_exchange("large", body=b"x" * 5000)
    for exchange in [an_exchange("0"), an_exchange("1"), an_exchange("2"), an_exchange("3"), large, an_exchange("4")]:
        journal.append(exchange)
    sizes = [path.stat().st_size for path in sorted(journal.folder.glob("*.log"))]
    assert [size > 2000 for size in sizes] == [False, False, True, False]
    assert rows(journal) == ["0", "1", "2", "3", "large", "4"]
    journal.close()


async def test_a_full_disk_keeps_calls_waiting_and_loses_none(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path)
    recorder = Recorder(journal, limit_bytes=3000)
    assert await recorder.commit(an_exchange("a"), wait_s=WAIT_S)
    disk.is_full, disk.room_bytes = True, 100  # a part of the entry fits, and must not stay
    assert not await recorder.commit(an_exchange("b"), wait_s=0.01)
    assert rows(journal) == ["a"]
    assert "No space left" in str(recorder.problem)
    assert (recorder.waiting_calls, recorder.is_full) == (1, False)
    waiting = asyncio.create_task(recorder.commit(an_exchange("c"), wait_s=WAIT_S))
    await asyncio.sleep(0)
    recorder.add(an_exchange("d"))
    assert recorder.is_full
    assert not waiting.done()
    disk.is_full = False
    assert await waiting
    assert recorder.close() == ()
    assert rows(journal) == ["a", "b", "c", "d"]
    assert (recorder.problem, recorder.waiting_bytes, recorder.is_full) == (None, 0, False)


async def test_a_full_disk_holds_callers_once_and_not_each_of_them(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first callers share one wait; those that come after it are answered at once, and all are recorded."""
    journal = Journal(tmp_path)
    recorder = Recorder(journal)
    disk.is_full = True
    assert not await recorder.commit(an_exchange("a"), wait_s=0.01)
    holds: list[float] = []
    hold_s = recorder._hold_s
    monkeypatch.setattr(recorder, "_hold_s", lambda wait_s: holds.append(hold_s(wait_s)) or holds[-1])
    assert not await recorder.commit(an_exchange("b"), wait_s=0.01)
    assert holds == [0.0]
    waiting = asyncio.create_task(recorder.commit(an_exchange("c"), wait_s=WAIT_S))
    await asyncio.sleep(0)
    assert 0.0 < holds[-1] < WAIT_S
    disk.is_full = False
    assert await waiting
    disk.is_full = True
    disk.refused.clear()
    again = asyncio.create_task(recorder.commit(an_exchange("d"), wait_s=WAIT_S))
    await asyncio.to_thread(disk.refused.wait, WAIT_S)
    assert not again.done(), "a new outage holds callers anew"
    disk.is_full = False
    assert await again
    assert recorder.close() == ()
    assert rows(journal) == ["a", "b", "c", "d"]


def _deleted(folder: Path) -> None:
    shutil.rmtree(folder)


def _moved(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def _replaced(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("copy"))
    folder.rename(folder.with_name("moved"))
    folder.with_name("copy").rename(folder)


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("lose", [_deleted, _moved, _replaced])
async def test_a_journal_that_is_gone_takes_no_call(
    tmp_path: Path, lose: Callable[[Path], None], durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state" / "journal"
    recorder = Recorder(Journal(folder, lane="rest", durability=durability), evidence=Journal(folder, lane="evidence"))
    assert await recorder.commit(an_exchange("a"), WAIT_S)
    lose(folder.parent)
    with pytest.raises(GoneError):
        await recorder.commit(an_exchange("b"), WAIT_S)
    assert "put it back, or start freehold up again" in str(recorder.problem)
    assert recorder.refuses
    assert recorder.waiting_calls == 0
    recorder.add(an_exchange("of nobody who waits"))
    with pytest.raises(GoneError):
        await recorder.commit(an_exchange("c"), WAIT_S)
    assert len(recorder.close()) == 1


async def test_a_journal_that_is_there_again_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.record.recorder._LOOK_S", 0.0)
    folder = tmp_path / "state" / "journal"
    journal = Journal(folder)
    recorder = Recorder(journal)
    assert not recorder.refuses
    _moved(folder.parent)
    assert recorder.refuses, "noticed without a call, before anything was written"
    folder.parent.with_name("moved").rename(folder.parent)
    assert not recorder.refuses
    assert recorder.problem is None
    assert await recorder.commit(an_exchange("a"), WAIT_S)
    _moved(folder.parent)
    with pytest.raises(GoneError):
        await recorder.commit(an_exchange("b"), WAIT_S)
    folder.parent.with_name("moved").rename(folder.parent)
    assert not recorder.refuses
    assert await recorder.commit(an_exchange("c"), WAIT_S)
    assert recorder.close() == ()
    assert rows(journal) == ["a", "c"]


def test_close_gives_back_what_the_disk_does_not_take(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path)
    recorder = Recorder(journal)
    disk.is_full = True
    exchange = an_exchange("a")
    recorder.add(exchange)
    assert recorder.close(0.01) == (exchange,)


async def test_a_caller_that_gives_up_does_not_take_its_call_along(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path)
    recorder = Recorder(journal)
    disk.is_full = True
    commit = asyncio.create_task(recorder.commit(an_exchange("a"), wait_s=WAIT_S))
    await asyncio.to_thread(disk.refused.wait, WAIT_S)
    commit.cancel()
    await asyncio.gather(commit, return_exceptions=True)
    disk.is_full = False
    assert recorder.close() == ()
    assert rows(journal) == ["a"]


def test_a_segment_that_cannot_be_mended_is_left_for_the_next(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = Journal(tmp_path)
    journal.append(an_exchange("a"))
    disk.is_full, disk.room_bytes = True, 100
    monkeypatch.setattr("freehold.record.journal.os.ftruncate", refuse)
    with pytest.raises(OSError, match="No space"):
        journal.append(an_exchange("b"))
    disk.is_full = False
    journal.append(an_exchange("b"))
    first, second = sorted(journal.folder.glob("*.log"))
    assert first.stat().st_size > second.stat().st_size > 0
    journal.close()


class Flushes:
    """Stands in for the flush of a file: waits at a gate and says how much of the file it covers."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.problem: OSError | None = None

    def __call__(self, file: int) -> None:
        size = os.fstat(file).st_size
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        if self.problem:
            raise self.problem
        self.sizes.append(size)


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> Flushes:
    stand_in = Flushes()
    monkeypatch.setattr("freehold.record.journal._flush", stand_in)
    return stand_in


async def test_power_durability_waits_for_a_flush_that_covers_the_entry(tmp_path: Path, flushes: Flushes) -> None:
    journal = Journal(tmp_path, durability="power")
    recorder = Recorder(journal)
    first = asyncio.create_task(recorder.commit(an_exchange("first"), WAIT_S))
    await asyncio.to_thread(flushes.entered.wait, WAIT_S)
    others = [asyncio.create_task(recorder.commit(an_exchange(f"c{n}"), WAIT_S)) for n in range(20)]
    await asyncio.sleep(0)
    (segment,) = journal.folder.glob("*.log")
    written = segment.stat().st_size
    assert not first.done()
    assert not any(commit.done() for commit in others)
    flushes.gate.set()
    assert all(await asyncio.gather(first, *others))
    assert len(flushes.sizes) == 2
    assert flushes.sizes[1] == written
    assert recorder.close() == ()


async def test_a_flush_that_fails_is_no_promise(tmp_path: Path, flushes: Flushes) -> None:
    recorder = Recorder(Journal(tmp_path, durability="power"))
    flushes.gate.set()
    flushes.problem = OSError(errno.EIO, "Input/output error")
    assert not await recorder.commit(an_exchange("a"), WAIT_S)
    assert "Input/output error" in str(recorder.problem)
    flushes.problem = None
    assert await recorder.commit(an_exchange("b"), WAIT_S)
    assert recorder.problem is None
    recorder.close()


async def test_rolled_segments_are_flushed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: set[int] = set()
    monkeypatch.setattr("freehold.record.journal._flush", lambda file: flushed.add(os.fstat(file).st_ino))
    journal = Journal(tmp_path, durability="power", segment_bytes=600)
    recorder = Recorder(journal)
    assert await recorder.commit(an_exchange("0"), WAIT_S)
    recorder.add(an_exchange("1"))
    recorder.add(an_exchange("2"))
    assert await recorder.commit(an_exchange("3"), WAIT_S)
    recorder.close()
    assert flushed == {path.stat().st_ino for path in journal.folder.glob("*.log")}
    assert len(flushed) == 4


def test_process_durability_never_flushes(tmp_path: Path, flushes: Flushes) -> None:
    async def main(exchange: Exchange) -> bool:
        return await recorder.commit(exchange, WAIT_S)

    recorder = Recorder(Journal(tmp_path))
    assert asyncio.run(main(an_exchange("a")))
    recorder.close()
    assert not flushes.entered.is_set()


FULL_DISK = """
import resource, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from exchanges import an_exchange
from freehold.record import Journal, Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, most))
recorder = Recorder(Journal(Path({folder!r})))
for number in range(20):
    recorder.add(an_exchange(str(number)))
print(recorder.problem, recorder.waiting_calls > 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print(len(recorder.close({wait_s})))
"""


def test_a_file_system_that_really_refuses(tmp_path: Path) -> None:
    code = FULL_DISK.format(tests=os.path.dirname(__file__), folder=str(tmp_path), wait_s=WAIT_S)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=2 * WAIT_S)
    assert done.stdout.splitlines() == [f"File too large ({tmp_path}) True", "0"], done.stderr
    found = []
    for path in sorted(tmp_path.glob("*/*.log")):
        pieces = list(split(path.read_bytes(), mark_of(path.parent.name), is_final=True))
        found += [read_payload(piece.payload).request.tags["row"] for piece in pieces if piece.payload]
        assert all(piece.payload for piece in pieces)
    assert found == [str(number) for number in range(20)]
