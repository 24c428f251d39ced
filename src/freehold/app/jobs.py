"""What the parent keeps up to date beside its workers: engines as routes want them, routes as evidence has it.

Not covered: the workers (`app.supervisor`), the journal (`app.delivery`), tasks (`app.sorter`).
"""

from __future__ import annotations

from contextlib import suppress

from freehold.app.alarm_sender import AlarmSender
from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.periodic import Periodic
from freehold.errors import FreeholdError
from freehold.ops.heads import keep_head
from freehold.route.run.directory import Directory
from freehold.serve.run.engines import Engines
from freehold.settings import Settings
from freehold.watch.run.monitor import Monitor

_FOLLOW_S = 0.25
_HEADS_S = 2.0


class Jobs:
    """The parent's periodic work, each kind on a thread of its own, so that none waits for another."""

    def __init__(self, settings: Settings, late: LazyWorkspace, alarms: AlarmSender) -> None:
        self._late = late
        self._alarms = alarms
        self._directory = Directory(late.store)
        self._engines = Engines(settings, late.store)
        self._watching: Monitor | None = None
        self._threads = (
            Periodic("engines", self._follow, pause_s=_FOLLOW_S),
            Periodic("watching", self._watch, pause_s=settings.number("watch.every_s")),
            Periodic("heads", lambda: keep_head(late.get()), pause_s=_HEADS_S),
        )

    def start(self) -> None:
        """Start the threads."""
        self._engines.list_them()  # an earlier run's engines are gone
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads, then the engines."""
        for thread in self._threads:
            thread.stop()
        self._engines.stop()
        if self._watching is not None:
            with suppress(FreeholdError):  # others wait for a silent gateway a little, and then no more
                self._watching.leave()

    def _follow(self) -> None:
        try:
            self._directory.refresh()
        finally:
            self._engines.keep(self._directory.served_models())
            self._engines.list_them()

    def _watch(self) -> None:
        self._watching = self._watching or Monitor(self._late.get(), tell=self._alarms.send)
        self._watching.look()
