"""The parent's delivery of the journal, on a thread that holds itself to a declared share of the machine.

Beside the database, a delivered batch reaches the metrics and the tracing. Not covered: the delivery itself
(`freehold.record.delivery`).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from time import time

from freehold.app.lag import LagAlarm
from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.periodic import give_way
from freehold.errors import BusyError
from freehold.gateway.telemetry.meter import Meter
from freehold.gateway.telemetry.metrics import Metrics, Sources, lag_gauge
from freehold.gateway.telemetry.tally import count_delivered
from freehold.model.call import Call
from freehold.record import EVIDENCE_LANES, OTHER_LANES, Backlog, Pace, read_backlog
from freehold.record.run.journal import delivering, journal_folder
from freehold.settings import Settings
from freehold.sort.run.known_tasks import KnownTasks
from freehold.text.read_call import ReadCall
from freehold.watch.alarms import Event

_RETRY_S = 0.1
_AFTER_FAILURE_S = 1.0
_DRAIN_S, _PATIENCE_S = 10.0, 2.0
_LOG = logging.getLogger("freehold.up")

Listener = Callable[[Sequence[Call]], None]
"""Is told of each batch that was delivered."""


class DeliveryThread(threading.Thread):
    """Delivers until stopped, and then what is left, as far as that is quickly done."""

    def __init__(self, settings: Settings, late: LazyWorkspace, listeners: Sequence[Listener]) -> None:
        super().__init__(name="freehold-delivery", daemon=True)
        self._settings = settings
        self._known = KnownTasks(late.store)
        self._listeners = tuple(listeners)
        self._ending = threading.Event()

    def run(self) -> None:
        """Deliver; where a command delivers just now, wait until it has ended."""
        give_way()
        pace = Pace(self._settings.number("record.delivery_share"), _cores())
        while True:
            is_last = self._ending.is_set()
            try:
                with delivering(self._settings, self._take) as delivery:
                    delivery.run(self._ending, pace)
                    delivery.drain(_PATIENCE_S, most_s=_DRAIN_S)
                return
            except BusyError:
                self._ending.wait(_RETRY_S)
            except Exception:
                _LOG.exception("The delivery of the journal failed; it is tried again.")
                self._ending.wait(_AFTER_FAILURE_S)
            if is_last:
                return

    def stop(self) -> None:
        """Deliver what is left, for a while, and say what is not."""
        self._ending.set()
        if self.is_alive():
            self.join(_DRAIN_S + _PATIENCE_S)
        waiting = read_backlog(journal_folder(self._settings))
        if waiting.size_bytes:
            _LOG.warning(
                "%d calls (%d bytes) wait in the journal: %s. They are delivered when Freehold runs again.",
                waiting.calls,
                waiting.size_bytes,
                waiting.problem or "there was no time to deliver them",
            )

    def _take(self, reads: Sequence[ReadCall]) -> None:
        self._known.record(reads)
        calls = [read.call for read in reads]  # named as the gateway names them, whatever task the record gives them
        for listener in self._listeners:
            try:
                listener(calls)
            except Exception:  # the calls are in the record; being counted or traced must not bring them there again
                _LOG.exception("Delivered calls could not be counted or traced.")


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Tally:
    """What the delivery knows for the metrics page: tokens and costs of what it delivered, and what waits."""

    def __init__(self, settings: Settings, run: str, tell: Callable[[Event], None]) -> None:
        self._folder = journal_folder(settings)
        self._backlog = Backlog()
        self._alarm = LagAlarm(settings.number("record.lag_s"), tell)
        self._meter = Meter()
        self._counting = threading.Lock()
        folder = settings.state.absolute() / "run"
        sources = Sources(folder=folder / "metrics", name="delivery", run=run, gauges=self._gauges)
        self._metrics = Metrics(self._meter, sources)
        self._metrics.restore()

    def count(self, calls: Sequence[Call]) -> None:
        """Count a delivered batch."""
        with self._counting:
            count_delivered(self._meter, calls)

    def save(self) -> None:
        """Look at what waits, and write the figures down where workers find them."""
        self._backlog = read_backlog(self._folder)
        self._alarm.look(self._backlog, time())
        with self._counting:
            self._metrics.save()

    def _gauges(self) -> Mapping[str, float]:
        waiting, now = self._backlog, time()
        age_s = 0.0 if waiting.oldest_at is None else max(0.0, now - waiting.oldest_at)
        return {
            "freehold_database_problem": float(waiting.problem is not None),
            "freehold_journal_bytes": float(waiting.size_bytes),
            "freehold_journal_oldest_seconds": age_s,
            lag_gauge("evidence"): waiting.lag_s(now, EVIDENCE_LANES),
            lag_gauge("rest"): waiting.lag_s(now, OTHER_LANES),
        }
