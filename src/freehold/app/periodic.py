"""Threads that do one thing again and again, and survive its failures.

Not covered: what they do.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from freehold.errors import FreeholdError

_AFTER_FAILURE_S = 1.0
_LOG = logging.getLogger("freehold.up")


class Periodic(threading.Thread):
    """Calls `work` every `pause_s` until stopped; a failure is said once, and work goes on when it is over.

    Work begins at once where `wake` is set, which it has to clear. `has_begun` is set after the first round, whether it
    failed or not.
    """

    def __init__(
        self, name: str, work: Callable[[], None], *, pause_s: float, wake: threading.Event | None = None
    ) -> None:
        super().__init__(name=f"freehold-{name}", daemon=True)
        self.problem: str | None = None
        self.has_begun = threading.Event()
        self._work = work
        self._pause_s = pause_s
        self._ending = threading.Event()
        self._wake = wake or self._ending

    def run(self) -> None:
        """Work until stopped."""
        while not self._ending.is_set():
            self._try()
            self.has_begun.set()
            if self.problem is None:
                self._wake.wait(self._pause_s)
            else:
                self._ending.wait(max(self._pause_s, _AFTER_FAILURE_S))

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop after the work that is under way."""
        self._ending.set()
        self._wake.set()
        if self.is_alive():
            self.join(timeout_s)

    def _try(self) -> None:
        try:
            self._work()
        except FreeholdError as error:
            if self.problem != str(error):
                _LOG.warning("%s: %s It is tried again.", self.name, error)
            self.problem = str(error)
        except Exception as error:
            if self.problem != repr(error):
                _LOG.exception("%s failed; it is tried again.", self.name)
            self.problem = repr(error)
        else:
            if self.problem is not None:
                _LOG.info("%s works again.", self.name)
            self.problem = None


def give_way() -> None:
    """Let this thread interrupt no other when it wakes up; it gets its part of a busy machine all the same."""
    if sys.platform == "linux":
        with suppress(OSError):  # where that is not allowed, it is an ordinary thread
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
