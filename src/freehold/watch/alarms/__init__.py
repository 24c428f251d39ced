"""Alarms: notices to people when live evidence changes a route, or when delivery lags.

An alarm is made by a factory that takes the settings and the environment, and has one method, `send`. It may raise: the
event is sent again, a few times. It may take its time: events wait for it on a thread of its own, and nothing else
does. Packages offer more of them as entry points of the group `freehold.alarms` (`freehold.plugins`).

Not covered: when there is an event (`watch.run.monitor`, `app.lag`), retries (`app.alarm_sender`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

_LOG = logging.getLogger("freehold.alarms")

EventKind = Literal["route_changed", "route_taken_back", "delivery_lag", "delivery_lag_over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, in one line of words; `at` is Unix seconds, `task` is empty where it is about no task."""

    kind: EventKind
    text: str
    at: float
    task: str = ""
    details: Mapping[str, str | float | None] = field(default_factory=dict)


def log_event(event: Event) -> None:
    """Write an event to the log."""
    _LOG.warning("%s", event.text)


class Alarm(Protocol):
    """Notifies people of events."""

    def send(self, event: Event) -> None:
        """Send an event; whatever this raises, it is tried again."""


Factory = Callable[[Mapping[str, str | float | int | bool], Mapping[str, str]], Alarm]
"""Makes an alarm out of the settings, by their dotted names, and the environment; SettingError where one is missing."""
