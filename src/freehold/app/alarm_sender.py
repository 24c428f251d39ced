"""Sends events to alarms, without anybody waiting for it.

Each alarm has a thread of its own and a queue: one that is slow, hangs or fails holds up no other, and nothing else. An
event that an alarm does not take is tried again; then the log says so, and the next one comes. Not covered: what an
alarm does with an event (`watch.alarms`).
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Mapping, Sequence

from freehold.errors import FreeholdError, SettingError, in_a_line
from freehold.plugins import ALARMS
from freehold.settings import Settings
from freehold.system.time_limit import TimeLimit
from freehold.watch.alarms import Alarm, Event, log_event

PAUSES_S: Sequence[float] = (1.0, 10.0, 60.0)
"""How long to wait before each further try."""
MOST_WAITING = 100
LOAD_S = 5.0
"""Seconds that an alarm may take to be imported and made; the gateway waits for it."""
_CLOSE_S = 2.0
_LOG = logging.getLogger("freehold.alarms")


class AlarmSender:
    """Passes each event to every alarm."""

    def __init__(self, alarms: Mapping[str, Alarm], pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._lines = [_Line(name, alarm, pauses_s) for name, alarm in alarms.items()]

    def send(self, event: Event) -> None:
        """Pass an event on, to the log where there is no alarm; returns at once."""
        if not self._lines:
            log_event(event)
        for line in self._lines:
            line.put(event)

    def close(self) -> None:
        """Give what waits a moment, then leave it."""
        for line in self._lines:
            line.end()
        for line in self._lines:
            line.join(_CLOSE_S)


class _Line(threading.Thread):
    """One alarm, and the events that wait for it."""

    def __init__(self, name: str, alarm: Alarm, pauses_s: Sequence[float]) -> None:
        super().__init__(name=f"freehold-alarm-{name}", daemon=True)
        self._called = name
        self._alarm = alarm
        self._pauses_s = pauses_s
        self._waiting: queue.Queue[Event | None] = queue.Queue(MOST_WAITING)
        self._ending = threading.Event()
        self.start()

    def put(self, event: Event) -> None:
        """Let an event wait; where too many do, the log has it alone."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            _LOG.error("The alarm %s is too slow, and was not told: %s", self._called, event.text)

    def end(self) -> None:
        """End after the event that is being sent."""
        self._ending.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            _LOG.debug("The alarm %s ends with events that wait.", self._called)

    def run(self) -> None:
        """Send one event after the other."""
        while (event := self._waiting.get()) is not None:
            self._send(event)

    def _send(self, event: Event) -> None:
        problem = ""
        for pause_s in (0.0, *self._pauses_s):
            if pause_s and self._ending.wait(pause_s):
                break
            try:
                self._alarm.send(event)
            except (Exception, SystemExit) as error:  # an alarm may be of any package
                problem = in_a_line(error)
            else:
                return
        _LOG.error("The alarm %s was not sent: %s. It would have said: %s", self._called, problem, event.text)


def make_alarms(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, Alarm]:
    """The alarms that the settings name; one that cannot be made is said in the log and left out."""
    made: dict[str, Alarm] = {}
    for name in filter(None, (one.strip() for one in settings.text("watch.alarms").split(","))):
        try:
            alarm = TimeLimit(f"freehold-alarm-{name}", LOAD_S).call(_make, name, settings, environment)
            if not callable(getattr(alarm, "send", None)):
                raise SettingError("it has no send.", hint="Upgrade or uninstall the package that offers it.")
            made[name] = alarm
        except FreeholdError as error:
            _LOG.error("The alarm %s is off: %s", name, error)
        except (Exception, SystemExit) as error:  # an alarm may be of any package
            _LOG.error("The alarm %s is off: its maker failed (%s).", name, in_a_line(error))
    return made


def _make(name: str, settings: Settings, environment: Mapping[str, str]) -> Alarm:
    made: Alarm = ALARMS.load(name)(settings.values, environment)
    return made
