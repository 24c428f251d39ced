"""Whether a moved task's calls stopped where those of another task began: then its prompt was rewritten, most likely.

A prompt that was edited is known by its words (`sort.edits`). One that was rewritten has none in common, makes a task
of its own, which the provider answers, and leaves the moved one without calls, by which nothing else would be noticed.
With T the time since the other task began, and calls counted up to 1,000, it took the place of the moved one where

    before = calls of the moved task in T before           at least 20
    after  = calls of the moved task since                 at most before / 20
    fresh  = calls of the other task since                 at least 20 and before / 4

When calls of the moved task come again, `after` grows and the reason goes. Checkable: 20 calls before, 1 after and 20
of the other are a reason; 2 after are none.

Not covered: traffic that just stops; several tasks that took the place of one, each with less than a quarter.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence

from freehold.model.route import Route
from freehold.model.task import Task
from freehold.store import Store
from freehold.watch.run.bounds import came_later, edited
from freehold.watch.run.monitor_state import said_by_probes

_LEAST_CALLS = 20
_MOST_COUNTED = 1000
_STILL_COMING = 1 / 20
_LEAST_SHARE = 1 / 4
_MOST_TASKS = 20
_PAUSE_S = 5.0


def successors(route: Route, tasks: Sequence[Task], edits: Collection[str]) -> tuple[Task, ...]:
    """The tasks that may have taken the place of a moved one: newer than its proof, and no `edits` of its prompt."""
    if route.kind == "rented":
        return ()
    later = [task for task in came_later(route, tasks) if task.id not in edits]
    return tuple(sorted(later, key=lambda task: task.created_at)[-_MOST_TASKS:])


def said_by_silence(store: Store, route: Route, others: Sequence[Task], now: float) -> tuple[str, ...]:
    """Which of `others` took the moved task's place, as a reason to call its evidence stale; nothing where none did."""
    for other in others:
        if _took_over(store, route.task_id, other, now):
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(other.created_at))
            return (f"prompt replaced: calls stopped when those of task {other.name!r} began, {when}",)
    return ()


class ReplacedPrompt:
    """The same for a watch that looks all the time: what was said some seconds ago is said again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}

    def said(self, route: Route, others: Sequence[Task], now: float) -> tuple[str, ...]:
        """As `said_by_silence`, asked at most every five seconds for a version of a route."""
        key = (route.task_id, route.version)
        asked_at, said = self._said.get(key, (-math.inf, ()))
        if not 0 <= now - asked_at < _PAUSE_S:
            said = said_by_silence(self._store, route, others, now)
            self._said[key] = now, said
        return said


def said_beside(store: Store, route: Route, document: Mapping[str, object], now: float) -> tuple[str, ...]:
    """What makes the evidence behind a route stale beside its own calls: probes, and a task that took its place."""
    tasks = store.registry.tasks()
    others = successors(route, tasks, edited(route, tasks))
    return (*said_by_probes(document, route), *said_by_silence(store, route, others, now))


def _took_over(store: Store, task_id: str, other: Task, now: float) -> bool:
    began, count = other.created_at, store.call_stream.count
    after = count(task_id, began, now, most=_MOST_COUNTED)
    if after > _MOST_COUNTED * _STILL_COMING:
        return False
    before = count(task_id, 2 * began - now, began, most=_MOST_COUNTED)
    if before < _LEAST_CALLS or after > before * _STILL_COMING:
        return False
    return count(other.id, began, now, most=_MOST_COUNTED) >= max(_LEAST_CALLS, before * _LEAST_SHARE)
