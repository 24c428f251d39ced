"""Edits of tasks in both databases: an edit moves tasks and calls at once, and goes back to what was there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import a_call

from freehold.errors import BusyError
from freehold.model import Asked, Message
from freehold.model.task import PromptVersion, SplitRule, Task
from freehold.store import CallFilter, Store
from freehold.store.task_registry import read_task, task_document
from freehold.text.prompts.template import Template
from freehold.text.prompts.template_induction import learn


def _template(prompt: str) -> Template:
    messages = [(Message("system", prompt), Message("user", f"text {n}")) for n in range(9)]
    return learn([Asked(dialect="openai-chat", messages=pair) for pair in messages])


def _task(key: str) -> Task:
    return Task(id=f"id-{key}", name=key, key=f"key-{key}", template=_template(f"Sort {key}."), created_at=1.0)


def _edited(store: Store) -> tuple[Task, Task, Task]:
    """Two tasks with two calls each, and what they are after a merge."""
    one, two = _task("one"), _task("two")
    store.registry.put_tasks([one, two])
    store.calls.add([a_call(id=f"c{n}", task_id=one.id if n < 2 else two.id) for n in range(4)])
    return one, two, replace(one, aliases=(two.key,), merged=(two.id,))


def _calls(store: Store, task: Task) -> list[str]:
    return sorted(call.id for call in store.calls.find(CallFilter(task_id=task.id)))


def test_an_edit_moves_tasks_and_calls_and_is_taken_back(store: Store) -> None:
    one, two, both = _edited(store)
    edit = store.task_edits.apply(
        "merge", "merge two into one", before=[one, two], after=[both], moved={two.id: {one.id: ["c2", "c3"]}}
    )
    assert store.registry.tasks() == [both]
    assert _calls(store, both) == ["c0", "c1", "c2", "c3"]
    assert store.task_edits.newest() == edit
    store.task_edits.undo(edit, gone=[], back=[one, two])
    assert sorted(task.name for task in store.registry.tasks()) == ["one", "two"]
    assert (_calls(store, one), _calls(store, two)) == (["c0", "c1"], ["c2", "c3"])
    assert store.task_edits.newest() is None
    assert [(one.words, one.undone_at is not None) for one in store.task_edits.history()] == [
        ("merge two into one", True)
    ]


def test_an_edit_of_a_task_that_was_renamed_meanwhile_changes_nothing(store: Store) -> None:
    one, two, both = _edited(store)
    store.registry.put_tasks([replace(two, name="new")])
    with pytest.raises(BusyError):
        store.task_edits.apply(
            "merge", "merge", before=[one, two], after=[both], moved={two.id: {one.id: ["c2", "c3"]}}
        )
    assert (_calls(store, one), _calls(store, two)) == (["c0", "c1"], ["c2", "c3"])
    assert store.task_edits.newest() is None


def test_an_edit_is_undone_once(store: Store) -> None:
    one, two, both = _edited(store)
    edit = store.task_edits.apply("merge", "merge", before=[one, two], after=[both], moved={})
    store.task_edits.undo(edit, gone=[], back=[one, two])
    with pytest.raises(BusyError):
        store.task_edits.undo(edit, gone=[], back=[one, two])


def test_calls_that_came_after_an_edit_are_sorted_again(store: Store) -> None:
    one, two, both = _edited(store)
    edit = store.task_edits.apply(
        "merge", "merge", before=[one, two], after=[both], moved={two.id: {one.id: ["c2", "c3"]}}
    )
    store.calls.add([a_call(id="c9", task_id=one.id, created_at=edit.created_at + 1)])
    store.task_edits.undo(edit, gone=[], back=[one, two], resort={one.id: edit.created_at})
    assert _calls(store, one) == ["c0", "c1"]
    assert [call.id for call in store.calls.find(CallFilter(is_sorted_out=False))] == ["c9"]


def test_a_document_of_a_task_keeps_its_versions_and_rule() -> None:
    versions = tuple(
        PromptVersion(number=n, key=f"k{n}", template=_template(f"Sort {n}."), since=float(n), changed=("+ x",))
        for n in (1, 2)
    )
    task = replace(_task("one"), versions=versions, rule=SplitRule(parent="p", by="asks", text="json"))
    assert read_task(task_document(task)) == task


def test_a_document_of_an_earlier_version_is_read() -> None:
    earlier = {
        "id": "i",
        "name": "n",
        "key": "k",
        "kind": "label",
        "created_at": 1.0,
        "is_loose": False,
        "template": {
            "parts": [{"role": "system", "prefix": "Sort.", "suffix": "", "has_gap": False}],
            "tools": "",
            "response_format": "",
        },
    }
    task = read_task(earlier)
    assert (task.versions, task.rule, task.aliases) == ((), None, ())
    assert task.template.version == 1
    assert task.template.fits(Asked(dialect="openai-chat", messages=(Message("system", "Sort."),)))


def test_calls_that_come_while_a_merge_is_thought_about_move_along(store: Store) -> None:
    one, two, both = _edited(store)
    store.calls.add([a_call(id="late", task_id=two.id)])
    edit = store.task_edits.apply(
        "merge", "merge two into one", before=[one, two], after=[both], moved={two.id: {one.id: ["c2", "c3"]}}
    )
    assert _calls(store, both) == ["c0", "c1", "c2", "c3", "late"]
    store.task_edits.undo(edit, gone=[], back=[one, two])
    assert (_calls(store, one), _calls(store, two)) == (["c0", "c1"], ["c2", "c3", "late"])


def test_calls_that_come_while_a_split_is_thought_about_are_sorted_again(store: Store) -> None:
    one, two, _ = _edited(store)
    part = replace(_task("part"), rule=SplitRule(parent=one.id, by="contains", text="x"))
    store.calls.add([a_call(id="late", task_id=one.id)])
    moved, seen = {one.id: {part.id: ["c1"]}}, {one.id: {"c0", "c1"}}
    edit = store.task_edits.apply("split", "split", before=[one], after=[one, part], moved=moved, seen=seen)
    assert (_calls(store, one), _calls(store, part)) == (["c0"], ["c1"])
    assert [call.id for call in store.calls.find(CallFilter(is_sorted_out=False))] == ["late"]
    store.calls.assign({"late": part.id})
    store.task_edits.undo(edit, gone=[part.id], back=[one])
    assert (_calls(store, one), _calls(store, two)) == (["c0", "c1"], ["c2", "c3"])
    assert [call.id for call in store.calls.find(CallFilter(is_sorted_out=False))] == ["late"]
