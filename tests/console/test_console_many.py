"""Thousands of tasks are shown page by page, in the same number of queries as a few."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from made import a_workspace, triage_calls
from msgspec import structs
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from freehold.console import build_console
from freehold.console.pages import TASKS_PER_PAGE
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import load_settings


def _fill(workspace: Workspace, tasks: int) -> None:
    """Tasks without a dataset, the later ones with fewer calls, down to one."""
    workspace.store.registry.put_tasks([Task(id=f"t{n:04}", name=f"task-{n:04}", key=f"k{n}") for n in range(tasks)])
    each = [n for n in range(tasks) for _ in range(max(1, 4 - n))]
    calls = triage_calls(len(each))
    workspace.store.calls.add([structs.replace(call, task_id=f"t{n:04}") for call, n in zip(calls, each, strict=True)])


def _client(workspace: Workspace) -> TestClient:
    return TestClient(build_console(workspace, is_simulated=False), base_url="http://127.0.0.1:8700")


@contextmanager
def _counted() -> Iterator[list[str]]:
    """The statements that are sent to any database meanwhile."""
    seen: list[str] = []

    def take(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", take)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", take)


@pytest.mark.parametrize("path", ["/", "/tasks/t0000", "/api/tasks?limit=50", "/api/tasks/task-0000"])
def test_a_page_takes_as_many_queries_with_many_tasks_as_with_few(tmp_path: Path, path: str) -> None:
    counts = []
    for tasks in (60, 300):
        workspace = a_workspace(tmp_path / str(tasks))
        _fill(workspace, tasks)
        with _counted() as seen:
            assert _client(workspace).get(path).status_code == 200
        counts.append(len(seen))
        workspace.store.close()
    assert counts[0] == counts[1] > 0


def test_the_pages_together_show_each_task_once_and_the_totals_of_all(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    _fill(workspace, 120)
    client = _client(workspace)
    shown: list[str] = []
    for number in (1, 2, 3):
        text = client.get(f"/?page={number}").text
        assert f"Page {number} of 3" in text
        assert "126 calls in 120 tasks" in text
        shown += re.findall(r'href="/tasks/(t\d+)"', text)
    assert len(shown) == len(set(shown)) == 120
    assert shown[:3] == ["t0000", "t0001", "t0002"], "those with the most calls come first"
    assert shown[:TASKS_PER_PAGE] == re.findall(r'href="/tasks/(t\d+)"', client.get("/?page=nonsense").text)
    assert "Page 3 of 3" in client.get("/?page=99").text
    workspace.store.close()


def test_the_api_gives_the_tasks_page_by_page(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    _fill(workspace, 120)
    client = _client(workspace)
    page, names = 1, []
    while page is not None:
        given = client.get(f"/api/tasks?page={page}&limit=50").json()
        names += [task["name"] for task in given["tasks"]]
        page = given["next"]
    assert len(names) == len(set(names)) == 120
    assert client.get("/api/tasks?page=9").json() == {"tasks": [], "next": None}
    assert client.get("/api/tasks?page=0").status_code == 400
    workspace.store.close()


def test_a_page_is_the_same_on_either_database(url: str, tmp_path: Path) -> None:
    settings = load_settings(environment={}, state=str(tmp_path)).override({"database_url": url})
    workspace = open_workspace(settings)
    _fill(workspace, 60)
    text = _client(workspace).get("/").text
    assert "66 calls in 60 tasks" in text
    assert re.findall(r'href="/tasks/(t\d+)"', text)[:3] == ["t0000", "t0001", "t0002"]
    assert "100 ms" in text
    workspace.store.close()
