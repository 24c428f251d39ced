"""Sorting has a limit of time: the call that takes too long is set aside, and the others are sorted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from made import Run, a_call, a_workspace, chat_body, triage_calls
from msgspec import structs

from freehold.ops.doctor.workspace import check_workspace
from freehold.pipeline.overview import overviews
from freehold.pipeline.workspace import Workspace
from freehold.sort import Reading
from freehold.sort.run import sort as sort_stage
from freehold.sort.run.loose_calls import unsorted
from freehold.sort.run.sort import SET_ASIDE, sort_new_calls, try_again
from freehold.store import CallFilter
from freehold.text.effort import TooLongError

HEAVY = "this one takes for ever"


@pytest.fixture
def sorted_together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Calls that say HEAVY take too long to sort; gives how many calls were sorted together, each time."""
    sizes: list[int] = []
    sort_calls: Callable[..., object] = sort_stage.sort_calls

    def sort(calls: Sequence[Reading], *rest: object, **more: object) -> object:
        sizes.append(len(calls))
        if any(HEAVY in message.content for reading in calls for message in reading.asked.messages):
            raise TooLongError("The work took more CPU time than it may.")
        return sort_calls(calls, *rest, **more)

    monkeypatch.setattr(sort_stage, "sort_calls", sort)
    return sizes


def _a_workspace_with_a_heavy_call(folder: Path) -> Workspace:
    workspace = a_workspace(folder)
    calls = triage_calls(33)
    heavy = a_call(request_body=chat_body(HEAVY))
    workspace.store.calls.add([*calls[:20], heavy, *calls[20:]])
    return workspace


def test_a_call_that_takes_too_long_is_set_aside_and_the_others_are_sorted(
    tmp_path: Path, sorted_together: list[int]
) -> None:
    workspace = _a_workspace_with_a_heavy_call(tmp_path)
    assert sort_new_calls(workspace) == 34
    (view,) = overviews(workspace)
    assert view.figures.calls == 33
    assert (unsorted(workspace).set_aside, unsorted(workspace).waiting) == (1, 0)
    assert len(sorted_together) < 34, "it is found by halves"


def test_it_is_not_tried_again_unless_somebody_asks(tmp_path: Path, sorted_together: list[int]) -> None:
    workspace = _a_workspace_with_a_heavy_call(tmp_path)
    sort_new_calls(workspace)
    sorted_together.clear()
    assert sort_new_calls(workspace) == 0
    assert sorted_together == []
    assert try_again(workspace) == 1
    assert sort_new_calls(workspace) == 1
    assert unsorted(workspace).set_aside == 1


def test_a_call_whose_reading_alone_takes_too_long_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(3))
    first = workspace.store.calls.find(CallFilter(limit=1))[0].id
    read_call = sort_stage.read_call
    monkeypatch.setattr(
        sort_stage,
        "read_call",
        lambda call: structs.replace(read_call(call), effort_s=1000.0 if call.id == first else 0.0),
    )
    assert sort_new_calls(workspace) == 3
    assert [call.id for call in workspace.store.calls.find(CallFilter(task_id=SET_ASIDE))] == [first]


def test_a_call_of_very_many_messages_holds_nobody_up(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path, record__sort_s=0.1)
    tiny = {"role": "user", "content": "hi"}
    many = json.dumps({"model": "m", "messages": [tiny] * 60_000}).encode()
    workspace.store.calls.add([*triage_calls(3), a_call(request_body=many)])
    assert sort_new_calls(workspace) == 4
    assert (unsorted(workspace).set_aside, unsorted(workspace).waiting) == (1, 0)
    assert [view.figures.calls for view in overviews(workspace)] == [3]


def test_calls_of_loose_tasks_do_not_keep_a_new_one_from_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(9))
    sort_new_calls(workspace)
    sort_calls: Callable[..., object] = sort_stage.sort_calls

    def sort(calls: Sequence[Reading], *rest: object, **more: object) -> object:
        if len(calls) > 1:
            raise TooLongError("The work took more CPU time than it may.")
        return sort_calls(calls, *rest, **more)

    monkeypatch.setattr(sort_stage, "sort_calls", sort)
    workspace.store.calls.add(triage_calls(4))
    assert sort_new_calls(workspace) == 4
    assert unsorted(workspace).set_aside == 0


def test_the_commands_and_the_doctor_say_what_was_set_aside(
    tmp_path: Path, sorted_together: list[int], run: Run
) -> None:
    workspace = _a_workspace_with_a_heavy_call(tmp_path / ".freehold")
    for verb in ("tasks", "calls", "status"):
        done = run(verb)
        assert "1 call is set aside: each took more CPU time to sort than record.sort_s = 5 s" in done.output, verb
    assert "(set aside)" in run("calls", "--set-aside").output
    assert len(run("calls", "--set-aside", "--json").stdout.splitlines()) == 1
    assert "1 calls that were set aside are sorted again." in run("tasks", "--again").output
    findings = check_workspace(workspace.settings, is_deep=False)
    assert [(f.name, f.level) for f in findings if "set aside" in f.text] == [("sorting", "warn")]
