"""The console: tasks and reports for people on this machine, hostile text escaped, nothing loaded from elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made import a_call, a_workspace, triage_calls
from starlette.testclient import TestClient

from freehold.console import build_console
from freehold.console.loopback import is_loopback
from freehold.console.task_page import HEIGHT, WIDTH, gauge, ramp_drawing
from freehold.errors import StateError
from freehold.model import Route, Verdict
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.route import rolled_back
from freehold.sort.run.sort import sort_new_calls
from freehold.watch.run.monitor_status import Evidence, RampProgress

HERE = "http://127.0.0.1:8700"
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path)
    yield opened
    opened.store.close()


def _client(workspace: Workspace, *, is_simulated: bool = False) -> TestClient:
    return TestClient(build_console(workspace, is_simulated=is_simulated), base_url=HERE, raise_server_exceptions=False)


def _proven(workspace: Workspace, task_id: str, report: Path) -> None:
    workspace.store.registry.put_verdict(
        Verdict(
            id="v1",
            task_id=task_id,
            model_id="m",
            dataset_hash="d",
            decision="hold",
            margin=0.02,
            risk=0.05,
            report_path=str(report),
        )
    )


def test_an_empty_record_says_how_to_begin(workspace: Workspace) -> None:
    page = _client(workspace).get("/")
    assert page.status_code == 200
    assert f"OPENAI_BASE_URL={HERE}/v1" in page.text
    assert "0 calls in 0 tasks" in page.text
    assert "spend unknown" in re.sub(r"\s+", " ", page.text)


def test_tasks_with_figures_verdict_route_and_report(workspace: Workspace, tmp_path: Path) -> None:
    workspace.store.calls.add(triage_calls(60))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    report = tmp_path / "report.html"
    report.write_text("<p>the proof</p>")
    _proven(workspace, task.id, report)
    client = _client(workspace)
    page = client.get("/").text
    for words in (task.name, "$30.00", "600 + 120", "100 ms", "hold", 'href="/reports/v1"', "rented"):
        assert words in page
    shown = client.get("/reports/v1")
    assert (shown.status_code, shown.text) == (200, "<p>the proof</p>")
    report.unlink()
    assert client.get("/reports/v1").status_code == 404


def test_hostile_names_are_text(workspace: Workspace) -> None:
    workspace.store.registry.put_tasks([Task(id="t", name=HOSTILE, key="k")])
    workspace.store.calls.add([a_call(task_id="t")])
    page = _client(workspace).get("/").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_route_that_was_taken_back_says_why_and_runs_no_script(workspace: Workspace) -> None:
    workspace.store.registry.put_tasks([Task(id="t", name="triage", key="k")])
    workspace.store.calls.add([a_call(task_id="t")])
    moved = Route(task_id="t", version=1, kind="cascade", model_id="m")
    workspace.store.registry.put_route(moved)
    workspace.store.registry.put_route(rolled_back(moved, created_at=1e9, reason=f"7 of 9 disagreed {HOSTILE}"))
    page = _client(workspace).get("/").text
    assert '<small class="hold">rolled back 2001-09-0' in page
    assert "7 of 9 disagreed &lt;script&gt;" in page
    assert HOSTILE not in page


def test_a_task_has_a_page_with_its_verdicts_and_every_change_of_its_route(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.store.registry.put_tasks([Task(id="t1", name=HOSTILE, key="k")])
    workspace.store.calls.add([a_call(task_id="t1")])
    _proven(workspace, "t1", tmp_path / "report.html")
    moved = Route(task_id="t1", version=1, kind="cascade", model_id="m", created_at=9e8)
    workspace.store.registry.put_route(moved)
    workspace.store.registry.put_route(rolled_back(moved, created_at=1e9, reason=f"7 of 9 disagreed {HOSTILE}"))
    client = _client(workspace, is_simulated=True)
    assert 'href="/tasks/t1"' in client.get("/").text
    page = client.get("/tasks/t1").text
    for words in (
        'href="/reports/v1"',
        "rolled back",
        "rollback",
        "cascade",
        "7 of 9 disagreed &lt;script&gt;",
        "simulated",
    ):
        assert words in page
    assert HOSTILE not in page
    assert "The ramp" not in page


def test_a_ramp_is_drawn_as_it_went() -> None:
    ramp = RampProgress(pairs=400, mean=-0.01, low=-0.032, share=0.625, harm=0.02, history=((0, 0.02), (100, 0.3)))
    drawn = ramp_drawing(ramp)
    assert drawn is not None
    points = [tuple(map(float, point.split(","))) for point in drawn.line.split()]
    assert len(points) == 5  # it stays at a share until the next
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert "62% of the calls after 400 pairs" in drawn.says
    assert "-1.0 points on average; its lower bound is -3.2 points" in drawn.says
    assert ramp_drawing(replace(ramp, pairs=0)) is None


@pytest.mark.parametrize(
    ("evidence", "part"), [(0.0, 0.0), (73_000.0, 1.0), (9e9, 1.0), (math.inf, 1.0), (-1.0, 0.0), (270.0, 0.5)]
)
def test_a_detector_is_shown_on_a_log_scale(evidence: float, part: float) -> None:
    words = {"detector": "contract", "words": "", "observed": 3, "has_alarmed": False}
    shown = gauge(Evidence(evidence=evidence, patience=73_000.0, tolerated=0.05, **words))  # type: ignore[arg-type]
    assert shown.part == pytest.approx(part, abs=0.01)
    assert (shown.patience, shown.tolerated) == ("73,000", "5.0%")


def test_pages_run_no_script_and_load_nothing(workspace: Workspace) -> None:
    client = _client(workspace)
    workspace.store.registry.put_tasks([Task(id="t", name="triage", key="k")])
    for path in ("/", "/tasks/t", "/tasks/none", "/reports/none", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert "http://" not in client.get("/").text.replace(HERE, "")


def test_what_is_not_there_is_404(workspace: Workspace) -> None:
    client = _client(workspace)
    for path in ("/tasks/none", "/reports/none", "/reports/..%2f..%2fetc%2fpasswd", "/nothing", f"/{HOSTILE}"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/plain")
    assert client.post("/").status_code == 405


def test_simulation_is_said(workspace: Workspace) -> None:
    assert "simulated" in _client(workspace, is_simulated=True).get("/").text
    assert "simulated" not in _client(workspace).get("/").text


def test_a_name_that_was_rebound_to_this_machine_is_refused(workspace: Workspace) -> None:
    client = _client(workspace)
    for host in (
        "evil.example",
        "evil.example:8700",
        "127.0.0.1.evil.example",
        "",
        "10.0.0.1",
        "localhost.evil.example",
    ):
        answer = client.get("/", headers={"host": host})
        assert answer.status_code == 403
        assert "OPENAI_BASE_URL" not in answer.text
    for host in ("localhost", "localhost:8700", "127.0.0.1:8700", "127.1.2.3", "[::1]:8700"):
        assert client.get("/", headers={"host": host}).status_code == 200
        assert is_loopback(host)
    assert not is_loopback("[::1")


def test_a_record_that_cannot_be_read_is_a_page_that_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_workspace: Workspace, **_page: int) -> object:
        raise StateError("The database is damaged.", hint="Restore a backup.")

    monkeypatch.setattr("freehold.console.pages.overview_page", fail)
    answer = _client(workspace).get("/")
    assert (answer.status_code, answer.text) == (500, "The database is damaged. Restore a backup.\n")
