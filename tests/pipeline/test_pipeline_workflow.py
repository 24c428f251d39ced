"""The durable road: killed walks go on, finished ones are not walked twice, failed ones try again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from walker import walked

WALKER = Path(__file__).with_name("walker.py")
WAIT_S = 60.0


class Walks:
    """Walks a road of scripted stages: here, or in a process of its own that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script: dict[str, str] = {}

    def start(self, **plan: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(WALKER), str(self.folder), json.dumps(plan), json.dumps(self.script)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def walk(self, **plan: Any) -> dict[str, Any]:
        return walked(self.folder, plan, self.script)

    def kill_in(self, stage: str, **plan: Any) -> None:
        """Start a walk and kill it with -9 while it is in a stage."""
        self.script = {"hang": stage}
        process = self.start(**plan)
        deadline = time.monotonic() + WAIT_S
        while f"{stage} began" not in self.log and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert f"{stage} began" in self.log
        self.script = {}

    @property
    def log(self) -> list[str]:
        path = self.folder / "log.txt"
        return path.read_text().splitlines() if path.exists() else []

    def ended(self) -> list[str]:
        return [line.removesuffix(" ended") for line in self.log if line.endswith(" ended")]


@pytest.fixture
def walks(tmp_path: Path) -> Walks:
    return Walks(tmp_path)


def test_a_whole_walk_and_a_second_one_that_finds_it_done(walks: Walks) -> None:
    first = walks.walk(mark="1")
    assert walks.ended() == ["freeze", "train", "check", "prove", "move"]
    assert first["walked"] == {
        "dataset_hash": "made by freeze",
        "model_id": "made by train",
        "verdict_id": "made by prove",
        "decision": "move",
        "route_version": 1,
    }
    assert walks.walk(mark="1") == first
    assert len(walks.ended()) == 5
    walks.walk(mark="2: new calls have come")
    assert len(walks.ended()) == 10


@pytest.mark.parametrize("stage", ["freeze", "prove"])
def test_a_walk_killed_in_a_stage_goes_on_there(walks: Walks, stage: str) -> None:
    walks.kill_in(stage, mark="1")
    before = walks.ended()
    result = walks.walk(mark="2 new calls came meanwhile")
    assert result["walked"]["decision"] == "move"
    assert walks.ended() == ["freeze", "train", "check", "prove", "move"]
    assert walks.log.count(f"{stage} began") == 2
    assert before == walks.ended()[: len(before)]


def test_other_settings_do_not_take_over_a_killed_walk(walks: Walks) -> None:
    walks.kill_in("train", mark="1", options=[["train.minutes", 40.0]])
    walks.walk(mark="1", options=[["train.minutes", 5.0]])
    assert walks.log.count("freeze began") == 2
    walks.walk(mark="1", options=[["train.minutes", 40.0]])
    assert walks.ended().count("freeze") == 2
    assert walks.ended().count("train") == 2


def test_a_failed_walk_starts_again_and_its_error_comes_through(walks: Walks) -> None:
    walks.script = {"fail": "train"}
    failed = walks.walk(mark="1")
    assert failed["error"] == ["DataError", "The stage 'train' failed.", "Do this next."]
    walks.script = {}
    assert walks.walk(mark="1")["walked"]
    assert walks.ended() == ["freeze", "freeze", "train", "check", "prove", "move"]


def test_a_bug_in_a_stage_is_not_dressed_up(walks: Walks) -> None:
    walks.script = {"break": "freeze"}
    assert walks.walk(mark="1")["error"] == ["ZeroDivisionError", "division by zero", ""]


def test_a_finished_walk_is_walked_again_when_its_work_is_gone(walks: Walks) -> None:
    walks.walk(mark="1")
    walks.script = {"gone": "train"}
    walks.walk(mark="1")
    assert walks.ended().count("train") == 2


def test_two_at_once_on_one_task_are_told_apart(walks: Walks) -> None:
    walks.script = {"hang": "freeze"}
    process = walks.start(mark="1")
    deadline = time.monotonic() + WAIT_S
    while "freeze began" not in walks.log and time.monotonic() < deadline:
        time.sleep(0.02)
    second = walks.walk(mark="1")
    process.kill()
    process.communicate()
    kind, message, hint = second["error"]
    assert kind == "BusyError"
    assert f"process {process.pid}" in message
    assert hint


def test_garbage_in_the_workflows_file_is_one_clear_error(walks: Walks) -> None:
    (walks.folder / "state").mkdir()
    (walks.folder / "state" / "loop.db").write_bytes(b"no database " * 1000)
    kind, message, hint = walks.walk(mark="1")["error"]
    assert kind == "StateError"
    assert "loop.db" in message
    assert hint
