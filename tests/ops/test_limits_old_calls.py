"""Old calls are deleted whole, but for those that datasets, people and moved tasks still need."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import BEGAN_AT, Run, a_call, a_workspace, triage_calls

from freehold.freeze.run.freeze import freeze
from freehold.model.route import Route
from freehold.ops import old_calls
from freehold.ops.lineage import trace
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls
from freehold.store import Before, CallFilter, Store

DAY_S = 86400.0


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with calls of one task, a minute apart, and three of no task."""
    opened = a_workspace(tmp_path / ".freehold")
    opened.store.calls.add([*triage_calls(120), *(a_call(dialect="other", path="/v1/files") for _ in range(3))])
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def _ids(workspace: Workspace) -> set[str]:
    return {call.id for call in workspace.store.calls.find(CallFilter())}


def _delete(workspace: Workspace, now: float, older_than_s: float, task: str | None = None) -> int:
    before = old_calls.rows_rule(workspace, now, older_than_s=older_than_s, task=task)
    planned = old_calls.plan(workspace, before)
    deleted = old_calls.delete_old_calls(workspace, before, lambda _: None)
    assert planned.calls == deleted, "the plan says what is done"
    return deleted


def test_nothing_is_old_unless_a_setting_or_an_option_says_so(workspace: Workspace) -> None:
    before = old_calls.rows_rule(workspace, time.time())
    assert old_calls.plan(workspace, before).due == []
    assert old_calls.delete_old_calls(workspace, before, lambda _: None) == 0
    assert len(_ids(workspace)) == 123


def test_old_calls_go_with_their_rows(workspace: Workspace) -> None:
    assert _delete(workspace, BEGAN_AT + 60 * 60 + DAY_S, DAY_S) == 63
    assert min(call.created_at for call in workspace.store.calls.find(CallFilter())) == BEGAN_AT + 60 * 60
    (task,) = workspace.store.registry.tasks()
    assert _delete(workspace, time.time(), 0, task=task.name) == 60
    assert _ids(workspace) == set()


def test_what_a_dataset_names_stays_and_can_be_traced(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    freeze(workspace, task, lambda _: None)
    behind = old_calls.needed(workspace).calls
    assert 100 < len(behind) <= 120
    audit = a_call(task_id=task.id, arm="audit", parent_id=min(behind), created_at=BEGAN_AT)
    workspace.store.calls.add([audit])
    _delete(workspace, time.time(), 0)
    assert _ids(workspace) == behind | {audit.id}
    assert trace(workspace, min(behind)).uses


def test_where_a_dataset_cannot_be_read_its_whole_task_stays(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    freeze(workspace, task, lambda _: None)
    path = Path(workspace.dataset(task).path) / "train.jsonl"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])
    assert _delete(workspace, time.time(), 0) == 3
    assert len(_ids(workspace)) == 120


def test_what_people_said_something_about_stays_with_its_audits(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    spoken = workspace.store.calls.find(CallFilter(task_id=task.id, limit=1))[0]
    workspace.store.calls.add_feedback(spoken.id, "correction", "wanted", BEGAN_AT)
    audit = a_call(task_id=task.id, arm="audit", parent_id=spoken.id)
    workspace.store.calls.add([audit])
    _delete(workspace, time.time(), 0)
    assert _ids(workspace) == {spoken.id, audit.id}
    assert workspace.store.calls.corrections(task.id) == {spoken.id: "wanted"}


def test_what_a_moved_tasks_route_looks_at_stays(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    moved_at = BEGAN_AT + 60 * 100
    workspace.store.registry.put_route(
        Route(task_id=task.id, version=1, kind="owned", model_id="m1", created_at=moved_at)
    )
    _delete(workspace, time.time(), 0)
    left = workspace.store.calls.find(CallFilter())
    assert len(left) == 20
    assert min(call.created_at for call in left) == moved_at


def test_what_a_key_used_stays(workspace: Workspace) -> None:
    now = time.time()
    workspace.store.calls.add([a_call(key_id="k1", created_at=now, cost_usd=0.5)])
    _delete(workspace, now + 5, 0)
    assert workspace.store.keys.usage(now)["k1"].cost_usd == 0.5


def test_pages_leave_nothing_out(store: Store) -> None:
    count = 4100
    store.calls.add([a_call(created_at=BEGAN_AT + number // 1500) for number in range(count)])
    ids = [call.id for page in store.old_calls.pages(Before(others=BEGAN_AT + 9, by_task={})) for call in page]
    assert len(ids) == len(set(ids)) == count
    assert sum(store.old_calls.delete(ids)) == count
    assert store.calls.count(CallFilter()) == 0


def test_the_verb_shows_its_plan_and_says_what_stays(run: Run, workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    freeze(workspace, task, lambda _: None)
    stays = len(old_calls.needed(workspace).calls)
    dry = run("prune", "--rows", "--older-than", "1h", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "would be deleted whole" in dry.output
    assert f"{stays:,} older calls stay: needed by datasets" in dry.output
    assert len(_ids(workspace)) == 123
    done = json.loads(run("prune", "--rows", "--older-than", "1h", "--json").stdout)
    assert (done["deleted"]["calls"], done["kept"]) == (123 - stays, {"datasets": stays})
    assert "No call that could be deleted is older than 1h" in run("prune", "--rows", "--older-than", "1h").output
