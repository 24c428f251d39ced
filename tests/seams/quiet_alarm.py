"""An alarm as another package would offer it."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.watch.alarms import Event


class Mine:
    """Is told, and tells nobody."""

    def __init__(self, settings: Mapping[str, str | float | int | bool], environment: Mapping[str, str]) -> None:
        del settings, environment

    def send(self, event: Event) -> None:
        """Do nothing."""
