"""The recorder: calls go to the sink in groups, and whoever hands one in learns when it is durable.

One writer thread takes what waits, hands it to the sink in one batch, and wakes the waiting exchanges once the sink
has returned: while one batch is being written the next one gathers, so that the cost of a commit is shared.

Nothing is ever dropped. When the sink fails, its batch goes to the back of the queue, the next batch is half as large
(so that one call that cannot be written does not keep the others out), and the writer waits longer each time. A sink
must leave a call that it has already written as it is, because a batch may come twice.

Not covered: surviving a `kill -9` with calls still in memory. The gateway holds a response back until its call is
durable, for a while, and refuses new requests when too much waits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from freehold.core.call import Call

Sink = Callable[[Sequence[Call]], None]

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_CALL_OVERHEAD_BYTES = 1024
_LOG = logging.getLogger("freehold.record")


@dataclass(frozen=True, slots=True)
class _Waiting:
    call: Call
    size_bytes: int
    future: asyncio.Future[None] | None
    has_failed: bool = False


class Recorder:
    """Hands calls to a sink, in groups, on a thread of its own; used from any event loop or thread."""

    def __init__(self, sink: Sink, *, limit_bytes: int = 256 * 2**20, batch_calls: int = 512) -> None:
        self._sink = sink
        self._limit_bytes = limit_bytes
        self._batch_calls = batch_calls
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._waiting_bytes = 0
        self._problem: str | None = None
        self._closes_at: float | None = None
        self._writer = threading.Thread(target=self._write, name="freehold-recorder", daemon=True)
        self._writer.start()

    @property
    def problem(self) -> str | None:
        """Why the last batch could not be written, while calls wait because of it."""
        return self._problem

    @property
    def waiting_bytes(self) -> int:
        """The size of the calls that are not durable yet."""
        return self._waiting_bytes

    @property
    def waiting_calls(self) -> int:
        """How many calls are in the queue, beside those that are being written."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that no new request should be let in."""
        return self._waiting_bytes >= self._limit_bytes

    def add(self, call: Call) -> None:
        """Queue a call; it is written soon, and nobody waits for it."""
        self._enqueue(call, None)

    async def commit(self, call: Call) -> None:
        """Queue a call and return when it is durable, however long that takes."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(call, future)
        await future

    async def commit_within(self, call: Call, wait_s: float) -> bool:
        """Queue a call and wait at most `wait_s` for it to be durable; False: it is still queued and will be."""
        try:
            async with asyncio.timeout(wait_s):
                await self.commit(call)
        except TimeoutError:
            return False
        return True

    def close(self, timeout_s: float = 10.0) -> tuple[Call, ...]:
        """Write what waits, then stop; returns the calls that could not be written in `timeout_s`."""
        with self._changed:
            self._closes_at = time.monotonic() + timeout_s
            self._changed.notify()
        self._writer.join()
        return tuple(waiting.call for waiting in self._queue)

    def _enqueue(self, call: Call, future: asyncio.Future[None] | None) -> None:
        size = len(call.request_body) + len(call.response_body) + _CALL_OVERHEAD_BYTES
        with self._changed:
            self._queue.append(_Waiting(call, size, future))
            self._waiting_bytes += size
            self._changed.notify()

    def _write(self) -> None:
        batch_calls, pause_s = self._batch_calls, 0.0
        while batch := self._take(batch_calls, pause_s):
            try:
                self._sink([waiting.call for waiting in batch])
            except Exception as error:  # any failure of the sink means the same: not durable yet
                self._put_back(batch, error)
                batch_calls = max(1, batch_calls // 2)
                pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            else:
                self._settle(batch)
                batch_calls, pause_s = min(2 * batch_calls, self._batch_calls), 0.0

    def _take(self, most: int, pause_s: float) -> list[_Waiting]:
        """The next batch, after a pause; empty when the recorder is closed and nothing more can be done."""
        resumes_at = time.monotonic() + pause_s
        with self._changed:
            while True:
                now = time.monotonic()
                if self._closes_at is not None and (not self._queue or (pause_s and now >= self._closes_at)):
                    return []
                if self._queue and now >= resumes_at:
                    return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
                until = min(resumes_at, self._closes_at or resumes_at)
                self._changed.wait(max(until - now, 0.001) if self._queue else None)

    def _put_back(self, batch: Sequence[_Waiting], error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        with self._changed:
            self._queue.extend(replace(waiting, has_failed=True) for waiting in batch)
            is_news, self._problem = problem != self._problem, problem
        if is_news:
            _LOG.error("The record cannot be written: %s. %d calls wait and are tried again.", problem, len(batch))

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for waiting in batch:
            if waiting.future is not None:
                by_loop.setdefault(waiting.future.get_loop(), []).append(waiting.future)
        with self._changed:
            self._waiting_bytes -= sum(waiting.size_bytes for waiting in batch)
            if self._problem and not any(waiting.has_failed for waiting in self._queue):
                self._problem = None
                _LOG.warning("The record can be written again.")
        for loop, futures in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_release, futures)


def _release(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
