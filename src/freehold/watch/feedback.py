"""Feedback that comes late, or never: entered when its time is over, in the order of the requests.

A request's feedback counts if it comes within a declared horizon. Only once the horizon has closed does the request
enter, in request order, with what is known of it by then: the last word of the user in time, or nothing. So whether and
when feedback comes decides nothing about which requests count. Entering it as it arrives is not offered: if unhappy
users answer sooner, the first to arrive are the worst, each of them looks like news, and a good model is taken back
(or, the other way round, certified): no bound holds (Lindon & Kallus, arXiv 2603.25971; a simulation in `tests/watch`
is the negative control).

What is missing is no harm: a route is not taken back for silence.
Checkable: requests at 0 and 10, horizon 60, now 65: only the first may enter, whatever has arrived for the second.

Not covered: whose feedback it is and how it came (`store`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from freehold.watch import state


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One piece of feedback on a call; `arrived_at` in Unix seconds."""

    call_id: str
    is_good: bool
    arrived_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of one request once its horizon has closed; None: no feedback came in time."""

    call_id: str
    created_at: float
    is_good: bool | None


def closed_until(now: float, *, horizon_s: float) -> float:
    """Requests up to this time may enter; ValueError for a horizon that is negative or no number."""
    if state.as_number(horizon_s, "the horizon") < 0:
        raise ValueError(f"the horizon is {horizon_s!r}, less than 0 seconds")
    return state.as_number(now, "now") - horizon_s


def outcomes(
    requests: Iterable[tuple[str, float]], words: Sequence[Word], *, horizon_s: float, now: float
) -> tuple[Outcome, ...]:
    """The (id, created_at) requests whose horizon has closed, in request order, each with its last word in time.

    Words that came after the horizon, before their request (a clock that jumped), or for an unknown call count nothing.
    """
    until = closed_until(now, horizon_s=horizon_s)
    closed = sorted({call_id: at for call_id, at in requests if at <= until}.items(), key=lambda pair: pair[::-1])
    due = dict(closed)
    last: dict[str, bool] = {}
    for word in sorted(words, key=lambda word: (word.arrived_at, word.is_good)):
        asked_at = due.get(word.call_id)
        if asked_at is not None and asked_at <= word.arrived_at <= asked_at + horizon_s:
            last[word.call_id] = word.is_good
    return tuple(Outcome(call_id=call_id, created_at=at, is_good=last.get(call_id)) for call_id, at in closed)


def harm_of(is_good: bool | None) -> float:
    """The loss for taking back: 1 for bad feedback, 0 for good or none."""
    return float(is_good is False)
