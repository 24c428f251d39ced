"""What the sorter's process does, again and again: new calls get their tasks, old ones are deleted.

Not covered: the process (`app.sorter`).
"""

from __future__ import annotations

import msgspec

from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.log import log_to_stderr
from freehold.app.periodic import Periodic
from freehold.app.startup import Startup
from freehold.ops.cleanup import Cleanup
from freehold.sort.run.sort import sort_new_calls
from freehold.system.lifeline import end_without_parent

_SORT_S = 5.0
_LOOK_FOR_OLD_S = 60.0
_ENDING_S = 2.0


class Chores:
    """The periodic work of one run, each kind on a thread of its own; `told` is what the parent tells its children."""

    def __init__(self, told: bytes, parent: int) -> None:
        log_to_stderr()
        settings = msgspec.json.decode(told, type=Startup).settings
        self._parent = parent
        self._late = LazyWorkspace(settings)
        self._cleanup: Cleanup | None = None
        self._threads = (
            Periodic("sorting", self._sort, pause_s=_SORT_S),
            Periodic("retention", self._prune, pause_s=_LOOK_FOR_OLD_S),
        )

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads; what is under way for longer than a moment is left, and done again by the next run."""
        for thread in self._threads:
            thread.stop(_ENDING_S)

    def _sort(self) -> None:
        end_without_parent(self._parent)
        sort_new_calls(self._late.get())

    def _prune(self) -> None:
        self._cleanup = self._cleanup or Cleanup(self._late.get())
        self._cleanup.run_if_due()
