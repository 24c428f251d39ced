"""The workers, as their parent sees them: all started, all ready, all stopped.

A worker says `lost N` when it had to end with calls that no disk took. Not covered: what one does (`app.worker`), how
a process is started again when it dies (`system.child_process`).
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence

from freehold.app.sockets import Sockets
from freehold.errors import StateError
from freehold.system.child_process import Supervisor
from freehold.system.lifeline import parent_option

_DEATHS_BEFORE_READY = 3
_CLOSING_S = 25.0
"""What a worker may need beyond its grace: background calls and a disk that refuses."""
_LOG = logging.getLogger("freehold.up")
_WORKER = (sys.executable, "-m", "freehold.app.worker")


class Workers:
    """As many processes as share a listening socket, told `told` on stdin, and holding the files `inherited`."""

    def __init__(
        self,
        listening: Sockets,
        told: bytes,
        *,
        inherited: Sequence[int] = (),
        command: Sequence[str] = _WORKER,
        ending: threading.Event | None = None,
    ) -> None:
        self._changed = threading.Condition()
        self._listening = listening
        self._ending = ending or threading.Event()
        self._lost_calls: list[int] = []
        self._workers = [
            Supervisor(
                f"gateway worker {number}",
                [*command, "--number", str(number), *listening.options, *parent_option()],
                told=told,
                inherited=(*listening.files, *inherited),
                hear=self._hear,
                changed=self._changed,
                logger=_LOG,
            )
            for number in range(1, listening.workers + 1)
        ]

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run now."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    @property
    def lost_calls(self) -> int:
        """How many answered calls ended with their workers because no disk took them."""
        return sum(self._lost_calls)

    def start(self) -> None:
        """Start all of them; returns once all serve, or `ending` is set. StateError when one dies again and again."""
        for worker in self._workers:
            worker.start()
        with self._changed:
            while not self._ending.is_set() and not all(worker.is_ready for worker in self._workers):
                if any(worker.deaths >= _DEATHS_BEFORE_READY and not worker.is_ready for worker in self._workers):
                    raise StateError("The gateway does not start.", hint="See the worker's error above.")
                self._changed.wait(0.1)

    def stop(self, grace_s: float) -> None:
        """Let each end the calls under way, for at most `grace_s`, and end it."""
        self._listening.close()
        for worker in self._workers:
            worker.end()
        deadline = time.monotonic() + grace_s + _CLOSING_S
        for worker in self._workers:
            worker.join_or_kill(deadline - time.monotonic())

    def hurry(self) -> None:
        """Let those that are stopping wait for nothing any more."""
        for worker in self._workers:
            worker.end()

    def _hear(self, words: list[str]) -> None:
        match words:
            case ["lost", count] if count.isdigit():
                self._lost_calls.append(int(count))
