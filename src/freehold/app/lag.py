"""The alarm of the delivery: said once when calls wait too long for the database, and once when they no longer do.

Not covered: how long they wait (`record.backlog`), what the delivery does about it (`record.pace`).
"""

from __future__ import annotations

import logging

from freehold.record import EVIDENCE_LANES, Backlog

_OVER = 0.5
"""The alarm is over once the lag is below this share of its limit, so that a lag around the limit is said once."""
_LOG = logging.getLogger("freehold.record")


class LagAlarm:
    """Watches one journal's backlog; `limit_s` is the lag, in seconds, above which it speaks."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.is_raised = False

    def look(self, backlog: Backlog, now: float) -> None:
        """Take the backlog as of `now`, in Unix seconds."""
        lag_s = backlog.lag_s(now)
        if not self.is_raised and lag_s > self._limit_s:
            self.is_raised = True
            _LOG.warning(
                "Delivery lags: about %s calls (%s bytes) wait for the database, the first for %.0f s (of moved tasks:"
                " %.0f s). The console and budgets see calls so much later. If it lasts, the machine is too busy or the"
                " database too slow: give it more cores, or raise record.delivery_share.",
                f"{backlog.calls:,}",
                f"{backlog.size_bytes:,}",
                lag_s,
                backlog.lag_s(now, EVIDENCE_LANES),
            )
        elif self.is_raised and lag_s < _OVER * self._limit_s:
            self.is_raised = False
            _LOG.warning("Delivery no longer lags: the first call that waits has waited for %.1f s.", lag_s)
