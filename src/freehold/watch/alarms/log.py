"""The alarm that writes to the gateway's log."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.watch.alarms import Event, log_event


class LogAlarm:
    """One line of the log for each event."""

    def __init__(self, settings: Mapping[str, str | float | int | bool], environment: Mapping[str, str]) -> None:
        del settings, environment

    def send(self, event: Event) -> None:
        """Write the line."""
        log_event(event)
