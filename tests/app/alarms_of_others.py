"""An alarm as another package would offer it, and one that fails when it is made."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from freehold.watch.alarms import Event


class Mine:
    """Keeps events."""

    def __init__(self, settings: Mapping[str, str | float | int | bool], environment: Mapping[str, str]) -> None:
        del settings, environment
        self.events: list[Event] = []

    def send(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)


def odd(_settings: object, _environment: object) -> object:
    """Fail."""
    return 1 / 0


def leaving(_settings: object, _environment: object) -> object:
    """End the process."""
    raise SystemExit(3)


def stuck(_settings: object, _environment: object) -> object:
    """Never come back."""
    threading.Event().wait()
    return None


def mute(_settings: object, _environment: object) -> object:
    """Something that sends nothing."""
    return object()


class Leaving(Mine):
    """Ends the process when it is to send."""

    def send(self, event: Event) -> None:
        """End the process."""
        raise SystemExit(f"{event.text}\nand more")
