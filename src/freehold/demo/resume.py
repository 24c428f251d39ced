"""What both the demo and the benchmark do around the pipeline, so that either can be stopped and goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from freehold.demo.traffic import CONCURRENCY, Reply, Request, send_all
from freehold.dialects import read_request
from freehold.errors import DataError, StateError
from freehold.freeze.run.freeze import preparation_of
from freehold.model import Example, OwnedAnswer
from freehold.model.ids import canonical_json
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.runs import freeze_task
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.prove import ask_model
from freehold.record.run.journal import catch_up
from freehold.store import CallFilter, DatasetRow

LONGEST_STALL_S = 600.0


def send_missing(
    workspace: Workspace,
    base_url: str,
    requests: Sequence[Request],
    *,
    part: str,
    report: Reporter,
    concurrency: int = CONCURRENCY,
) -> list[Reply]:
    """Send the requests of `part` that the record has no whole answer for; returns the new replies.

    When it returns, the record holds every call that was answered, however long that took.
    """
    wait_until_recorded(workspace, report)
    calls = workspace.store.calls.stream(CallFilter(is_failed=False))
    done = {call.tags.get("row") for call in calls if call.tags.get("part") == part and call.parent_id is None}
    missing = [request for request in requests if request.row not in done]
    skipped = len(requests) - len(missing)

    def on_progress(count: int, _total: int) -> None:
        report(Progress(stage="traffic", done=skipped + count, total=len(requests), note="calls through the gateway"))

    replies = send_all(base_url, missing, part=part, on_progress=on_progress, concurrency=concurrency)
    wait_until_recorded(workspace, report)
    return replies


def wait_until_recorded(workspace: Workspace, report: Reporter, *, stall_s: float = LONGEST_STALL_S) -> None:
    """Wait until every answered call is in the record; StateError when none comes for `stall_s` seconds.

    On a busy machine the record is minutes behind the answers. A dataset that was made meanwhile would be of fewer
    calls: what came of it would depend on how busy the machine is.
    """
    waiting, since = catch_up(workspace), time.monotonic()
    while waiting.calls or waiting.size_bytes:
        report(Progress(stage="record", note=f"{waiting.calls:,} answered calls are still to be recorded"))
        before, waiting = waiting, catch_up(workspace)
        if waiting.calls < before.calls:
            since = time.monotonic()
        elif time.monotonic() - since > stall_s:
            raise StateError(
                f"{waiting.calls:,} answered calls are not recorded: {waiting.problem or 'nothing delivers them'}.",
                hint="Mend that, then give the same command again: it goes on from here.",
            )


def freeze_before(workspace: Workspace, task_name: str, report: Reporter) -> DatasetRow:
    """Freeze the task, but not again once traffic of the part `after` has come: nobody trains on what comes after."""
    task = workspace.task(task_name)
    calls = workspace.store.calls.stream(CallFilter(task_id=task.id, newest_first=True))
    if any(call.tags.get("part") == "after" for call in calls):
        return workspace.dataset(task)
    return freeze_task(workspace, task_name, report)


def owned_answers(
    workspace: Workspace, task_name: str, model_id: str, requests: Sequence[Request], report: Reporter
) -> list[OwnedAnswer]:
    """What the owned model answers to the requests, asked directly; DataError when one does not fit the task."""
    task = workspace.task(task_name)
    prepared = preparation_of(workspace.dataset(task))
    examples = []
    for request in requests:
        asked = read_request("openai-chat", canonical_json(request.arguments).encode())
        messages = prepared.messages(asked)
        if messages is None:
            raise DataError(f"Row {request.row!r} does not fit task {task.name!r}.", hint="Give the same --prompt.")
        examples.append(
            Example(
                id=request.row,
                messages=messages,
                target=request.gold,
                incumbent=request.gold,
                source="import",
                group=request.row,
                created_at=0.0,
            )
        )
    return ask_model(workspace, task, workspace.model(task, model_id), examples, report)
