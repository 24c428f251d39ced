"""Sorting as the loop drives it: batch after batch, loose tasks' calls again, and a look back at settled ones'."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.model.task import Task
from freehold.sort import Reading, sort_calls


class Driver:
    """Sorts batches; `known` are the tasks by id, `where` each call's task."""

    def __init__(self, settled: Sequence[str] = ()) -> None:
        self.known: dict[str, Task] = {}
        self.where: dict[str, str] = {}
        self._seen: dict[str, Reading] = {}
        self.settled = set(settled)

    def sort(self, calls: Sequence[Reading], size: int = 1000) -> None:
        """Sort these calls, so many at a time."""
        for start in range(0, len(calls), size):
            batch = calls[start : start + size]
            self._seen |= {call.call_id: call for call in batch}
            again = [self._seen[call] for call, task in self.where.items() if self.known[task].is_loose]
            done = sort_calls(
                [*batch, *again], list(self.known.values()), settled=self.settled, look_back=self._look_back
            )
            self.known |= {task.id: task for task in (*done.new_tasks, *done.changed_tasks)}
            self.where |= done.assigned
            for old, new in done.retired.items():
                self.known.pop(old)
                self.where = {call: new if task == old else task for call, task in self.where.items()}

    def _look_back(self, task: Task) -> Sequence[Reading]:
        return [self._seen[call] for call, at in self.where.items() if at == task.id][-200:]

    def tasks_of(self, calls: Sequence[Reading]) -> set[str]:
        """The ids of the tasks that these calls belong to."""
        return {self.where[call.call_id] for call in calls}
