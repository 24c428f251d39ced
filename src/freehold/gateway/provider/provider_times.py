"""How long a provider takes for the calls of one task: a window of its last answers, and quantiles of them.

Each worker has its own window. It begins with what the record knows of the task, so that a worker that has just started
does not guess. Not covered: what the times are used for (`gateway.engine_load`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from freehold.record import Exchange

WINDOW = 200
_LEAST_ERROR_STATUS = 400


class ProviderTimes:
    """The provider's last `WINDOW` times for a task, in seconds; `known_ms` are earlier ones, the oldest first."""

    def __init__(self, known_ms: Iterable[float] = ()) -> None:
        self._last: deque[float] = deque((ms / 1000 for ms in known_ms), maxlen=WINDOW)
        self._ordered: list[float] | None = None

    def add(self, seconds: float) -> None:
        """Take the time of one more answer."""
        self._last.append(seconds)
        self._ordered = None

    def quantile_s(self, share: float) -> float:
        """The least time that at least this share of the answers did not exceed; 0.0 where none is known.

        >>> ProviderTimes([100, 300, 200]).quantile_s(0.5)
        0.2
        """
        if not self._last:
            return 0.0
        if self._ordered is None:
            self._ordered = sorted(self._last)
        rank = math.ceil(share * len(self._ordered) - 1e-9)
        return self._ordered[max(0, rank - 1)]


def provider_seconds(kept: Exchange) -> float | None:
    """The provider's own share of a call's time; None where it gave no whole answer.

    What the call waited for before the provider was asked, an owned model among it, is the gateway's time.
    """
    side = kept.response
    if kept.decision.arm not in ("rented", "audit") or side.status >= _LEAST_ERROR_STATUS or side.error is not None:
        return None
    own_ms = side.latency_ms - (side.gateway_ms or 0.0)
    return own_ms / 1000 if own_ms > 0 else None
