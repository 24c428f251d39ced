"""Merging, splitting and renaming tasks: what moves, what follows, what is refused, and that it can be taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import BEGAN_AT, Run, a_call, a_workspace, answer_body, chat_body
from msgspec import structs

from freehold.dialects import read_request
from freehold.errors import BusyError, DataError, NotFoundError, UsageError
from freehold.model import Call, ModelCard
from freehold.model.route import Route
from freehold.model.task import SplitRule, Task
from freehold.pipeline.workspace import Workspace
from freehold.sort import TaskIndex
from freehold.sort.run.sort import sort_new_calls
from freehold.sort.run.task_edits import apply_edit, merge_plan, rename_plan, split_plan, undo, undo_plan
from freehold.store import CallFilter

GATES = "You sort passengers' questions at the airport by gate. Answer with one word."
MENUS = "You pick the dish that fits a guest's wish from the menu of the day. Answer with one word."
WORDS = "north south east west upper lower left right inner outer".split()  # noqa: SIM905


def calls(prompt: str, count: int, *, first: int = 0, **changes: Any) -> list[Call]:
    """Calls with one prompt, each with another question; every fifth begins with an instruction of its own."""
    return [_call(prompt, first + number, changes) for number in range(count)]


def _call(prompt: str, number: int, changes: dict[str, Any]) -> Call:
    text = f"number {number} by the {WORDS[number % 10]} {WORDS[number * 7 % 9]} door"
    text = f"Summarise in a line:\n{text}" if number % 5 == 0 else text
    values = {
        "created_at": BEGAN_AT + number,
        "request_body": chat_body(text, prompt),
        "response_body": answer_body(WORDS[number % 3]),
    }
    return a_call(**values | changes)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path / ".freehold")
    opened.store.calls.add([*calls(GATES, 60), *calls(MENUS, 60)])
    sort_new_calls(opened)
    assert sorted(task.name for task in opened.store.registry.tasks()) == [
        "pick-dish-fits",
        "sort-passengers-questions",
    ]
    yield opened
    opened.store.close()


def where(workspace: Workspace) -> dict[str, str]:
    """Which task each call belongs to, by name."""
    names = {task.id: task.name for task in workspace.store.registry.tasks()}
    found = workspace.store.calls.find(CallFilter())
    return {call.id: names.get(call.task_id or "", "none") for call in found}


def as_seen(workspace: Workspace) -> tuple[dict[str, str], list[Task]]:
    return where(workspace), workspace.store.registry.tasks()


def moved(workspace: Workspace, name: str) -> None:
    task = workspace.task(name)
    template = task.template.to_json()
    workspace.store.registry.put_route(
        Route(task_id=task.id, version=1, kind="cascade", model_id="m", template=template)
    )


def test_merging_moves_calls_prompts_and_attempts_and_new_calls_follow(workspace: Workspace) -> None:
    gates, menus = workspace.task("sort-passengers-questions"), workspace.task("pick-dish-fits")
    workspace.store.attempts.claim(menus.id, "proof-1", ["c1"], 1.0)
    workspace.store.registry.put_model(a_card(menus.id))
    plan = merge_plan(workspace, [gates.name, menus.name])
    assert plan.calls == 60
    assert "60 change their task" in plan.text
    assert set(where(workspace).values()) == {gates.name, menus.name}  # a plan changes nothing
    apply_edit(workspace, plan)
    assert set(where(workspace).values()) == {gates.name}
    workspace.store.calls.add(calls(MENUS, 5, first=200))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    assert set(where(workspace).values()) == {gates.name}
    assert workspace.task(menus.name) == workspace.task(menus.id) == task
    assert [attempt.id for attempt in workspace.store.attempts.of_task(task.id)] == ["proof-1"]
    assert workspace.model(task, "m1").task_id == menus.id
    with pytest.raises(NotFoundError):
        workspace.model(task)
    index = TaskIndex([task])
    assert index.find(read_request("openai-chat", chat_body("x", MENUS))) == task
    assert index.find(read_request("openai-chat", chat_body("x")), menus.name) == task


def a_card(task_id: str) -> ModelCard:
    return ModelCard(
        id="m1", task_id=task_id, base="b", base_sha256="c", dataset_hash="d", recipe={}, seed=0, metrics={}, path="/m"
    )


def test_a_merge_is_undone_with_the_calls_that_came_since(workspace: Workspace) -> None:
    before = as_seen(workspace)
    apply_edit(workspace, merge_plan(workspace, ["sort-passengers-questions", "pick-dish-fits"]))
    since = [call_at(call) for call in (*calls(MENUS, 5, first=300), *calls(GATES, 5, first=300))]
    workspace.store.calls.add(since)
    sort_new_calls(workspace)
    undo(workspace, undo_plan(workspace))
    now, tasks = as_seen(workspace)
    assert {call: task for call, task in now.items() if call in before[0]} == before[0]
    assert [now[call.id] for call in since] == ["pick-dish-fits"] * 5 + ["sort-passengers-questions"] * 5
    assert [replace(task, template=old.template) for task, old in zip(tasks, before[1], strict=True)] == before[1]
    assert [task.template for task in tasks] == [task.template for task in before[1]]
    with pytest.raises(NotFoundError):
        undo_plan(workspace)


def call_at(call: Call) -> Call:
    """The call as one that came after now."""
    return structs.replace(call, created_at=4_000_000_000.0 + call.created_at)


def test_a_moved_task_can_only_be_the_first(workspace: Workspace) -> None:
    moved(workspace, "pick-dish-fits")
    with pytest.raises(DataError, match="is moved"):
        merge_plan(workspace, ["sort-passengers-questions", "pick-dish-fits"])
    plan = merge_plan(workspace, ["pick-dish-fits", "sort-passengers-questions"])
    assert "stays moved" in plan.text
    apply_edit(workspace, plan)
    assert workspace.store.registry.route(workspace.task("pick-dish-fits").id).kind == "cascade"


@pytest.mark.parametrize("names", [["pick-dish-fits"], ["pick-dish-fits", "pick-dish-fits"]])
def test_one_task_cannot_be_merged(workspace: Workspace, names: list[str]) -> None:
    with pytest.raises(UsageError):
        merge_plan(workspace, names)


@pytest.mark.parametrize(
    ("by", "text"), [("begins", "Summarise in a line:"), ("contains", "marise in a")], ids=["begins", "contains"]
)
def test_splitting_takes_calls_along_and_new_calls_follow(workspace: Workspace, by: Any, text: str) -> None:
    menus = workspace.task("pick-dish-fits")
    workspace.store.attempts.claim(menus.id, "proof-1", ["c1"], 1.0)
    plan = split_plan(workspace, menus.name, SplitRule(parent="", by=by, text=text), "Short Lines")
    assert plan.calls == 12
    apply_edit(workspace, plan)
    part = workspace.task("short-lines")
    assert sorted(where(workspace).values()).count("short-lines") == 12
    assert [attempt.id for attempt in workspace.store.attempts.of_task(part.id)] == ["proof-1"]
    workspace.store.calls.add(calls(MENUS, 10, first=500))
    sort_new_calls(workspace)
    assert sorted(where(workspace).values()).count("short-lines") == 14
    assert sorted(where(workspace).values()).count("pick-dish-fits") == 56
    assert len(workspace.store.registry.tasks()) == 3


def test_a_split_is_undone(workspace: Workspace) -> None:
    before = as_seen(workspace)
    rule = SplitRule(parent="", by="begins", text="Summarise")
    apply_edit(workspace, split_plan(workspace, "pick-dish-fits", rule, "lines"))
    undo(workspace, undo_plan(workspace))
    assert as_seen(workspace) == before
    apply_edit(workspace, split_plan(workspace, "pick-dish-fits", rule, "lines"))
    moved(workspace, "lines")
    with pytest.raises(DataError, match="is moved"):
        undo_plan(workspace)


def test_splitting_a_moved_task_says_what_happens(workspace: Workspace) -> None:
    moved(workspace, "pick-dish-fits")
    rule = SplitRule(parent="", by="begins", text="Summarise")
    assert (
        "the provider answers what begins with 'Summarise'" in split_plan(workspace, "pick-dish-fits", rule, "l").text
    )


@pytest.mark.parametrize(
    ("by", "text", "name", "error"),
    [
        ("contains", "nowhere to be found", "part", DataError),
        ("contains", "number", "part", DataError),
        ("contains", "", "part", UsageError),
        ("asks", "poems", "part", UsageError),
        ("asks", "json", "part", DataError),
        ("begins", "Summarise", "pick-dish-fits", UsageError),
        ("begins", "Summarise", "sort-passengers-questions", UsageError),
        ("begins", "Summarise", " ", UsageError),
    ],
)
def test_rules_that_part_nothing_are_refused(workspace: Workspace, by: Any, text: str, name: str, error: type) -> None:
    with pytest.raises(error):
        split_plan(workspace, "pick-dish-fits", SplitRule(parent="", by=by, text=text), name)


def test_a_renamed_task_is_known_by_both_names(workspace: Workspace) -> None:
    before = as_seen(workspace)
    apply_edit(workspace, rename_plan(workspace, "pick-dish-fits", "Dishes"))
    task = workspace.task("dishes")
    assert workspace.task("pick-dish-fits") == task
    assert TaskIndex([task]).find(read_request("openai-chat", chat_body("x")), "pick-dish-fits") == task
    workspace.store.calls.add(calls(MENUS, 3, first=400, tags={"freehold-task": "Pick dish fits"}))
    sort_new_calls(workspace)
    assert sorted(where(workspace).values()).count("dishes") == 63
    apply_edit(workspace, rename_plan(workspace, "dishes", "pick-dish-fits"))
    undo(workspace, undo_plan(workspace))
    undo(workspace, undo_plan(workspace))
    assert [task.name for task in workspace.store.registry.tasks()] == [task.name for task in before[1]]


@pytest.mark.parametrize("name", ["sort-passengers-questions", "pick-dish-fits", "", "x" * 60])
def test_a_name_that_is_taken_or_none_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError):
        rename_plan(workspace, "pick-dish-fits", name)


def test_a_plan_that_is_out_of_date_changes_nothing(workspace: Workspace) -> None:
    plan = rename_plan(workspace, "pick-dish-fits", "dishes")
    apply_edit(workspace, rename_plan(workspace, "pick-dish-fits", "meals"))
    with pytest.raises(BusyError):
        apply_edit(workspace, plan)
    assert [edit.words for edit in workspace.store.task_edits.history()] == ["rename 'pick-dish-fits' to 'meals'"]


def test_the_command_line_shows_its_plan_first(workspace: Workspace, run: Run) -> None:
    done = run("tasks", "merge", "pick-dish-fits", "sort-passengers-questions", "--dry-run", "--json")
    assert json.loads(done.stdout)["is_dry_run"] is True
    assert "60 change their task" in done.stderr
    assert len(workspace.store.registry.tasks()) == 2
    assert run("tasks", "rename", "pick-dish-fits", "dishes").exit_code == 0
    assert run("tasks", "split", "dishes", "lines", "--begins", "Summarise").exit_code == 0
    assert run("tasks", "merge", "lines", "sort-passengers-questions", "-y").exit_code == 0
    assert {view["task"] for view in json.loads(run("tasks", "--json").stdout)} == {"dishes", "lines"}
    assert len(json.loads(run("tasks", "edits", "--json").stdout)) == 3
    for _ in range(3):
        assert run("tasks", "undo").exit_code == 0
    assert run("tasks", "undo").exit_code == 2
    assert run("tasks", "split", "dishes", "lines").exit_code == 2
    assert {task.name for task in workspace.store.registry.tasks()} == {"pick-dish-fits", "sort-passengers-questions"}
