"""What waits in a journal, told from its files: by the process that delivers, and by any other.

Not covered: delivering it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from freehold.record.entries import HEAD, UnreadableError, mark_of, read_payload
from freehold.record.journal import segment_name
from freehold.record.segments import (
    DAMAGED_FOLDER,
    REFUSED_FOLDER,
    Position,
    is_alive,
    position_of,
    segments,
    writers,
)

_PROBLEM_FILE = "problem"
_ENTRIES_COUNTED = 1000
_BYTES_READ = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits; `calls` is an estimate where it is large. `oldest_at` is Unix seconds, None when nothing waits.

    `damaged` and `refused` count the files that were set aside because nothing could be done with them.
    """

    calls: int = 0
    size_bytes: int = 0
    oldest_at: float | None = None
    problem: str | None = None
    damaged: int = 0
    refused: int = 0
    live_writers: int = 0


def read_backlog(folder: Path) -> Backlog:
    """What waits in the journal in `folder`; nothing where there is none."""
    calls, size_bytes, live = 0, 0, 0
    oldest: list[float] = []
    for writer in writers(folder):
        live += is_alive(writer)
        waiting_bytes = _waiting_bytes(writer)
        if waiting_bytes:
            count, counted_bytes, begun_at = _look(writer)
            calls += round(count * max(1.0, waiting_bytes / counted_bytes)) if counted_bytes else 0
            size_bytes += waiting_bytes
            oldest += [begun_at] if begun_at is not None else []
    return Backlog(
        calls=calls,
        size_bytes=size_bytes,
        oldest_at=min(oldest, default=None),
        problem=_problem(folder),
        damaged=_count(folder / DAMAGED_FOLDER),
        refused=_count(folder / REFUSED_FOLDER),
        live_writers=live,
    )


def ends(folder: Path) -> dict[Path, Position]:
    """Where each writer's journal ends now."""
    found: dict[Path, Position] = {}
    for writer in writers(folder):
        sizes = segments(writer)
        if sizes:
            last = max(sizes)
            found[writer] = Position(last, sizes[last])
    return found


def is_delivered(until: dict[Path, Position]) -> bool:
    """Whether all that lay before these positions has been delivered."""
    return all(not writer.exists() or position_of(writer) >= end for writer, end in until.items())


def tell_problem(folder: Path, problem: str | None) -> None:
    """Leave word, for other processes, why the journal cannot be delivered; None takes it back."""
    path = folder / _PROBLEM_FILE
    with contextlib.suppress(OSError):  # it may be the full disk that is the problem; the log has it in any case
        if problem is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(problem, encoding="utf-8", errors="replace")


def _problem(folder: Path) -> str | None:
    try:
        return (folder / _PROBLEM_FILE).read_text(encoding="utf-8", errors="replace") or None
    except FileNotFoundError:
        return None


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.bin")) if folder.is_dir() else 0


def _waiting_bytes(writer: Path) -> int:
    reached = position_of(writer)
    return sum(
        size - (reached.offset if number == reached.segment else 0)
        for number, size in segments(writer).items()
        if number >= reached.segment
    )


def _look(writer: Path) -> tuple[int, int, float | None]:
    """How many entries begin the backlog of a writer, their size in bytes, and when the oldest of them was asked.

    Entries lie in the order in which calls ended; the oldest is looked for among the first `_BYTES_READ`.
    """
    mark, reached = mark_of(writer.name), position_of(writer)
    waiting = {n: size for n, size in segments(writer).items() if Position(n, size) > reached}
    number = min(waiting, default=reached.segment)
    begin = offset = reached.offset if number == reached.segment else 0
    count, oldest_at = 0, None
    try:
        file = os.open(writer / segment_name(number), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0, 0, None
    try:
        while count < _ENTRIES_COUNTED:
            head = os.pread(file, HEAD.size, offset)
            if len(head) < HEAD.size or not head.startswith(mark):
                break
            length = HEAD.unpack(head)[1]
            if count == 0 or offset + length - begin <= _BYTES_READ:
                asked_at = _created_at(os.pread(file, length, offset + HEAD.size))
                oldest_at = min((at for at in (oldest_at, asked_at) if at is not None), default=None)
            count, offset = count + 1, offset + HEAD.size + length
    finally:
        os.close(file)
    return count, offset - begin, oldest_at


def _created_at(payload: bytes) -> float | None:
    try:
        return read_payload(payload).request.created_at
    except UnreadableError:
        return None
