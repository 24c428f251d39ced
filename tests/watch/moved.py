"""A task that was moved, calls of it as a gateway records them, and a watch with a clock of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from made import a_call, a_workspace, answer_body, chat_body, triage_calls

from freehold.model import Call, Route
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls
from freehold.watch.run.monitor import Monitor
from freehold.watch.run.monitor_state import MonitorState, read_kept

RIGHT, WRONG = '{"intent": "refund", "urgency": 1}', '{"intent": "other", "urgency": 9}'
PUT_AT = 1_764_000_000.0


@dataclass
class Moved:
    """One moved task; `now` is the watch's clock, `clock` the time of the next call."""

    workspace: Workspace
    task_id: str
    now: float = PUT_AT + 3600.0
    clock: float = PUT_AT + 1.0
    number: int = 0
    asked: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watching = Monitor(self.workspace, clock=lambda: self.now)

    @property
    def route(self) -> Route:
        return self.workspace.store.registry.route(self.task_id)

    @property
    def kept(self) -> MonitorState:
        kept = read_kept(self.workspace.store.watches.get(self.task_id).document)
        assert kept is not None
        return kept

    def evidence(self, name: str) -> float:
        detector = self.kept.watch.detector(name)
        assert detector is not None
        return detector.evidence

    def put(self, kind: str = "cascade", **changes: Any) -> Route:
        """The next route, as it is put at PUT_AT."""
        task = self.workspace.task(self.task_id)
        values: dict[str, Any] = {
            "task_id": self.task_id,
            "version": self.route.version + 1,
            "kind": kind,
            "model_id": "m1",
            "threshold": 0.5,
            "audit_rate": 0.5,
            "output_kind": "json",
            "template": task.template.to_json(),
            "risk": 0.05,
            "created_at": PUT_AT,
        }
        route = Route(**{**values, **changes})
        self.workspace.store.registry.put_route(route)
        return route

    def local(self, *, audit: str | None = RIGHT, owned: str = RIGHT, is_due: bool = True, **changes: Any) -> Call:
        """A local answer; with what its audit said, None where none came."""
        tags = {"audit_rate": "0.5"} | ({"audit": "due"} if is_due else {})
        values = {"arm": "owned", "provider": "freehold", "response_body": answer_body(owned), "tags": tags}
        call = self._call(**{**values, **changes})
        calls = [call]
        if is_due and audit is not None:
            body = answer_body(audit) if audit else b""
            status = 200 if audit else 503
            calls.append(self._beside(call, arm="audit", response_body=body, status=status, propensity=0.5))
        self.workspace.store.calls.add(calls)
        return call

    def rented(self, *, shadow: str | None = None, shadow_tags: Any = None, tags: Any = None, **changes: Any) -> Call:
        """A provider's answer; with the shadow of it, if there is one."""
        due = {"shadow": "due"} if shadow is not None else {}
        call = self._call(response_body=answer_body(RIGHT), tags={**due, **(tags or {})}, **changes)
        calls = [call]
        if shadow:
            calls.append(self._beside(call, arm="shadow", response_body=answer_body(shadow), tags=shadow_tags or {}))
        self.workspace.store.calls.add(calls)
        return call

    def look(self, times: int = 1) -> None:
        """Look so many times, as far as the route still moves."""
        for _ in range(times):
            self.watching.look()

    def _call(self, **changes: Any) -> Call:
        self.number += 1
        self.clock += 1.0
        values: dict[str, Any] = {
            "created_at": self.clock,
            "task_id": self.task_id,
            "route_version": self.route.version,
            "request_body": chat_body(f"refund of order {self.number} please"),
            "gateway_ms": 1.0,
        }
        return a_call(**{**values, **changes})

    def _beside(self, call: Call, **changes: Any) -> Call:
        values: dict[str, Any] = {
            "parent_id": call.id,
            "created_at": call.created_at + 0.1,
            "task_id": self.task_id,
            "route_version": call.route_version,
            "request_body": call.request_body,
            "tags": {},
        }
        return a_call(**{**values, **changes})


def a_moved_task(folder: Path, **settings: Any) -> Moved:
    """A task in a workspace of its own; no route is put yet."""
    return moved_in(a_workspace(folder, **settings))


def moved_in(workspace: Workspace) -> Moved:
    """A task in this workspace."""
    workspace.store.calls.add(triage_calls(60))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    return Moved(workspace, task.id)


def plain(value: object) -> object:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[Moved]:
    """A task that was moved, its store open."""
    moved = a_moved_task(tmp_path)
    yield moved
    moved.workspace.store.close()
