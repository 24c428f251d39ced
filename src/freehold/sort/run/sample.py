"""Looks at some of a task's newest calls: how many could be learnt from, so that nobody is promised what will not come.

Not covered: what is frozen (`freeze.run.freeze`), which looks at all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.sort import Sample
from freehold.store import CallFilter
from freehold.text.read_call import read_call
from freehold.text.target import habits_of, why_no_target

_MOST_CALLS = 24
_MOST_BYTES = 8 * 2**20


def sample_calls(workspace: Workspace, task: Task) -> Sample:
    """The newest calls that the provider answered, as many as are read quickly."""
    told = []
    size_bytes = 0
    wanted = CallFilter(task_id=task.id, arm="rented", is_direct=True, is_failed=False, limit=_MOST_CALLS)
    for call in workspace.store.calls.stream(replace(wanted, newest_first=True)):
        read = read_call(call)
        size_bytes += len(call.request_body) + len(call.response_body)
        if read.asked is not None:
            told.append((read.asked, read.answer))
        if size_bytes > _MOST_BYTES:
            break
    habits = habits_of(told)
    reasons = Counter(
        "not_plain" if not asked.is_plain else why_no_target(asked, answer, habits) or "" for asked, answer in told
    )
    usable = reasons.pop("", 0)
    return Sample(calls=len(told), usable=usable, reason=max(reasons, key=lambda name: reasons[name], default=""))
