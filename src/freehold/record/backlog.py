"""What waits in a journal, told from its files: by the process that delivers, and by any other.

Not covered: delivering it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from freehold.record.entries import HEAD, UnreadableError, mark_of, read_payload
from freehold.record.journal import segment_name
from freehold.record.lanes import LANES, Lane, lane_of
from freehold.record.read import Exchange
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
    """What waits; `calls` is an estimate where it is large.

    `asked` is when the oldest call that waits in a lane was asked, `ended` when the first of them ended and began to
    wait; both are Unix seconds, and have no entry for a lane in which nothing waits. `damaged` and `refused` count the
    files that were set aside because nothing could be done with them.
    """

    calls: int = 0
    size_bytes: int = 0
    asked: Mapping[Lane, float] = field(default_factory=dict)
    ended: Mapping[Lane, float] = field(default_factory=dict)
    problem: str | None = None
    damaged: int = 0
    refused: int = 0
    live_writers: int = 0

    @property
    def oldest_at(self) -> float | None:
        """When the oldest of all calls that wait was asked; None when nothing waits."""
        return min(self.asked.values(), default=None)

    def lag_s(self, now: float, lanes: Collection[Lane] = LANES) -> float:
        """How long the call that has waited the longest in these lanes has waited, in seconds; 0 without any."""
        return max((max(0.0, now - self.ended[lane]) for lane in lanes if lane in self.ended), default=0.0)


class _Head(NamedTuple):
    """The beginning of a writer's backlog: its entries and their bytes, the oldest one's time, the first one's end."""

    entries: int = 0
    size_bytes: int = 0
    asked_at: float | None = None
    ended_at: float | None = None


def read_backlog(folder: Path) -> Backlog:
    """What waits in the journal in `folder`; nothing where there is none."""
    calls, size_bytes, live = 0, 0, 0
    asked: dict[Lane, float] = {}
    ended: dict[Lane, float] = {}
    for writer in writers(folder):
        live += is_alive(writer)
        waiting_bytes = _waiting_bytes(writer)
        if waiting_bytes:
            head = _look(writer)
            calls += round(head.entries * max(1.0, waiting_bytes / head.size_bytes)) if head.size_bytes else 0
            size_bytes += waiting_bytes
            _note(asked, lane_of(writer.name), head.asked_at)
            _note(ended, lane_of(writer.name), head.ended_at)
    return Backlog(
        calls=calls,
        size_bytes=size_bytes,
        asked=asked,
        ended=ended,
        problem=delivery_problem(folder),
        damaged=_count(folder / DAMAGED_FOLDER),
        refused=_count(folder / REFUSED_FOLDER),
        live_writers=live,
    )


def delivery_lag_s(folder: Path, now: float) -> float:
    """How long the call that has waited the longest in the journal has waited, in seconds; reads little."""
    found = (_look(writer, most_entries=1).ended_at for writer in writers(folder))
    return max((max(0.0, now - ended_at) for ended_at in found if ended_at is not None), default=0.0)


def oldest_waiting(folder: Path, lanes: Collection[Lane]) -> float | None:
    """When the oldest call that waits in these lanes was asked; None when nothing waits there."""
    found = [_look(writer).asked_at for writer in writers(folder) if lane_of(writer.name) in lanes]
    return min((asked_at for asked_at in found if asked_at is not None), default=None)


def _note(oldest: dict[Lane, float], lane: Lane, at: float | None) -> None:
    if at is not None:
        oldest[lane] = min(at, oldest.get(lane, at))


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


def delivery_problem(folder: Path) -> str | None:
    """Why the journal cannot be delivered, as the process that delivers has told; None while it can."""
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


def _look(writer: Path, *, most_entries: int = _ENTRIES_COUNTED) -> _Head:
    """The beginning of a writer's backlog, at most so many entries.

    Entries lie in the order in which calls ended; the oldest is looked for among the first `_BYTES_READ`.
    """
    mark, reached = mark_of(writer.name), position_of(writer)
    waiting = {n: size for n, size in segments(writer).items() if Position(n, size) > reached}
    number = min(waiting, default=reached.segment)
    begin = offset = reached.offset if number == reached.segment else 0
    head_of_all = _Head()
    try:
        file = os.open(writer / segment_name(number), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return head_of_all
    try:
        while head_of_all.entries < most_entries:
            head = os.pread(file, HEAD.size, offset)
            if len(head) < HEAD.size or not head.startswith(mark):
                break
            length = HEAD.unpack(head)[1]
            is_read = head_of_all.entries == 0 or offset + length - begin <= _BYTES_READ
            found = _exchange(os.pread(file, length, offset + HEAD.size)) if is_read else None
            offset += HEAD.size + length
            head_of_all = _longer(head_of_all, found, offset - begin)
    finally:
        os.close(file)
    return head_of_all


def _longer(head: _Head, exchange: Exchange | None, size_bytes: int) -> _Head:
    """The head with one more entry, whose exchange may be unknown."""
    if exchange is None:
        return head._replace(entries=head.entries + 1, size_bytes=size_bytes)
    asked_at = exchange.request.created_at
    ended_at = asked_at + exchange.response.latency_ms / 1000
    return _Head(
        entries=head.entries + 1,
        size_bytes=size_bytes,
        asked_at=asked_at if head.asked_at is None else min(asked_at, head.asked_at),
        ended_at=ended_at if head.ended_at is None else head.ended_at,
    )


def _exchange(payload: bytes) -> Exchange | None:
    try:
        return read_payload(payload)
    except UnreadableError:
        return None
