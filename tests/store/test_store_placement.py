"""Calls written with a task while that task changes: they follow it, or are left to the sorter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from made import a_call

from freehold.model.task import Task
from freehold.store import CallFilter, Placement, Store

ROUNDS = 25


def test_no_call_is_left_with_a_task_that_is_gone(store: Store) -> None:
    """One thread writes calls of a task, another retires that task into a second one; whoever comes first."""
    for number in range(ROUNDS):
        old, new = (Task(id=name, name=name, key=name) for name in (f"old{number}", f"new{number}"))
        store.registry.put_tasks([old, new])
        changed_at = {task.id: at for task, at in store.registry.dated_tasks()}[old.id]
        calls = [a_call(task_id=old.id) for _ in range(20)]
        write = partial(store.calls.add, calls, [Placement(old.id, changed_at, [call.id for call in calls])])
        retire = partial(store.registry.put_tasks, [new], {old.id: new.id})
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(work) for work in (write, retire)]:
                done.result()
        assert store.calls.count(CallFilter(task_id=old.id)) == 0
        assert store.calls.count(CallFilter(task_id=new.id)) in (0, 20)
