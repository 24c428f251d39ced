"""Sort: give every new call its task, and keep the tasks' templates up to date.

Runs in `freehold up` every few seconds and before every command that shows tasks, one at a time. Calls that can belong
to no task (a list of models, a body that is not JSON) are marked as sorted with NO_TASK.

The work has a limit of CPU time: `record.sort_s` for a call, and a little for each other one beside it. Where that is
not enough the calls are sorted half by half, until the one that takes so long is alone: it is set aside (SET_ASIDE),
and nobody tries it again unasked. Not covered: telling so (`sort.run.loose_calls`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from msgspec import structs

from freehold.errors import BusyError
from freehold.model.call import Call
from freehold.model.tags import TASK_TAG
from freehold.model.task import Task
from freehold.pipeline.locks import in_turn
from freehold.pipeline.workspace import Workspace
from freehold.sort import Reading, TaskIndex, sort_calls
from freehold.store import CallFilter
from freehold.text.effort import TooLongError, effort
from freehold.text.read_call import ReadCall, read_call
from freehold.text.target import whole_text

NO_TASK = "-"
SET_ASIDE = "!"
"""What stands for the task of a call whose sorting took too long."""
_CALLS_PER_ROUND = 5000
_BYTES_PER_ROUND = 64 * 2**20
_CALLS_PER_WRITE = 200
"""The sorter has the lowest priority: while it writes, the delivery of new calls waits for it."""
_LOOSE_CALLS_READ = 2000
_CALLS_LOOKED_BACK = 200
_LOOK_BACK_S = 60.0
"""Calls that were recorded with their task so long before those that part it are sorted again."""
_EFFORT_BESIDE_S = 0.005
"""CPU seconds that each call adds to the limit of those that are sorted together."""
_LOG = logging.getLogger("freehold.up")


def sort_new_calls(workspace: Workspace, *, most_s: float = math.inf) -> int:
    """Sort all calls that have no task yet, or as many as it begins with in `most_s`; returns how many there were."""
    sorted_calls = 0
    deadline = time.monotonic() + most_s
    while _is_work_waiting(workspace) and time.monotonic() < deadline:
        with ExitStack() as turn:
            try:
                turn.enter_context(
                    in_turn(workspace.folder("locks") / "sort.lock", patience_s=deadline - time.monotonic())
                )
            except BusyError:  # another process sorts, slowly on a busy machine
                break
            fresh = _read_some(workspace.store.calls.stream(CallFilter(is_sorted_out=False, limit=_CALLS_PER_ROUND)))
            sorted_calls += _sort_in_parts(workspace, fresh, deadline)
    return sorted_calls


def try_again(workspace: Workspace) -> int:
    """Let the calls that were set aside be sorted once more; returns how many there are."""
    found = [call.id for call in workspace.store.calls.stream(CallFilter(task_id=SET_ASIDE))]
    workspace.store.calls.assign(dict.fromkeys(found))
    return len(found)


def _read_some(calls: Iterator[Call]) -> list[ReadCall]:
    """Read calls until their bodies are too much for the memory; the bodies themselves are let go."""
    some: list[ReadCall] = []
    size_bytes = 0
    for call in calls:
        size_bytes += len(call.request_body) + len(call.response_body)
        read = read_call(call)
        some.append(structs.replace(read, call=structs.replace(call, request_body=b"", response_body=b"")))
        if size_bytes > _BYTES_PER_ROUND:
            break
    return some


def _is_work_waiting(workspace: Workspace) -> bool:
    return bool(workspace.store.calls.find(CallFilter(is_sorted_out=False, limit=1)))


def _sort_in_parts(workspace: Workspace, fresh: Sequence[ReadCall], deadline: float) -> int:
    """Sort these calls, half by half where all at once take too long; returns how many were done by the deadline."""
    limit_s = workspace.settings.number("record.sort_s")
    known = workspace.store.registry.tasks()
    slow = [read for read in fresh if read.effort_s > limit_s]
    _set_aside(workspace, slow, limit_s)
    waiting = [([read for read in fresh if read.effort_s <= limit_s], _read_some(_loose_calls(workspace, known)))]
    done = len(slow)
    while waiting and (time.monotonic() < deadline or not done):
        part, earlier = waiting.pop()
        try:
            with effort(limit_s + _EFFORT_BESIDE_S * (len(part) + len(earlier))):
                _sort(workspace, part, earlier)
        except TooLongError:
            if len(part) > 1 or earlier:
                waiting += _halves(part, earlier)
                continue
            _set_aside(workspace, part, limit_s)
        done += len(part)
    return done


def _halves(fresh: list[ReadCall], earlier: list[ReadCall]) -> list[tuple[list[ReadCall], list[ReadCall]]]:
    """Both halves, the later one first, each with the newest of the earlier calls; one new call is tried alone."""
    if len(fresh) < 2:
        return [(fresh, [])]
    middle, newest = len(fresh) // 2, earlier[(len(earlier) + 1) // 2 :]
    return [(fresh[middle:], newest), (fresh[:middle], newest)]


def _set_aside(workspace: Workspace, reads: Sequence[ReadCall], limit_s: float) -> None:
    for read in reads:
        _LOG.warning(
            "Call %s is set aside: sorting it takes more CPU time than record.sort_s = %g s.", read.call.id, limit_s
        )
    workspace.store.calls.assign({read.call.id: SET_ASIDE for read in reads})


def _sort(workspace: Workspace, fresh: Sequence[ReadCall], earlier: Sequence[ReadCall]) -> None:
    book, calls = workspace.store.registry, workspace.store.calls
    known = book.tasks()
    outcome = sort_calls(
        _answered(earlier) + _answered(fresh),
        known,
        settled={task.id for task in known if book.models(task.id) or book.datasets(task.id)},
        look_back=_LookBack(workspace, min((read.call.id for read in fresh), default=None)),
    )
    since = min((read.call.created_at for read in fresh), default=math.inf) - _LOOK_BACK_S
    resort = dict.fromkeys(outcome.parted, since) if outcome.new_tasks else {}  # a new task each time: this ends
    book.put_tasks((*outcome.new_tasks, *outcome.changed_tasks), outcome.retired, resort)
    tasks = {read.call.id: NO_TASK for read in fresh} | _failed(fresh, TaskIndex(book.tasks())) | outcome.assigned
    pairs = list(tasks.items())
    for start in range(0, len(pairs), _CALLS_PER_WRITE):
        calls.assign(dict(pairs[start : start + _CALLS_PER_WRITE]))


class _LookBack:
    """The newest calls of a task from before those that are sorted, read when they are first asked for.

    Later ones were recorded with their task, and nobody looked at them.
    """

    def __init__(self, workspace: Workspace, before: str | None) -> None:
        self._workspace = workspace
        self._before = before
        self._found: dict[str, list[Reading]] = {}

    def __call__(self, task: Task) -> Sequence[Reading]:
        """Oldest first."""
        if task.id not in self._found:
            wanted = CallFilter(
                task_id=task.id, is_direct=True, before=self._before, limit=_CALLS_LOOKED_BACK, newest_first=True
            )
            found = _read_some(self._workspace.store.calls.stream(wanted))
            if not found:  # calls of long ago are sorted again
                found = _read_some(self._workspace.store.calls.stream(replace(wanted, before=None)))
            self._found[task.id] = _answered(found)[::-1]
        return self._found[task.id]


def _answered(reads: Sequence[ReadCall]) -> list[Reading]:
    return [reading for read in reads if read.is_answered and (reading := _reading(read)) is not None]


def _failed(fresh: Sequence[ReadCall], index: TaskIndex) -> dict[str, str]:
    """Where failed calls belong: to a task that is known by now; they make none of their own."""
    found: dict[str, str] = {}
    for read in fresh:
        if read.asked is not None and not read.is_answered:
            task = index.find(read.asked, read.call.tags.get(TASK_TAG))
            if task is not None:
                found[read.call.id] = task.id
    return found


def _loose_calls(workspace: Workspace, known: Sequence[Task]) -> Iterator[Call]:
    for task in known:
        if task.is_loose:
            wanted = CallFilter(task_id=task.id, is_direct=True, limit=_LOOSE_CALLS_READ, newest_first=True)
            yield from workspace.store.calls.stream(wanted)


def _reading(read: ReadCall) -> Reading | None:
    if read.asked is None:
        return None
    return Reading(
        call_id=read.call.id,
        asked=read.asked,
        answer=structs.replace(read.answer, text=whole_text(read.asked, read.answer)) if read.is_answered else None,
        explicit_name=read.call.tags.get(TASK_TAG),
        created_at=read.call.created_at,
    )
