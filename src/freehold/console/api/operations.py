"""What the admin API can do: one function for each operation, and one table of them all.

The endpoints and the OpenAPI document are both made from the table, so neither can say what the other does not. Least
power: programs read, tell feedback, and return a task to the provider. Moving traffic to an owned model, making keys
and settings are left to the command line. Not covered: HTTP (`console.api.endpoint`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from freehold import __version__
from freehold.console.api import models as m
from freehold.errors import NotFoundError
from freehold.model import Call, Route, Verdict
from freehold.model.task import Task
from freehold.ops.keys import key_views
from freehold.pipeline.overview import TaskOverview, overview_of, overview_page
from freehold.pipeline.workspace import Workspace
from freehold.record.run.call_lookup import CallFilter, CallView, find_call, find_calls
from freehold.route.run.move import return_all

_LATE_S = 2.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: the names in its path, its parameters, its body, and the key that let it in from elsewhere."""

    names: Mapping[str, str]
    query: Any
    body: Any
    key_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation; `errors` are the statuses, beside 400 and 403, with which it can fail.

    `is_open` says that callers elsewhere may use it too, with a gateway key.
    """

    name: str
    method: str
    path: str
    summary: str
    run: Callable[[Workspace, Asked], Any]
    gives: Any
    query: Any = m.Nothing
    body: Any = None
    status: int = 200
    errors: tuple[int, ...] = ()
    is_open: bool = False
    examples: Mapping[str, Any] = field(default_factory=dict)


def _version(_workspace: Workspace, _asked: Asked) -> m.Health:
    return m.Health(version=__version__)


def _tasks(workspace: Workspace, asked: Asked) -> m.Tasks:
    query: m.TasksAsked = asked.query
    found = overview_page(workspace, number=query.page, size=query.limit)
    is_there = found.number == query.page
    next_page = found.number + 1 if is_there and found.number < found.pages else None
    return m.Tasks(tasks=[_task_view(view) for view in found.views] if is_there else [], next=next_page)


def _task(workspace: Workspace, asked: Asked) -> m.TaskView:
    return _task_view(overview_of(workspace, _named(workspace, asked)))


def _verdicts(workspace: Workspace, asked: Asked) -> m.Verdicts:
    task = _named(workspace, asked)
    return m.Verdicts(
        verdicts=[_verdict_view(verdict, task.name) for verdict in workspace.store.registry.verdicts(task.id)]
    )


def _routes(workspace: Workspace, asked: Asked) -> m.Routes:
    task = _named(workspace, asked)
    return m.Routes(routes=[_route_view(route, task.name) for route in workspace.store.registry.route_history(task.id)])


def _back(workspace: Workspace, asked: Asked) -> m.RouteView:
    task = _named(workspace, asked)
    return _route_view(return_all(workspace, task.id, reason=asked.body.reason, decided_by="api"), task.name)


def _keys(workspace: Workspace, _asked: Asked) -> m.Keys:
    names = m.KeyView.__struct_fields__
    plain = [view.plain() for view in key_views(workspace)]
    return m.Keys(keys=[msgspec.convert({name: view[name] for name in names}, m.KeyView) for view in plain])


def _calls(workspace: Workspace, asked: Asked) -> m.Calls:
    query: m.CallsAsked = asked.query
    chosen = CallFilter(
        task_id=workspace.task(query.task).id if query.task else None,
        arm=query.arm,
        model=query.model,
        provider=query.provider,
        user_key=query.user,
        session_key=query.session,
        is_failed=None if query.outcome is None else query.outcome == "failed",
        since=query.since,
        before=query.before,
        limit=query.limit + 1,
        newest_first=True,
    )
    found = [_summary(view) for view in find_calls(workspace, chosen)]
    page = found[: query.limit]
    return m.Calls(calls=page, next=page[-1].id if len(found) > query.limit else None)


def _call(workspace: Workspace, asked: Asked) -> m.CallDetail:
    view = find_call(workspace, asked.names["call"])
    plain = view.plain()
    told = workspace.store.calls.feedback_of(view.call.id)
    return m.CallDetail(
        call=_summary(view),
        request_body=str(plain["request_body"]),
        response_body=str(plain["response_body"]),
        feedback=[m.FeedbackView(id=f.id, created_at=f.created_at, kind=f.kind, value=f.value) for f in told],
    )


def _tell(workspace: Workspace, asked: Asked) -> m.Kept:
    call = _recorded(workspace, asked.names["call"])
    if asked.key_id is not None and call.key_id != asked.key_id:
        raise _no_call(asked.names["call"])  # whether others made such a call is none of this caller's business
    match asked.body:
        case m.Rating(value=value):
            kind, text = "boolean", "true" if value else "false"
        case m.Number(value=value):
            kind, text = "number", repr(value)
        case m.Comment(value=value):
            kind, text = "comment", value
        case _:
            kind, text = "correction", asked.body.value.strip()
    return m.Kept(id=workspace.store.calls.add_feedback(call.id, kind, text, time.time()), call_id=call.id)


def _recorded(workspace: Workspace, call_id: str) -> Call:
    """The call of exactly this id; one that has just ended may need a moment to arrive in the record."""
    deadline = time.monotonic() + _LATE_S
    while (call := workspace.store.calls.get(call_id)) is None or call.id != call_id:
        if time.monotonic() > deadline:
            raise _no_call(call_id)
        time.sleep(_POLL_S)
    return call


def _no_call(call_id: str) -> NotFoundError:
    return NotFoundError(f"There is no call {call_id!r}.", hint="Its id is in the response header freehold-call-id.")


def _named(workspace: Workspace, asked: Asked) -> Task:
    return workspace.task(asked.names["task"])


def _task_view(view: TaskOverview) -> m.TaskView:
    return m.TaskView(
        id=view.task.id,
        name=view.name,
        kind=view.kind,
        calls=view.figures.calls,
        cost_usd=view.figures.cost_usd,
        dataset=view.dataset.id if view.dataset else None,
        model=view.model.id if view.model else None,
        verdict_id=view.verdict.id if view.verdict else None,
        verdict=view.verdict.words if view.verdict else None,
        route=view.route.kind,
        route_version=view.route.version,
        next=view.next_step,
    )


def _verdict_view(verdict: Verdict, task: str) -> m.VerdictView:
    return m.VerdictView(
        id=verdict.id,
        task=task,
        model=verdict.model_id,
        dataset=verdict.dataset_hash,
        decision=verdict.decision,
        words=verdict.words,
        need=verdict.need,
        threshold=verdict.threshold,
        coverage=verdict.coverage,
        risk=verdict.risk,
        margin=verdict.margin,
        created_at=verdict.created_at,
        report=f"/reports/{verdict.id}",
    )


def _route_view(route: Route, task: str) -> m.RouteView:
    return m.RouteView(
        task=task,
        version=route.version,
        kind=route.kind,
        model=route.model_id,
        verdict=route.verdict_id,
        threshold=route.threshold,
        audit_rate=route.audit_rate,
        decided_by=route.decided_by,
        reason=route.reason,
        created_at=route.created_at,
    )


def _summary(view: CallView) -> m.CallSummary:
    names = m.CallSummary.__struct_fields__
    told = {name: getattr(view.call, name) for name in names if name not in ("task", "tags")}
    return m.CallSummary(task=view.task, tags=view.call.all_tags, **told)


OPERATIONS = (
    Operation(
        name="version", method="GET", path="/version", summary="Which version answers", run=_version, gives=m.Health
    ),
    Operation(
        name="tasks",
        method="GET",
        path="/tasks",
        summary="The tasks, page by page",
        run=_tasks,
        gives=m.Tasks,
        query=m.TasksAsked,
    ),
    Operation(
        name="task",
        method="GET",
        path="/tasks/{task}",
        summary="One task, by name or id",
        run=_task,
        gives=m.TaskView,
        errors=(404,),
    ),
    Operation(
        name="verdicts",
        method="GET",
        path="/tasks/{task}/verdicts",
        summary="What was proven of a task",
        run=_verdicts,
        gives=m.Verdicts,
        errors=(404,),
    ),
    Operation(
        name="routes",
        method="GET",
        path="/tasks/{task}/routes",
        summary="Where a task's traffic went, and why",
        run=_routes,
        gives=m.Routes,
        errors=(404,),
    ),
    Operation(
        name="back",
        method="POST",
        path="/tasks/{task}/back",
        summary="Return a task's traffic to the provider at once",
        run=_back,
        gives=m.RouteView,
        body=m.Back,
        errors=(404, 409, 413, 415),
    ),
    Operation(name="keys", method="GET", path="/keys", summary="Gateway keys and their use", run=_keys, gives=m.Keys),
    Operation(
        name="calls",
        method="GET",
        path="/calls",
        summary="Recorded calls, newest first",
        run=_calls,
        gives=m.Calls,
        query=m.CallsAsked,
        errors=(404,),
    ),
    Operation(
        name="call",
        method="GET",
        path="/calls/{call}",
        summary="One call whole",
        run=_call,
        gives=m.CallDetail,
        errors=(404,),
    ),
    Operation(
        name="tell",
        method="POST",
        path="/calls/{call}/feedback",
        summary="Tell what an answer was worth",
        run=_tell,
        gives=m.Kept,
        body=m.NewFeedback,
        status=201,
        errors=(401, 404, 413, 415, 429),
        is_open=True,
    ),
)
