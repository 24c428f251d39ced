"""The alarm that writes to the gateway's log."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from freehold.watch.alarms import Event

_LOG = logging.getLogger("freehold.alarms")


class LogAlarm:
    """One line of the log for each event."""

    def __init__(self, settings: Mapping[str, str | float | int | bool], environment: Mapping[str, str]) -> None:
        del settings, environment

    def send(self, event: Event) -> None:
        """Write the line."""
        _LOG.warning("%s", event.text)
