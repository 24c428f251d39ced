"""Retention: the settings say what is old, a task may say otherwise, and what is deleted is shown first."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made import BEGAN_AT, Run, a_call, a_workspace, answer_body, triage_calls
from msgspec import structs

from freehold.freeze.run.freeze import freeze
from freehold.model.route import Route
from freehold.ops import cleanup, retention
from freehold.pipeline.workspace import Workspace
from freehold.route.run.route_status import route_status
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter

DAY_S = 86400.0


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with calls of one task, a minute apart, and three of no task."""
    opened = a_workspace(tmp_path / ".freehold")
    opened.store.calls.add([*triage_calls(120), *(a_call(dialect="other", path="/v1/files") for _ in range(3))])
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def _keeping(workspace: Workspace, days: float, **by_task: float) -> Workspace:
    tasks = {name: {"keep_days": value} for name, value in by_task.items()}
    settings = workspace.settings.override({"record.keep_days": days})
    return replace(workspace, settings=replace(settings, tasks=tasks))  # type: ignore[arg-type]


def _name(workspace: Workspace) -> str:
    (task,) = workspace.store.registry.tasks()
    return task.name


def _due(workspace: Workspace, now: float, **options: object) -> dict[str | None, int]:
    before = retention.rule(workspace, now, **options)  # type: ignore[arg-type]
    return {due.task: due.calls for due in retention.what_is_due(workspace, before)}


def test_the_settings_say_what_is_old(workspace: Workspace) -> None:
    name, now = _name(workspace), BEGAN_AT + 60 * 60 + DAY_S
    assert _due(_keeping(workspace, 0), now) == {}
    assert _due(_keeping(workspace, 1), now) == {name: 60, None: 3}
    assert _due(_keeping(workspace, 1, **{name: 2}), now) == {None: 3}
    assert _due(_keeping(workspace, 1, **{name: 0}), now) == {None: 3}, "0 days of a task's own are for ever"
    assert _due(_keeping(workspace, 0, **{name: 1}), now) == {name: 60}
    assert _due(_keeping(workspace, 1), now, task=name) == {name: 60}
    assert _due(_keeping(workspace, 0), now, older_than_s=DAY_S - 600) == {name: 70, None: 3}


def test_figures_and_corrections_and_datasets_stay(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    first = workspace.store.calls.find(CallFilter(task_id=task.id, limit=1))[0]
    workspace.store.calls.add_feedback(first.id, "correction", "wanted", BEGAN_AT)
    frozen = freeze(workspace, task, lambda _: None)
    figures = workspace.store.registry.figures(task.id)
    files = sorted(path.read_bytes() for path in Path(workspace.dataset(task).path).rglob("*") if path.is_file())
    pruned = retention.prune(workspace, retention.rule(workspace, time.time(), older_than_s=0), lambda _: None)
    assert (pruned.calls, pruned.files) == (123, 0)
    assert workspace.store.registry.figures(task.id) == figures
    assert workspace.store.calls.corrections(task.id) == {first.id: "wanted"}
    dataset = workspace.dataset(task)
    assert dataset.id == frozen
    assert sorted(path.read_bytes() for path in Path(dataset.path).rglob("*") if path.is_file()) == files
    assert all(call.request_body == call.response_body == b"" for call in workspace.store.calls.find(CallFilter()))
    assert retention.prune(workspace, retention.rule(workspace, time.time(), older_than_s=0), lambda _: None).calls == 0


def test_a_deleted_audit_is_unreadable_and_agrees_with_nothing(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    now = BEGAN_AT + 10 * DAY_S
    workspace.store.registry.put_route(Route(task_id=task.id, version=1, kind="owned", created_at=now))
    owned = [a_call(task_id=task.id, arm="owned", created_at=now + 1 + 100 * n) for n in range(2)]
    audits = [a_call(task_id=task.id, arm="audit", parent_id=o.id, created_at=o.created_at + 1) for o in owned]
    workspace.store.calls.add(
        [structs.replace(call, response_body=answer_body('{"a": 1}')) for call in (*owned, *audits)]
    )
    assert route_status(workspace, task).figures.agreed == 2
    retention.prune(workspace, retention.rule(workspace, now + 50, older_than_s=0), lambda _: None)
    figures = route_status(workspace, task).figures
    assert (figures.audits, figures.agreed, figures.audits_unreadable) == (1, 1, 1)


def test_what_the_journal_set_aside_goes_too(workspace: Workspace) -> None:
    old, new = (workspace.state / "journal" / "refused" / name for name in ("old.bin", "new.bin"))
    old.parent.mkdir(parents=True)
    for path in (old, new):
        path.write_bytes(b"a call")
    os.utime(old, (BEGAN_AT, BEGAN_AT))
    now = new.stat().st_mtime
    assert (
        retention.prune(workspace, retention.rule(workspace, now, older_than_s=DAY_S, task=_name(workspace)), str).files
        == 0
    )
    assert retention.prune(workspace, retention.rule(workspace, now, older_than_s=DAY_S), str).files == 1
    assert new.exists()
    assert not old.exists()


def test_a_process_that_runs_on_prunes_once_an_hour_and_says_so(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    clock = [1000.0]
    monkeypatch.setattr(cleanup.time, "monotonic", lambda: clock[0])
    keeper = cleanup.Cleanup(_keeping(workspace, 1))
    keeper.run_if_due()
    assert f"{_name(workspace)} 120" in caplog.text
    assert "deleted: bodies of 123 calls" in caplog.text
    caplog.clear()
    workspace.store.calls.add(triage_calls(5))
    keeper.run_if_due()
    assert caplog.text == ""
    clock[0] += cleanup.EVERY_S
    keeper.run_if_due()
    assert "bodies of 5 calls" in caplog.text


def test_the_verb_shows_its_plan_first_and_can_leave_it_at_that(run: Run, workspace: Workspace) -> None:
    nothing = run("prune")
    assert nothing.exit_code == 0
    assert "No call is older than record.keep_days allows" in nothing.stderr
    asked = run("prune", "--older-than", "9000d", "--dry-run")
    assert asked.stderr.splitlines()[0] == "No call that has a body is older than 9000d."
    assert "keep_days" not in asked.stderr
    assert "Nothing was deleted." in asked.stderr
    dry = run("prune", "--older-than", "1d", "--dry-run")
    assert "The bodies of these calls would be deleted" in dry.stderr
    assert dry.exit_code == 0
    assert "120" in dry.stdout
    assert workspace.store.calls.count(CallFilter()) == 123
    assert run("prune", "--older-than", "1 fortnight").exit_code == 2
    assert run("prune", "--older-than", "-1d").exit_code == 2
    done = json.loads(run("prune", "--older-than", "1d", "--json", "--shrink").stdout)
    assert done["deleted"]["calls"] == 123
    assert {call.redaction for call in workspace.store.calls.find(CallFilter())} == {"deleted"}
    shown = run("prune", "--older-than", "1d")
    assert "Deleted: the bodies of 0 calls" in shown.stderr
