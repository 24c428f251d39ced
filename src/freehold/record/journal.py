"""The journal: every exchange, on disk before its client sees the end of it.

    <folder>/<writer>/lock           held for as long as the writer lives
    <folder>/<writer>/00000001.log   a segment: entries, one after the other
    <folder>/<writer>/position       how far it has been delivered

Each process writes into folders of its own, one for each lane (`record.lanes`). An entry is one `write`: once that has
returned, the bytes belong to the operating system, and a `kill -9` of the process cannot take them back. A power cut
can, unless `durability` is "power": then `settled` waits for a flush of the disk that covers the entry. Flushes are
shared by all that wait while one runs.

A file that was deleted, or moved away with its folder, still takes what is written, and nobody would find it again. So
each entry counts as written only when the segment is still to be found under its name; else it is a `GoneError`.

Not covered: what happens where the disk refuses (`record.recorder`), reading (`record.delivery`).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from freehold.model.ids import uuid7
from freehold.record.entries import mark_of, write_entry
from freehold.record.lanes import Lane, writer_name
from freehold.record.read import Exchange
from freehold.system.files import sync_folder

Durability = Literal["process", "power"]

LOCK_FILE = "lock"
SEGMENT_BYTES = 16 * 2**20
_LARGEST_KEPT_BUFFER_BYTES = 2**20
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


class GoneError(OSError):
    """The journal's files were deleted or moved away: what is written there now would be lost."""

    def __init__(self) -> None:
        super().__init__(
            errno.ENOENT,
            "the journal was deleted or moved away while the gateway runs: put it back, or start freehold up again",
        )


def segment_name(number: int) -> str:
    """The file name of a writer's segment; segments count from 1."""
    return f"{number:08d}.log"


class Journal:
    """One writer's part of the journal; `append` is safe from any thread, `settled` is for one event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        lane: Lane = "mixed",
        durability: Durability = "process",
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.durability = durability
        self.folder, self._lock_file = _new_writer(folder, lane)
        self._mark = mark_of(self.folder.name)
        self._segment_bytes = segment_bytes
        self._buffer = bytearray()
        self._place = _Place.of(self.folder / LOCK_FILE)
        self._number = 0
        self._size_bytes = 0
        self._file = -1
        self._is_spoilt = True
        self._retired: list[int] = []
        self._changed = threading.Lock()
        self._flusher = ThreadPoolExecutor(1, "freehold-flush")
        self._waiting: list[asyncio.Future[None]] = []
        self._is_flushing = False
        if durability == "power":
            sync_folder(folder)

    def append(self, exchange: Exchange) -> None:
        """Write one exchange; OSError when the disk refuses, and then nothing of it is left in the segment.

        GoneError, which is an OSError, when it would not be found again.
        """
        with self._changed:
            write_entry(self._buffer, self._mark, exchange)
            is_full = self._size_bytes + len(self._buffer) > self._segment_bytes
            if self._is_spoilt or (is_full and self._size_bytes):
                self._roll()
            self._write(self._buffer)
            if len(self._buffer) > _LARGEST_KEPT_BUFFER_BYTES:
                self._buffer = bytearray()

    def check(self) -> None:
        """GoneError when what is written now would not be found again; OSError where nobody can say."""
        self._place.check()

    async def settled(self) -> None:
        """Return once what was appended before is as durable as was asked for; OSError when the disk cannot say so."""
        if self.durability == "process":
            return
        flushed = asyncio.get_running_loop().create_future()
        self._waiting.append(flushed)
        if not self._is_flushing:
            self._flush_next()
        await flushed

    def close(self) -> None:
        """Flush where that was asked for, and let go of the folder; what is in it is still to be delivered."""
        self._flusher.shutdown()
        with self._changed:
            open_files = [*self._retired, *([self._file] if self._file >= 0 else [])]
            self._retired, self._file, self._is_spoilt = [], -1, True
        try:
            if self.durability == "power":
                for file in open_files:
                    _flush(file)
        finally:
            for file in (*open_files, self._lock_file):
                os.close(file)

    def _write(self, entry: bytearray) -> None:
        try:
            written = os.write(self._file, entry)
            while written < len(entry):
                written += os.write(self._file, bytes(entry[written:]))
            self._place.check()
        except OSError:
            self._take_back()
            raise
        self._size_bytes += written

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self._size_bytes)
        except OSError:
            self._is_spoilt = True

    def _roll(self) -> None:
        """Begin the next segment."""
        path = self.folder / segment_name(self._number + 1)
        try:
            file = os.open(path, _APPEND, 0o600)
        except (FileNotFoundError, NotADirectoryError):
            raise GoneError from None
        if self.durability == "power":
            sync_folder(self.folder)
        if self._file >= 0 and self.durability == "power":
            self._retired.append(self._file)
        elif self._file >= 0:
            os.close(self._file)
        self._file, self._number, self._size_bytes, self._is_spoilt = file, self._number + 1, 0, False
        self._place = _Place.of(path)

    def _flush_next(self) -> None:
        """Flush for all that wait now; those that come meanwhile share the next flush."""
        waiting, self._waiting = self._waiting, []
        self._is_flushing = bool(waiting)
        if waiting:
            loop = asyncio.get_running_loop()
            flush = self._flusher.submit(self._flush)
            flush.add_done_callback(lambda done: _call_back(loop, lambda: self._release(waiting, done)))

    def _flush(self) -> None:
        with self._changed:
            retired, self._retired = self._retired, []
            current = os.dup(self._file) if self._file >= 0 else None
        files = retired if current is None else [*retired, current]
        try:
            for file in files:
                _flush(file)
        finally:
            for file in files:
                os.close(file)

    def _release(self, waiting: list[asyncio.Future[None]], flush: Future[None]) -> None:
        error = flush.exception()
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        self._flush_next()


@dataclass(frozen=True, slots=True)
class _Place:
    """A file and the name under which it is to be found."""

    path: str
    identity: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> _Place:
        return cls(str(path), _identity(str(path)))

    def check(self) -> None:
        """GoneError when another file, or none, has the name."""
        if _identity(self.path) != self.identity:
            raise GoneError


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise GoneError from None
    return status.st_dev, status.st_ino


def _call_back(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(work)


def _flush(file: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync leaves the bytes in the drive's own memory there
    else:
        os.fdatasync(file)


def _new_writer(folder: Path, lane: Lane) -> tuple[Path, int]:
    """A new writer's folder and its lock; the folder gets its name only when the lock is held."""
    name = writer_name(uuid7(), lane)
    hidden, final = folder / f".{name}", folder / name
    hidden.mkdir(parents=True, mode=0o700)
    lock = os.open(hidden / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        hidden.rename(final)
    except OSError:
        os.close(lock)
        raise
    return final, lock
