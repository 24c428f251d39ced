"""The delivery: what the journal holds becomes calls and goes to the sink, each one once.

Batches are handed over in the order of each writer, evidence of moved tasks before the rest, of which some goes with
every batch so that it comes on as well. A sink must leave a call that it has as it is, because after a
crash a batch may come twice. While the sink fails nothing is dropped: the next batch is half as large, down to a single
call, and attempts get rarer. A call that fails alone, three times and with others let in between, is set aside in
`refused/`, so that it cannot keep the others out for ever; so is an entry that cannot be read as an exchange.

Not covered: who may deliver. There must be one delivery at a time (`record.run.journal` sees to that).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from freehold.record.backlog import tell_problem
from freehold.record.entries import read_payload
from freehold.record.lanes import LANES, lane_of
from freehold.record.pace import Pace
from freehold.record.read import Exchange
from freehold.record.segments import REFUSED_FOLDER, Entry, Reader, keep_aside, writers

T = TypeVar("T")

BATCH_CALLS = 512
_BATCH_BYTES = 8 * 2**20
_SHORTEST_POLL_S, _LONGEST_POLL_S, _POLL_GROWTH = 0.005, 0.05, 1.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
_STRIKES = 3
_REST_SHARE = 8
"""One call in so many of a batch is of the rest, however much evidence there is."""
_LOG = logging.getLogger("freehold.record")


@dataclass(frozen=True, slots=True)
class _Pending(Generic[T]):
    """A call on its way; `failed_at` is how many batches had been taken when it last failed alone."""

    entry: Entry
    call: T
    is_evidence: bool
    failed_at: int | None = None
    strikes: int = 0


class _Queue(Generic[T]):
    """Calls on their way, and the size of their entries."""

    def __init__(self) -> None:
        self.calls: deque[_Pending[T]] = deque()
        self.size_bytes = 0

    def append(self, pending: _Pending[T]) -> None:
        self.calls.append(pending)
        self.size_bytes += len(pending.entry.payload)

    def put_back(self, pending: _Pending[T]) -> None:
        self.calls.appendleft(pending)
        self.size_bytes += len(pending.entry.payload)

    def pop(self) -> _Pending[T]:
        pending = self.calls.popleft()
        self.size_bytes -= len(pending.entry.payload)
        return pending


class Delivery(Generic[T]):
    """Delivers the journal in `folder`; used from one thread at a time.

    `read` makes of an exchange what `sink` is handed.
    """

    def __init__(
        self,
        folder: Path,
        sink: Callable[[Sequence[T]], None],
        read: Callable[[Exchange], T],
        *,
        batch_calls: int = BATCH_CALLS,
    ) -> None:
        self._folder = folder
        self._sink = sink
        self._read = read
        self._batch_calls = batch_calls
        self._most = batch_calls
        self._readers: dict[str, Reader] = {}
        self._evidence: _Queue[T] = _Queue()
        self._rest: _Queue[T] = _Queue()
        self._taken = 0
        self._pause_s = 0.0
        self._is_behind = False
        self.problem: str | None = None
        tell_problem(folder, None)

    def run(self, ending: threading.Event, pace: Pace | None = None) -> None:
        """Deliver until `ending` is set, at this pace, or else as fast as it goes; on the thread that made the pace."""
        poll_s = _SHORTEST_POLL_S
        while not ending.is_set():
            if self.step():
                poll_s = _SHORTEST_POLL_S
                rest_s = pace.rest_s(is_behind=self._is_behind) if pace else 0.0
                if rest_s:
                    ending.wait(rest_s)
                continue
            ending.wait(self._pause_s or poll_s)
            poll_s = min(_POLL_GROWTH * poll_s, _LONGEST_POLL_S)

    def drain(self, patience_s: float, *, most_s: float = math.inf) -> bool:
        """Deliver all that is there; False when the sink took nothing for `patience_s`, or after `most_s`."""
        began_at = worked_at = time.monotonic()
        while (now := time.monotonic()) < min(worked_at + patience_s, began_at + most_s):
            if self.step():
                worked_at = now
            elif not self._evidence.calls and not self._rest.calls:
                return True
            else:
                time.sleep(min(self._pause_s, patience_s))
        return False

    def close(self) -> None:
        """Let go of all files; what was not handed over is read again by the next delivery."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._evidence, self._rest = _Queue(), _Queue()

    def step(self) -> bool:
        """Hand one batch over; returns whether there was one and the sink took it."""
        self._fill()
        batch = self._take()
        if not batch:
            return False
        try:
            self._sink([pending.call for pending in batch])
        except Exception as error:  # any failure of the sink means the same: not delivered yet
            self._put_back(batch, error)
            return False
        self._taken += 1
        self._most, self._pause_s = min(2 * self._most, self._batch_calls), 0.0
        self._forget([pending.entry for pending in batch])
        self._is_behind = len(batch) >= self._batch_calls or bool(self._evidence.calls or self._rest.calls)
        if self.problem and not any(pending.failed_at is not None for pending in self._rest.calls):
            self._tell(None)
        return True

    def _fill(self) -> None:
        """Read on until a whole batch of each kind is there, or no more is."""
        in_order = sorted(writers(self._folder), key=lambda writer: LANES.index(lane_of(writer.name)))
        for writer in in_order:
            queue = self._evidence if lane_of(writer.name) == "evidence" else self._rest
            wanted, bytes_wanted = self._batch_calls - len(queue.calls), _BATCH_BYTES - queue.size_bytes
            if wanted > 0 and bytes_wanted > 0:
                self._read_from(writer, wanted, bytes_wanted)

    def _read_from(self, writer: Path, wanted: int, bytes_wanted: int) -> None:
        reader = self._readers.get(writer.name) or self._readers.setdefault(writer.name, Reader(writer))
        entries = reader.read(wanted, bytes_wanted)
        for entry in entries:
            self._add(entry)
        if reader.is_settled or not entries:
            reader.settle([])
        if reader.is_settled:
            self._readers.pop(writer.name).close()

    def _add(self, entry: Entry) -> None:
        try:
            call = self._read(read_payload(entry.payload))
        except Exception as error:  # whatever is wrong with it, it must not keep the others out
            self._refuse(entry, error)
            return
        is_evidence = lane_of(entry.writer) == "evidence"
        (self._evidence if is_evidence else self._rest).append(_Pending(entry, call, is_evidence))

    def _take(self) -> list[_Pending[T]]:
        """The next batch; a call that has failed alone goes alone, once others were let in or where there are none."""
        evidence, rest = self._evidence, self._rest
        failed_at = rest.calls[0].failed_at if rest.calls else None
        if failed_at is not None and (failed_at < self._taken or not evidence.calls):
            return [rest.pop()]
        batch: list[_Pending[T]] = []
        most_evidence = self._most - min(len(rest.calls), self._most // _REST_SHARE)
        while evidence.calls and len(batch) < most_evidence:
            batch.append(evidence.pop())
        while rest.calls and rest.calls[0].failed_at is None and len(batch) < self._most:
            batch.append(rest.pop())
        return batch

    def _put_back(self, batch: list[_Pending[T]], error: Exception) -> None:
        self._tell(f"{type(error).__name__}: {error}")
        if len(batch) > 1:
            for pending in reversed(batch):
                (self._evidence if pending.is_evidence else self._rest).put_back(pending)
            self._most = max(1, len(batch) // 2)
            self._pause_s = _FIRST_PAUSE_S
            return
        self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        failed = batch[0]
        has_worked_since = failed.failed_at is not None and self._taken > failed.failed_at
        failed = replace(failed, failed_at=self._taken, strikes=failed.strikes + has_worked_since)
        if failed.strikes < _STRIKES:
            self._rest.append(failed)  # behind all others, so that it keeps no evidence out
        else:
            self._refuse(failed.entry, error)

    def _refuse(self, entry: Entry, error: Exception) -> None:
        kept = keep_aside(self._folder / REFUSED_FOLDER, entry)
        _LOG.error("A call cannot be recorded and is set aside in %s: %s: %s", kept, type(error).__name__, error)
        self._forget([entry])

    def _forget(self, entries: list[Entry]) -> None:
        by_writer: dict[str, list[Entry]] = {}
        for entry in entries:
            by_writer.setdefault(entry.writer, []).append(entry)
        for writer, settled in by_writer.items():
            self._readers[writer].settle(settled)

    def _tell(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        self.problem = problem
        tell_problem(self._folder, problem)
        if problem:
            _LOG.error("The record cannot be written: %s. Calls wait in the journal.", problem)
        else:
            _LOG.warning("The record can be written again.")
