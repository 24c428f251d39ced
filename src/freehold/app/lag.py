"""The events of a lagging delivery: one when calls wait too long for the database, one when they no longer do.

Not covered: how long they wait (`record.backlog`), what the delivery does about it (`record.pace`).
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.record import EVIDENCE_LANES, Backlog
from freehold.watch.alarms import Event, log_event

_OVER = 0.5
"""The alarm is over once the lag is below this share of its limit, so that a lag around the limit is said once."""


class LagAlarm:
    """Watches one journal's backlog; sends an event to `tell` (default: the log) when it lags by over `limit_s` s."""

    def __init__(self, limit_s: float, tell: Callable[[Event], None] | None = None) -> None:
        self._limit_s = limit_s
        self._tell = tell or log_event
        self.is_raised = False

    def look(self, backlog: Backlog, now: float) -> None:
        """Take the backlog as of `now`, in Unix seconds."""
        lag_s = backlog.lag_s(now)
        if not self.is_raised and lag_s > self._limit_s:
            self.is_raised = True
            text = (
                f"Delivery lags: about {backlog.calls:,} calls ({backlog.size_bytes:,} bytes) wait for the database,"
                f" the first for {lag_s:.0f} s (of moved tasks: {backlog.lag_s(now, EVIDENCE_LANES):.0f} s). The"
                " console and budgets see calls so much later. If it lasts, the machine is too busy or the database too"
                " slow: give it more cores, or raise record.delivery_share."
            )
            self._tell(Event(kind="delivery_lag", text=text, at=now, details={"lag_s": lag_s}))
        elif self.is_raised and lag_s < _OVER * self._limit_s:
            self.is_raised = False
            text = f"Delivery no longer lags: the first call that waits has waited for {lag_s:.1f} s."
            self._tell(Event(kind="delivery_lag_over", text=text, at=now, details={"lag_s": lag_s}))
