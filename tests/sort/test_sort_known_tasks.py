"""Calls of known tasks are recorded with their task, and all others are left to the sorter."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import BEGAN_AT, a_call, a_workspace, answer_body, chat_body, triage_calls
from msgspec import structs

from freehold.model import Call
from freehold.model.task import Task, versions_of
from freehold.pipeline.workspace import Workspace
from freehold.sort.run import known_tasks
from freehold.sort.run import sort as sort_stage
from freehold.sort.run.known_tasks import LOOK_CALLS, LOOK_S, KnownTasks
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter, Store
from freehold.text.effort import TooLongError
from freehold.text.read_call import read_call

LATER = 10_000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _sorted(folder: Path) -> tuple[Workspace, Task]:
    """A workspace with one settled task."""
    workspace = a_workspace(folder)
    workspace.store.calls.add(triage_calls(60))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    return workspace, task


def _recording(workspace: Workspace, clock: Clock | None = None) -> KnownTasks:
    return KnownTasks(lambda: workspace.store, clock or Clock())


def _record(known: KnownTasks, calls: list[Call]) -> list[Call]:
    """The calls as they are in the record now."""
    known.record([read_call(call) for call in calls])
    kept = {call.id: call for call in known._store().calls.stream(CallFilter())}
    return [kept[call.id] for call in calls]


def _waiting(store: Store) -> int:
    return store.calls.count(CallFilter(is_sorted_out=False))


def _more(count: int, **changes: Any) -> list[Call]:
    return triage_calls(LATER + count, **changes)[LATER:]


def test_the_sorter_looks_at_some_calls_of_a_task_and_the_others_come_with_it(tmp_path: Path) -> None:
    workspace, task = _sorted(tmp_path)
    written = _record(_recording(workspace), _more(LOOK_CALLS + 40))
    assert [call.task_id for call in written] == [None] * LOOK_CALLS + [task.id] * 40
    assert _waiting(workspace.store) == LOOK_CALLS
    assert sort_new_calls(workspace) == LOOK_CALLS
    assert workspace.store.calls.count(CallFilter(task_id=task.id)) == 60 + LOOK_CALLS + 40


def test_the_sorter_looks_again_when_some_time_has_passed(tmp_path: Path) -> None:
    workspace, task = _sorted(tmp_path)
    clock = Clock()
    known = _recording(workspace, clock)
    calls = _more(LOOK_CALLS + 4)
    _record(known, calls[:LOOK_CALLS])
    assert [call.task_id for call in _record(known, calls[LOOK_CALLS : LOOK_CALLS + 2])] == [task.id] * 2
    clock.now_s = LOOK_S
    assert [call.task_id for call in _record(known, calls[LOOK_CALLS + 2 :])] == [None] * 2


def test_what_may_tell_the_sorter_something_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tasks, "LOOK_CALLS", 0)
    workspace, task = _sorted(tmp_path)
    (plain,) = _more(1)
    left = {
        "failed": a_call(request_body=plain.request_body, status=500),
        "cut off": a_call(request_body=plain.request_body, error="cut_off"),
        "an audit": a_call(request_body=plain.request_body, parent_id=plain.id),
        "another prompt": a_call(request_body=chat_body("refund", "Name the city."), response_body=answer_body("Oslo")),
        "no JSON": a_call(request_body=b"{", response_body=b""),
        "another path": a_call(dialect="other", method="GET", path="/v1/models", request_body=b""),
        "a name that nobody has": a_call(request_body=plain.request_body, tags={"freehold-task": "new"}),
    }
    written = dict(zip(left, _record(_recording(workspace), list(left.values())), strict=True))
    assert {what: call.task_id for what, call in written.items()} == dict.fromkeys(left)
    assert [call.task_id for call in _record(_recording(workspace), [plain])] == [task.id]


def test_calls_of_an_unsettled_task_are_left_to_the_sorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tasks, "LOOK_CALLS", 0)
    workspace, task = _sorted(tmp_path)
    (first,) = versions_of(task)
    young = replace(task, versions=(first, replace(first, number=2, is_young=True)))
    for unsettled in (replace(task, is_loose=True), young):
        workspace.store.registry.put_tasks([unsettled])
        assert [call.task_id for call in _record(_recording(workspace), _more(3))] == [None] * 3


def test_a_call_that_came_with_its_task_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tasks, "LOOK_CALLS", 0)
    workspace, _ = _sorted(tmp_path)
    assert [call.task_id for call in _record(_recording(workspace), _more(2, task_id="moved"))] == ["moved"] * 2


def test_calls_of_a_task_that_changed_meanwhile_are_left_to_the_sorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_tasks, "LOOK_CALLS", 0)
    workspace, task = _sorted(tmp_path)
    known = _recording(workspace)
    first, second, third = _more(3)
    _record(known, [first])
    workspace.store.registry.put_tasks([replace(task, name="renamed")])
    _record(known, [second])
    workspace.store.registry.put_tasks([], {task.id: "other"})
    _record(known, [third])
    assert [workspace.store.calls.get(call.id).task_id for call in (first, second, third)] == ["other", None, None]  # type: ignore[union-attr]


def test_what_a_batch_needs_too_much_time_for_is_left_to_the_sorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_tasks, "LOOK_CALLS", 0)
    workspace, task = _sorted(tmp_path)
    find, asked = known_tasks.TaskIndex.find, []

    def slow(*arguments: Any) -> Task | None:
        asked.append(1)
        if len(asked) == 3:
            raise TooLongError("The work took more CPU time than it may.", hint="Give it less at once.")
        return find(*arguments)

    monkeypatch.setattr(known_tasks.TaskIndex, "find", slow)
    assert [call.task_id for call in _record(_recording(workspace), _more(5))] == [task.id] * 2 + [None] * 3


def test_calls_are_recorded_though_finding_their_task_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, _ = _sorted(tmp_path)
    monkeypatch.setattr(known_tasks.TaskIndex, "find", lambda *_: json.loads("{"))
    written = _record(_recording(workspace), _more(3))
    assert [call.task_id for call in written] == [None] * 3
    assert workspace.store.calls.count(CallFilter()) == 63


def test_a_busy_task_is_sorted_as_a_quiet_one_is(tmp_path: Path) -> None:
    """Whether the sorter reads all calls or some: the same tasks, the same kinds, the same prompts."""
    quiet, busy = a_workspace(tmp_path / "quiet"), a_workspace(tmp_path / "busy")
    calls = [*triage_calls(200), *(_feature(number) for number in range(900))]
    for workspace in (quiet, busy):
        workspace.store.calls.add(calls[:200])
        sort_new_calls(workspace)
    quiet.store.calls.add(calls[200:])
    sort_new_calls(quiet)
    clock = Clock()
    known = _recording(busy, clock)
    for start in range(200, len(calls), 300):
        _record(known, calls[start : start + 300])
        sort_new_calls(busy)
        clock.now_s += LOOK_S

    def shape(workspace: Workspace) -> list[tuple[str, str, int]]:
        tasks = workspace.store.registry.tasks()
        return sorted((t.name, t.kind, workspace.store.calls.count(CallFilter(task_id=t.id))) for t in tasks)

    assert shape(busy) == shape(quiet)


def _feature(number: int) -> Call:
    """A call of the same shop under another prompt, answered with a label."""
    label = ("red", "green", "blue")[number % 3]
    text = f"paint number {number * 7919 % 100_003}"
    system = "Name the colour of this paint with one word, in lower case."
    return a_call(request_body=chat_body(text, system), response_body=answer_body(label))


SHOP = "You work for a shop of bicycles. Be polite, exact and brief. Never promise refunds. Prices are in euros."
WORDS = ("brakes", "saddle", "chain", "bell", "lamp", "tyre", "pump", "wheel", "spokes", "lock", "basket", "pedal")


def _words(number: int, count: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=count))


def _chat(number: int) -> Call:
    request = chat_body(f"{_words(number, 4).capitalize()}?", SHOP)
    answer = answer_body(f"That depends on the {_words(number * 5, 12)}.")
    return a_call(created_at=BEGAN_AT + number, request_body=request, response_body=answer)


def _topic(number: int) -> Call:
    """Another feature of the shop under the same prompt."""
    text = f"Name the topic of this message with one word.\nMessage: {_words(number, 9)}"
    answer = answer_body(("repair", "delay", "order", "other")[number % 4])
    return a_call(created_at=BEGAN_AT + number, request_body=chat_body(text, SHOP), response_body=answer)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_feature_that_begins_in_a_burst_is_parted_as_in_a_quiet_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """Half of a burst is another feature; what was recorded with the old task meanwhile is sorted again."""
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add([_chat(number) for number in range(150)])
    sort_new_calls(workspace)
    (old,) = workspace.store.registry.tasks()
    known = _recording(workspace)
    burst = [_chat(1000 + n) if n % 2 else _topic(1000 + n) for n in range(500)]
    first = burst[: LOOK_CALLS + 2] if is_late else burst
    _record(known, first)
    sort_calls = sort_stage.sort_calls

    def with_more(*arguments: Any, **named: Any) -> Any:
        """Sort, while the rest of the burst is recorded."""
        monkeypatch.setattr(sort_stage, "sort_calls", sort_calls)
        found = sort_calls(*arguments, **named)
        _record(known, burst[len(first) :])
        return found

    monkeypatch.setattr(sort_stage, "sort_calls", with_more)
    sort_new_calls(workspace)
    task_of = {call.id: workspace.store.calls.get(call.id).task_id for call in burst}  # type: ignore[union-attr]
    assert {task_of[call.id] for call in burst[1::2]} == {old.id}
    (topics,) = {task_of[call.id] for call in burst[::2]}
    assert topics != old.id


def test_a_prompt_that_is_rolled_out_in_a_burst_is_a_version_and_no_task(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    calls = triage_calls(1000)
    workspace.store.calls.add(calls[:300])
    sort_new_calls(workspace)
    rolled = [_edited(call) if place % 10 == 9 else call for place, call in enumerate(calls[300:])]
    _record(_recording(workspace), rolled)
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    assert len(task.versions) == 2
    assert workspace.store.calls.count(CallFilter(task_id=task.id)) == 1000


def _edited(call: Call) -> Call:
    body = json.loads(call.request_body)
    body["messages"][0]["content"] += " Urgency is a number from 0 to 2."
    return structs.replace(call, request_body=json.dumps(body).encode())
