"""One writer's segments, read from where they were left, and deleted when all of them has been delivered.

The writer may be writing all the while, or be dead: its lock tells. A segment is final when a later one exists or the
writer is dead; only then are bytes at its end that make no whole entry given up. They are never thrown away: they are
put into `damaged/` beside the writers' folders, unless they are the beginning of an entry that a killed writer could
not finish, which no client has seen the end of.

Not covered: what happens with the entries (`record.delivery`).
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from freehold.record.entries import Piece, declared_bytes, end_of_entry, mark_of, split
from freehold.record.journal import LOCK_FILE, segment_name

DAMAGED_FOLDER = "damaged"
REFUSED_FOLDER = "refused"
POSITION_FILE = "position"
_WINDOW_BYTES = 2**20
_LOG = logging.getLogger("freehold.record")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a writer's journal: a segment and an offset in it."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole entry of a writer."""

    writer: str
    position: Position
    payload: bytes

    @property
    def name(self) -> str:
        """A file name that no other entry has."""
        return f"{self.writer}-{self.position.segment:08d}-{self.position.offset:012d}"


def writers(folder: Path) -> list[Path]:
    """The folders of all writers, oldest first."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(found) if name not in (DAMAGED_FOLDER, REFUSED_FOLDER)]


def segments(writer: Path) -> dict[int, int]:
    """The sizes of a writer's segments, in bytes, by number, in order."""
    found: dict[int, int] = {}
    for path in sorted(writer.glob("*.log")):
        if path.stem.isdigit():
            try:
                found[int(path.stem)] = path.stat().st_size
            except FileNotFoundError:  # delivered and deleted at this moment
                continue
    return found


def position_of(writer: Path) -> Position:
    """How far a writer's journal has been delivered; the beginning of its first segment where nobody knows."""
    first = Position(min(segments(writer), default=1), 0)
    try:
        segment, offset = (writer / POSITION_FILE).read_text(encoding="ascii").split()
        return max(first, Position(int(segment), int(offset)))
    except (OSError, ValueError):
        return first


def is_alive(writer: Path) -> bool:
    """Whether the process that writes into this folder is still there."""
    try:
        lock = os.open(f"{writer}/{LOCK_FILE}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


class Reader:
    """Reads one writer's entries in order; what has been read is forgotten only when it is settled."""

    def __init__(self, writer: Path) -> None:
        self._writer = writer
        self._mark = mark_of(writer.name)
        self._settled = self._cursor = position_of(writer)
        self._unsettled: dict[Position, None] = {}
        self._file = -1
        self._is_dead = False
        self.is_finished = False

    def read(self, most: int, most_bytes: int) -> list[Entry]:
        """The next entries, about as many as were asked for; none when there are no more for now."""
        found: list[Entry] = []
        size_bytes = 0
        while len(found) < most and size_bytes < most_bytes and not self.is_finished:
            before = self._cursor
            entries = self._read_on(most - len(found))
            found += entries
            size_bytes += sum(len(entry.payload) for entry in entries)
            if self._cursor == before:
                break
        return found

    def settle(self, entries: list[Entry]) -> None:
        """Forget entries of this writer that were delivered or set aside, and write down how far that makes it."""
        for entry in entries:
            self._unsettled.pop(entry.position, None)
        reached = next(iter(self._unsettled), self._cursor)
        if reached == self._settled:
            return
        try:
            self._write_down(reached)
        except OSError as error:  # a full disk: the next delivery would begin at an earlier place, which is harmless
            _LOG.warning("How far %s has been delivered cannot be written down: %s.", self._writer.name, error)
        for number in range(self._settled.segment, reached.segment):
            (self._writer / segment_name(number)).unlink(missing_ok=True)
        self._settled = reached

    def close(self) -> None:
        """Close the segment; of a finished writer nothing is left."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self.is_finished and not self._unsettled:
            shutil.rmtree(self._writer)

    @property
    def is_settled(self) -> bool:
        """Whether the writer is dead and everything of it was delivered or set aside."""
        return self.is_finished and not self._unsettled

    def _write_down(self, reached: Position) -> None:
        part = self._writer / f"{POSITION_FILE}.part"
        part.write_text(f"{reached.segment} {reached.offset}\n", encoding="ascii")
        part.replace(self._writer / POSITION_FILE)

    def _read_on(self, most: int) -> list[Entry]:
        """The entries of the next stretch of bytes; moves the cursor behind them, or to the next segment."""
        is_final = self._is_final()  # asked before the size: what is final does not grow
        if not self._open(is_final=is_final):
            return []
        size, offset = os.fstat(self._file).st_size, self._cursor.offset
        if offset >= size:
            self._leave(is_final=is_final)
            return []
        data = self._stretch(size)
        entries: list[Entry] = []
        for piece in split(data, self._mark, is_final=is_final and offset + len(data) >= size):
            position = Position(self._cursor.segment, offset + piece.start)
            if piece.payload is None:
                self._give_up(data[piece.start : piece.end], piece, position)
            else:
                entries.append(Entry(self._writer.name, position, piece.payload))
                self._unsettled[position] = None
            self._cursor = Position(position.segment, offset + piece.end)
            if len(entries) == most:
                break
        return entries

    def _stretch(self, size: int) -> bytes:
        """Bytes from the cursor on: those of some whole entries, or else all that there are."""
        offset = self._cursor.offset
        data = os.pread(self._file, min(_WINDOW_BYTES, size - offset), offset)
        if end_of_entry(data, 0, self._mark) is None and (entry_bytes := declared_bytes(data, self._mark)):
            data = os.pread(self._file, min(entry_bytes, size - offset), offset)
        if end_of_entry(data, 0, self._mark) is None:
            data = os.pread(self._file, size - offset, offset)
        return data

    def _open(self, *, is_final: bool) -> bool:
        if self._file >= 0:
            return True
        path = self._writer / segment_name(self._cursor.segment)
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._leave(is_final=is_final)
            return False
        return True

    def _is_final(self) -> bool:
        if os.path.exists(f"{self._writer}/{segment_name(self._cursor.segment + 1)}"):
            return True
        self._is_dead = self._is_dead or not is_alive(self._writer)
        return self._is_dead

    def _leave(self, *, is_final: bool) -> None:
        """Go on to the next segment when this one is final, or end where there is none."""
        if not is_final:
            return
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        later = [number for number in segments(self._writer) if number > self._cursor.segment]
        if later:
            self._cursor = Position(min(later), 0)
        elif self._is_dead:
            self.is_finished = True

    def _give_up(self, data: bytes, piece: Piece, position: Position) -> None:
        place = f"segment {position.segment} of {self._writer.name} at byte {position.offset}"
        if piece.is_torn:
            _LOG.warning("An unfinished entry (%s) was skipped: its writer died while it wrote.", place)
            return
        kept = keep_aside(self._writer.parent / DAMAGED_FOLDER, Entry(self._writer.name, position, data))
        _LOG.error("%d damaged bytes (%s) hold no call that can be read; they are kept in %s.", len(data), place, kept)


def keep_aside(folder: Path, entry: Entry) -> Path:
    """Keep bytes that cannot be delivered in a file of their own; the same ones again make no second file."""
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / f"{entry.name}.bin"
    part = path.with_suffix(".part")
    part.write_bytes(entry.payload)
    part.replace(path)
    return path
