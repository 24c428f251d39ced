"""Spans of time as people write them: 30s, 15m, 2h, 7d."""

from __future__ import annotations

from freehold.errors import UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def span_s(text: str, flag: str) -> float:
    """Seconds of a span; UsageError names the flag that it was given with."""
    try:
        seconds = float(text[:-1]) * _UNITS_S[text[-1]]
    except (KeyError, ValueError, IndexError) as error:
        raise UsageError(f"{flag} {text!r} is not a time span.", hint="Write 30s, 15m, 2h or 7d.") from error
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"{flag} {text!r} is not a time span.", hint="Write 30s, 15m, 2h or 7d.")
    return seconds
