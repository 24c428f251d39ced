"""What was done is not done again: requests that were answered, datasets that later traffic would spoil."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.demo import resume
from freehold.demo.pipeline import run_demo
from freehold.demo.processes import free_port, watched
from freehold.demo.traffic import Reply, Request
from freehold.demo.venue import _settings
from freehold.errors import BusyError, EngineError, StateError
from freehold.pipeline.locks import locked
from freehold.pipeline.progress import Progress
from freehold.record import Backlog
from freehold.settings import Value, load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def _request(row: int) -> Request:
    return Request(row=str(row), arguments={}, gold="")


def test_only_what_is_missing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = a_workspace(tmp_path)
    kept = [*triage_calls(1, tags={"row": "0", "part": "before"}), *triage_calls(1, tags={"row": "1", "part": "after"})]
    failed = triage_calls(1, tags={"row": "2", "part": "before"}, status=500)
    audit = triage_calls(1, tags={"row": "3", "part": "before"}, parent_id="x", arm="audit")
    workspace.store.calls.add([*kept, *failed, *audit])
    sent: list[str] = []

    def send_all(
        _url: str, requests: Sequence[Request], *, part: str, on_progress: Callable[[int, int], None], **_: int
    ) -> list[Reply]:
        sent.extend(request.row for request in requests)
        on_progress(len(requests), len(requests))
        return []

    monkeypatch.setattr(resume, "send_all", send_all)
    seen: list[Progress] = []
    resume.send_missing(workspace, "http://x", [_request(n) for n in range(4)], part="before", report=seen.append)
    assert sent == ["1", "2", "3"]
    assert seen[-1].is_last


def test_a_dataset_waits_for_a_record_that_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = a_workspace(tmp_path)
    left = [3, 3, 2, 2, 1, 0]
    monkeypatch.setattr(resume, "catch_up", lambda _workspace: Backlog(calls=left.pop(0)))
    seen: list[Progress] = []
    resume.wait_until_recorded(workspace, seen.append)
    assert left == []
    assert [progress.note.split()[0] for progress in seen] == ["3", "3", "2", "2", "1"]
    monkeypatch.setattr(resume, "catch_up", lambda _workspace: Backlog(calls=7, problem="the disk is full"))
    with pytest.raises(StateError, match=r"7 answered calls are not recorded: the disk is full\..*same command"):
        resume.wait_until_recorded(workspace, _quiet, stall_s=0.0)


def test_nobody_trains_on_what_came_after_the_proof(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(120, tags={"part": "before"}))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    first = resume.freeze_before(workspace, task.name, _quiet)
    corrected = workspace.store.calls.find(CallFilter(limit=1))[0]
    workspace.store.calls.add_feedback(corrected.id, "correction", '{"intent": "refund", "urgency": 9}', 1.0)
    second = resume.freeze_before(workspace, task.name, _quiet)
    assert second.id != first.id
    workspace.store.calls.add(triage_calls(40, tags={"part": "after"}, task_id=task.id, created_at=1.9e9))
    assert resume.freeze_before(workspace, task.name, _quiet).id == second.id


def test_a_venues_settings_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "freehold.toml"
    tables: dict[str, dict[str, Value]] = {"train": {"minutes": 6.5, "base": 'b"'}, "prove": {"undertrained": True}}
    path.write_text(_settings(tmp_path / 'a "quoted" folder', 1234, 5678, tables), encoding="utf-8")
    settings = load_settings(path, environment={})
    assert settings.whole("gateway.port") == 5678
    assert settings.number("train.minutes") == 6.5
    assert settings.text("train.base") == 'b"'
    assert settings.flag("prove.undertrained")
    assert settings.providers[0].name == "simulated"
    assert settings.state.name == "state"


def test_a_running_demonstration_is_not_wiped_by_a_second_one(tmp_path: Path) -> None:
    kept = tmp_path / "desk" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("x")
    with locked(tmp_path / "desk.lock", "This demonstration"), pytest.raises(BusyError, match="already running"):
        run_demo(folder=tmp_path, data=None, part="usual", fresh=True, as_json=False)
    assert kept.exists()


def test_a_process_that_is_killed_comes_back(tmp_path: Path) -> None:
    port = free_port()
    url, log = f"http://127.0.0.1:{port}/", tmp_path / "server.log"
    command = ["http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with watched("server", command, ready_url=url, log=log):
        first = _pid_of(tmp_path)
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    break
            except OSError:
                time.sleep(0.05)
        assert _pid_of(tmp_path) != first
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port), timeout=2):
        raise AssertionError("the process outlived its block")


def test_a_process_that_cannot_start_says_why_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    command = ["http.server", "--no-such-option"]
    with (
        pytest.raises(EngineError, match="no-such-option"),
        watched("server", command, ready_url=f"http://127.0.0.1:{free_port()}/", log=tmp_path / "log"),
    ):
        raise AssertionError("it started")
    assert time.monotonic() - began < 30


def _pid_of(folder: Path) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words and b"http.server" in words:
                return int(entry.name)
    raise AssertionError("the process is not there")
