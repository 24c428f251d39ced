"""The pace of the delivery: how much of the machine it takes, and when it rests.

The delivery runs at the priority of the calls: at a lower one it would get nothing on a busy machine, and without
privileges a thread cannot raise its priority again when it falls behind. So it holds itself back. While it keeps up it
takes at most `CALM` of its share and rests after each batch, and the next batch is larger and costs less a call. While
more than a batch waits it takes up to its whole share.

CPU time is counted, not time on the clock: on a busy machine the delivery gets less of a core in the same time, and
rests less for it. What it leaves unused is not saved up for later, but for `_SAVED_S`.

Not covered: what is delivered (`record.delivery`), how long calls wait (`record.backlog`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

CALM = 0.25
_SAVED_S = 0.25
_OWED_S = 1.0
_LONGEST_REST_S = 0.25
"""So long may new evidence have to wait; what is owed beyond it is rested off after the next batches."""


class Pace:
    """Holds one thread to `share` (above 0, at most 1) of `cores`; to be made and asked on that thread.

    `clock` gives seconds, `cpu_clock` the CPU seconds that the thread has used.
    """

    def __init__(
        self,
        share: float,
        cores: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._most = min(1.0, share * cores)  # one thread: more than a core it cannot take
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._asked_at, self._used_s = clock(), cpu_clock()
        self._credit_s = 0.0

    def rest_s(self, *, is_behind: bool) -> float:
        """How many seconds to rest now, at most a quarter; `is_behind` says that more waits."""
        rate = self._most if is_behind else CALM * self._most
        now, used_s = self._clock(), self._cpu_clock()
        earned_s = rate * (now - self._asked_at) - (used_s - self._used_s)
        self._asked_at, self._used_s = now, used_s
        self._credit_s = max(-rate * _OWED_S, min(self._credit_s + earned_s, rate * _SAVED_S))
        return min(_LONGEST_REST_S, max(0.0, -self._credit_s / rate))
