"""The recorder: what the gateway hands its exchanges to.

An exchange is written to the journal of its lane at once, and nobody waits for anything else. Where the disk refuses,
exchanges wait in memory and are tried again, four times a second, in the order in which they came; nothing is ever
dropped. Callers are held for that once, and not each for itself: a disk that has refused for as long as a caller would
wait holds nobody any more. When too much waits, `is_full` says that no new request should be let in.

Where the journal is gone, its files deleted or moved away, memory is no place to wait: only a new start may mend it.
Then `commit` raises, so that nobody is told of a call that is not kept, and no new request should be let in, either.

Not covered: surviving a `kill -9` while the disk refuses; turning exchanges into calls (`record.delivery`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from freehold.record.journal import GoneError, Journal
from freehold.record.lanes import is_evidence
from freehold.record.read import Exchange

_PAUSE_S = 0.25
_LOOK_S = 0.1
_OVERHEAD_BYTES = 1024
_LOG = logging.getLogger("freehold.record")


@dataclass(frozen=True, slots=True)
class _Waiting:
    exchange: Exchange
    size_bytes: int
    written: asyncio.Future[None] | None


class Recorder:
    """Writes exchanges to journals, which it closes at the end; used from any thread, `commit` from one event loop.

    What is evidence of a moved task goes to `evidence`, where there is one, and everything else to `journal`.
    `listener` is told of each exchange that is taken, and must be quick.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        evidence: Journal | None = None,
        limit_bytes: int = 64 * 2**20,
        listener: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._journal = journal
        self._evidence = evidence or journal
        self._limit_bytes = limit_bytes
        self._listener = listener
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._waiting_bytes = 0
        self._problem: str | None = None
        self._failing_since = 0.0
        self._is_gone = False
        self._looked_at = 0.0
        self._closes_at: float | None = None
        self._retrier: threading.Thread | None = None

    @property
    def problem(self) -> str | None:
        """Why the journal cannot be written, while it cannot."""
        return self._problem

    @property
    def refuses(self) -> bool:
        """Whether no new request should be let in: too much waits, or the journal is gone."""
        self.look()
        return self._is_gone or self.is_full

    @property
    def waiting_bytes(self) -> int:
        """The size of the exchanges that are in memory alone."""
        return self._waiting_bytes

    @property
    def waiting_calls(self) -> int:
        """How many exchanges are in memory alone."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether so much waits in memory that no new request should be let in."""
        return self._waiting_bytes >= self._limit_bytes

    def add(self, exchange: Exchange) -> None:
        """Write an exchange for which nobody waits."""
        if self._listener is not None:
            self._listener(exchange)
        self._write(exchange, None)

    async def commit(self, exchange: Exchange, wait_s: float) -> bool:
        """Write an exchange; returns whether it was durable within `wait_s`. If not, it will be written all the same.

        Nothing is awaited where the journal takes it and a write is all the durability that is asked for. GoneError
        where the journal is gone: then the exchange is not kept, and its client must not be told that it went well.
        """
        if self._listener is not None:
            self._listener(exchange)
        if not self._queue and self._journal.durability == "process":
            try:
                self._lane(exchange).append(exchange)
            except GoneError as error:
                self._note(error)
                raise
            except OSError as error:
                self._note(error)
            else:
                return True
        return await self._commit_slowly(exchange, wait_s)

    def look(self) -> None:
        """Notice that the journal is gone, or there again, also where nothing is written; looks ten times a second."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        try:
            self._journal.check()
            self._evidence.check()
        except GoneError as error:
            self._note(error)
        except OSError as error:
            _LOG.debug("The journal cannot be looked at: %s", error)
        else:
            self._find_again()

    async def _commit_slowly(self, exchange: Exchange, wait_s: float) -> bool:
        loop = asyncio.get_running_loop()
        ends_at, written = loop.time() + wait_s, loop.create_future()
        if self._is_gone:
            raise GoneError
        self._write(exchange, written)
        try:
            if not written.done():
                async with asyncio.timeout(self._hold_s(wait_s)):
                    await written
            async with asyncio.timeout_at(ends_at):
                await self._lane(exchange).settled()
        except TimeoutError:
            if self._is_gone:
                raise GoneError from None
            return False
        except OSError as error:
            self._note(error)
            return False
        if not self._queue:
            self._problem = None
        return True

    def _hold_s(self, wait_s: float) -> float:
        """How long a caller may still be held: all together as long as the first one, from the first refusal on."""
        return max(0.0, self._failing_since + wait_s - time.monotonic())

    def close(self, timeout_s: float = 10.0) -> tuple[Exchange, ...]:
        """Write what waits, then close the journal; returns the exchanges that the disk did not take in time."""
        with self._changed:
            self._closes_at = time.monotonic() + timeout_s
            retrier = self._retrier
            self._changed.notify()
        if retrier is not None:
            retrier.join()
        try:
            self._journal.close()
        finally:
            if self._evidence is not self._journal:
                self._evidence.close()
        return tuple(waiting.exchange for waiting in self._queue)

    def _lane(self, exchange: Exchange) -> Journal:
        return self._evidence if is_evidence(exchange) else self._journal

    def _write(self, exchange: Exchange, written: asyncio.Future[None] | None) -> None:
        if not self._queue:
            try:
                self._lane(exchange).append(exchange)
            except OSError as error:
                self._note(error)
                if self._is_gone and written is not None:
                    raise
            else:
                if written is not None:
                    written.set_result(None)
                return
        self._keep(exchange, written)

    def _keep(self, exchange: Exchange, written: asyncio.Future[None] | None) -> None:
        size = len(exchange.request.body) + len(exchange.response.body) + _OVERHEAD_BYTES
        with self._changed:
            self._queue.append(_Waiting(exchange, size, written))
            self._waiting_bytes += size
            if self._retrier is None:
                self._retrier = threading.Thread(target=self._retry, name="freehold-recorder", daemon=True)
                self._retrier.start()

    def _retry(self) -> None:
        """Write what waits until nothing does, or until the recorder is closed and its time is up."""
        while True:
            with self._changed:
                if not self._queue:
                    self._retrier, self._problem = None, None
                    self._find_again()
                    _LOG.warning("The journal can be written again.")
                    return
                waiting = self._queue[0]
            try:
                self._lane(waiting.exchange).append(waiting.exchange)
            except OSError as error:
                self._note(error)
                if self._is_time_up():
                    return
                continue
            with self._changed:
                self._queue.popleft()
                self._waiting_bytes -= waiting.size_bytes
            if waiting.written is not None:
                _tell(waiting.written)

    def _is_time_up(self) -> bool:
        """Pause; returns whether there is no time left for another attempt."""
        with self._changed:
            left_s = None if self._closes_at is None else self._closes_at - time.monotonic()
            if left_s is not None and (left_s <= 0 or self._is_gone):
                return True
            self._changed.wait(_PAUSE_S if left_s is None else min(_PAUSE_S, left_s))
            return False

    def _note(self, error: OSError) -> None:
        if self._problem is None:
            self._failing_since = time.monotonic()
        problem = f"{error.strerror or type(error).__name__} ({self._journal.folder.parent})"
        is_news, self._problem = problem != self._problem, problem
        self._is_gone = isinstance(error, GoneError)
        if is_news:
            what = "No new calls are taken" if self._is_gone else "Calls wait in memory and are tried again"
            _LOG.error("The journal cannot be written: %s. %s.", problem, what)

    def _find_again(self) -> None:
        """Take that the journal is where it was."""
        if self._is_gone:
            self._is_gone, self._problem = False, None
            _LOG.warning("The journal is there again.")


def _tell(written: asyncio.Future[None]) -> None:
    loop = written.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(_settle, written)


def _settle(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
