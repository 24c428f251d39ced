"""How far the database is behind the calls, in words. Not covered: the alarm (`app.lag`)."""

from __future__ import annotations

from freehold.record import EVIDENCE_LANES, Backlog, read_backlog
from freehold.record.run.journal import journal_folder
from freehold.settings import Settings


def lag_row(settings: Settings, now: float) -> str:
    """What waits in the journal of a state folder as of `now` (Unix seconds), as a row of `freehold status`."""
    return lag_words(read_backlog(journal_folder(settings)), now, limit_s=settings.number("record.lag_s"))


def lag_words(backlog: Backlog, now: float, *, limit_s: float) -> str:
    """The backlog as one line; says so where a call has waited for longer than `limit_s`."""
    if not backlog.size_bytes:
        return "nothing waits for the database"
    lag_s, evidence_s = backlog.lag_s(now), backlog.lag_s(now, EVIDENCE_LANES)
    text = f"about {backlog.calls:,} calls wait for the database, the first for {lag_s:.1f} s"
    text += f" (of moved tasks: {evidence_s:.1f} s)" if lag_s > limit_s or evidence_s else ""
    return text + (f", longer than record.lag_s = {limit_s:g}; see the log" if lag_s > limit_s else "")
