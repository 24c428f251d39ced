"""Calls of tasks that are known are recorded with their task, so that the sorter need not read them again.

The sorter looks at LOOK_CALLS calls of each task in LOOK_S seconds, and at every call that might tell it something new:
of a task that is not settled, of a prompt that does not fit, one that failed. From those it learns what a task's
answers are and whether it is several (`sort.sort`). What comes beyond them, and fits, has the task that the sorter
would give it.

Tasks may change between the look at them and the moment in which the calls are written. The store compares both in one
transaction, and leaves the calls of a changed task to the sorter (`store.calls.Placement`).

Not covered: calls for which the gateway decided itself; they came with their task.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from msgspec import structs

from freehold.errors import AwayError, BusyError
from freehold.model.call import Call
from freehold.model.tags import TASK_TAG
from freehold.model.task import Task, fits_some
from freehold.sort import TaskIndex
from freehold.store import Placement, Store
from freehold.text.effort import TooLongError, effort
from freehold.text.read_call import ReadCall

LOOK_CALLS, LOOK_S = 128, 5.0
_REFRESH_S = 0.5
_EFFORT_S = 0.25
"""CPU seconds for a batch; what is left then is the sorter's, which sets aside what takes too long."""
_LOG = logging.getLogger("freehold.record")


class KnownTasks:
    """Records calls, those of known tasks with their task; used from one thread at a time.

    `store` gives the store, or raises while its database is away.
    """

    def __init__(self, store: Callable[[], Store], clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._index = TaskIndex(())
        self._changed_at: dict[str, float] = {}
        self._stamp: tuple[int, float] | None = None
        self._looked_at = self._began_at = clock()
        self._left: dict[str, int] = defaultdict(int)

    def record(self, reads: Sequence[ReadCall]) -> None:
        """Write calls, each with its task where that is known."""
        store = self._store()
        calls: list[Call] = []
        placed: dict[str, list[str]] = defaultdict(list)
        for read, task_id in zip(reads, self._find(store, reads), strict=True):
            if task_id is None:
                calls.append(read.call)
            else:
                calls.append(structs.replace(read.call, task_id=task_id))
                placed[task_id].append(read.call.id)
        placements = [Placement(task_id, self._changed_at[task_id], ids) for task_id, ids in placed.items()]
        store.calls.add(calls, placements)

    def _find(self, store: Store, reads: Sequence[ReadCall]) -> list[str | None]:
        """The task of each call that surely has one; whatever goes wrong here, the calls are recorded."""
        found: list[str | None] = [None] * len(reads)
        try:
            self._refresh(store)
            if self._changed_at:
                with effort(_EFFORT_S):
                    for place, read in enumerate(reads):
                        found[place] = self._task_of(read)
        except TooLongError as error:
            _LOG.info("The sorter gives the rest of %d calls their tasks: %s", len(reads), error)
        except (AwayError, BusyError) as error:  # writing the calls says it aloud
            _LOG.debug("The tasks cannot be read now: %s", error)
        except Exception:
            _LOG.exception("Calls could not be given their tasks as they were recorded; the sorter does it.")
        return found

    def _refresh(self, store: Store) -> None:
        """Look at the tasks again from time to time, and begin another time of LOOK_S seconds when one is over."""
        now = self._clock()
        if now - self._began_at >= LOOK_S:
            self._began_at = now
            self._left.clear()
        if self._stamp is not None and now - self._looked_at < _REFRESH_S:
            return
        self._looked_at = now
        stamp = store.registry.task_stamp()
        if stamp != self._stamp:
            dated = store.registry.dated_tasks()
            self._index = TaskIndex(task for task, _ in dated)
            self._changed_at = {task.id: changed_at for task, changed_at in dated}
            self._stamp = stamp

    def _task_of(self, read: ReadCall) -> str | None:
        call, asked = read.call, read.asked
        if asked is None or call.task_id is not None or call.parent_id is not None or not read.is_answered:
            return None
        task = self._index.find(asked, call.tags.get(TASK_TAG))
        if task is None or not _is_settled(task) or not fits_some(task, asked):
            return None
        self._left[task.id] += 1
        return task.id if self._left[task.id] > LOOK_CALLS else None


def _is_settled(task: Task) -> bool:
    """Whether nothing about the task is to be found out from its next calls that the sorter does not look for."""
    return not (task.is_loose or (task.versions and task.versions[-1].is_young))
