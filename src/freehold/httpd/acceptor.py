"""Accepting connections from a listening socket that several processes share.

All of them accept from one queue, so that a process that is dead, busy or hung keeps no connection waiting. Whoever
wakes up first could take all that wait, and with them the work of as long as they live. So each takes one in a turn of
its loop, and one that has more open than another steps back for some milliseconds, in which the other can take it. It
takes what still waits then: the other was dead or busy.

Not covered: a socket of one process alone, which its loop accepts from (`server`); how much work a connection brings.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import socket
from collections.abc import Callable

_COUNT_BYTES = 4
_PAUSE_S, _PAUSES = 0.001, 3
_MOST_AT_ONCE = 16
_TOLERANCE = 16
"""A process may have one more open than another for each so many that it has."""
_AFTER_FAILURE_S = 1.0
_LOG = logging.getLogger("freehold.gateway")


class OpenCounts:
    """How many connections each of some processes has open, in a file of `size_bytes` that all of them map.

    `number` counts the processes from 1. What a dead one told stays until another takes its number.
    """

    def __init__(self, file: int, number: int) -> None:
        self._counts = memoryview(mmap.mmap(file, 0)).cast("I")
        self._own = number - 1
        self.tell(0)

    @staticmethod
    def size_bytes(processes: int) -> int:
        """The size of the file for so many processes; new, it is all zeros."""
        return processes * _COUNT_BYTES

    def tell(self, count: int) -> None:
        """Take how many this process has open."""
        self._counts[self._own] = count

    def is_ahead(self) -> bool:
        """Whether this process has clearly more open than the one that has the fewest."""
        own = self._counts[self._own]
        return own > min(self._counts) + own // _TOLERANCE


class Acceptor:
    """Accepts from `listener`, which others accept from, too; `counts` is told of all that `count_open` counts."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        counts: OpenCounts,
        count_open: Callable[[], int],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._protocol = protocol
        self._counts = counts
        self._count_open = count_open
        self._joining: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener.fileno(), self._wake)

    def close(self) -> None:
        """Accept nothing more; closed already, it does nothing."""
        if self._listener.fileno() < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    def tell(self) -> None:
        """Let the others know how many are open here, those that are about to be among them."""
        self._counts.tell(self._count_open() + len(self._joining))

    def _wake(self) -> None:
        """At least one connection waits, unless another process was quicker."""
        if self._counts.is_ahead():
            self._loop.remove_reader(self._listener.fileno())
            self._step_back(_PAUSES)
        else:
            self._accept()

    def _step_back(self, pauses: int) -> None:
        self._pause = self._loop.call_later(_PAUSE_S, self._look_again, pauses - 1)

    def _look_again(self, pauses: int) -> None:
        if pauses and self._counts.is_ahead():
            self._step_back(pauses)
            return
        self._go_on()
        if not pauses:
            for _ in range(_MOST_AT_ONCE):
                if not self._accept():
                    break

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener.fileno(), self._wake)

    def _accept(self) -> bool:
        """Take one connection; returns whether there was one."""
        try:
            taken, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:  # too many open files, most of all
            _LOG.error("No connection can be accepted: %s. It is tried again.", error.strerror)
            if self._pause is None:
                self._loop.remove_reader(self._listener.fileno())
                self._pause = self._loop.call_later(_AFTER_FAILURE_S, self._go_on)
            return False
        taken.setblocking(False)
        task: asyncio.Task[object] = self._loop.create_task(self._join(taken))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)
        self.tell()
        return True

    async def _join(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, taken)
        except OSError as error:  # it has hung up already
            _LOG.debug("A connection was gone before it was taken: %s", error)
            taken.close()
