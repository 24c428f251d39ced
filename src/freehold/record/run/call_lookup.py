"""Looking at the record: the calls that a person asks for, and what their answers should have been."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from msgspec import structs

from freehold.dialects import provider_fields
from freehold.errors import NotFoundError, UsageError
from freehold.model import Call
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import SET_ASIDE
from freehold.store import CallFilter
from freehold.text.output_kind import is_json
from freehold.text.read_call import read_call

__all__ = [
    "CallFilter",
    "CallView",
    "correct_call",
    "count_calls",
    "feedback_on",
    "find_call",
    "find_calls",
    "rate_call",
]


@dataclass(frozen=True, slots=True)
class CallView:
    """A call with the name of its task; None while it has none."""

    call: Call
    task: str | None

    @property
    def is_set_aside(self) -> bool:
        """Whether it has none because sorting it took too long."""
        return self.call.task_id == SET_ASIDE

    @property
    def answer(self) -> str:
        """The answer on one line, or what went wrong."""
        return self.call.error or " ".join(read_call(self.call).answer_text.split())

    def plain(self) -> dict[str, object]:
        """The view as JSON-able values; bodies as text, `provider_fields` what makes the call the provider's."""
        bodies = {"request_body": _text(self.call.request_body), "response_body": _text(self.call.response_body)}
        left = ", ".join(provider_fields(self.call.dialect, self.call.request_body))
        told = {name: value for name, value in structs.asdict(self.call).items() if name != "coins"}
        own = {"tags": self.call.all_tags, "task": self.task, "provider_fields": left}
        return told | bodies | own


@dataclass(frozen=True, slots=True)
class Correction:
    """A call that was corrected; `is_odd` holds where its task answers in JSON and the correction is none."""

    call: Call
    is_odd: bool


def find_calls(workspace: Workspace, chosen: CallFilter) -> Iterator[CallView]:
    """The calls that pass the filter."""
    names = _names(workspace)
    for call in workspace.store.calls.stream(chosen):
        yield CallView(call, names.get(call.task_id or ""))


def count_calls(workspace: Workspace, chosen: CallFilter) -> int:
    """How many calls pass the filter; its limit does not count."""
    return workspace.store.calls.count(chosen)


def find_call(workspace: Workspace, call_id: str) -> CallView:
    """The call with this id, or the only one whose id begins or ends so; NotFoundError when there is none."""
    call = workspace.store.calls.get(call_id)
    if call is None:
        raise NotFoundError(f"There is no single call {call_id!r}.", hint="Its id stands in: freehold calls")
    return CallView(call, _names(workspace).get(call.task_id or ""))


def feedback_on(workspace: Workspace, call: Call) -> list[dict[str, object]]:
    """All feedback on a call, oldest first."""
    return [asdict(feedback) for feedback in workspace.store.calls.feedback_of(call.id)]


def correct_call(workspace: Workspace, call_id: str, answer: str) -> Correction:
    """Keep what the answer to a call should have been; UsageError when that is nothing."""
    if not answer.strip():
        raise UsageError("The correction is empty.", hint="Give the wanted answer as an argument or on stdin.")
    call = find_call(workspace, call_id).call
    workspace.store.calls.add_feedback(call.id, "correction", answer.strip(), time.time())
    kind = next((task.kind for task in workspace.store.registry.tasks() if task.id == call.task_id), None)
    return Correction(call, is_odd=kind == "json" and not is_json(answer))


def rate_call(workspace: Workspace, call_id: str, *, is_good: bool) -> Call:
    """Keep whether the answer to a call was good."""
    call = find_call(workspace, call_id).call
    workspace.store.calls.add_feedback(call.id, "boolean", "true" if is_good else "false", time.time())
    return call


def _names(workspace: Workspace) -> dict[str, str]:
    return workspace.store.registry.names()


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
