"""Alarms: who is told when live evidence changes a route, or when Freehold falls behind.

An alarm is made by a factory that takes the settings and the environment, and has one method, `send`. It may raise: the
event is sent again, a few times. It may take its time: events wait for it on a thread of its own, and nothing else
does. Packages offer more of them as entry points of the group `freehold.alarms` (`freehold.plugins`).

Not covered: when there is an event (`watch.run.monitor`, `app.lag`), retries (`app.alarm_sender`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

EventKind = Literal["route_changed", "route_taken_back", "delivery_lag", "delivery_lag_over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, in one line of words; `at` is Unix seconds, `task` is empty where it is about no task."""

    kind: EventKind
    text: str
    at: float
    task: str = ""
    details: Mapping[str, str | float | None] = field(default_factory=dict)


class Alarm(Protocol):
    """Tells somebody of events."""

    def send(self, event: Event) -> None:
        """Tell of an event; whatever this raises, it is tried again."""


Factory = Callable[[Mapping[str, str | float | int | bool], Mapping[str, str]], Alarm]
"""Makes an alarm out of the settings, by their dotted names, and the environment; SettingError where one is missing."""
