"""A backup that was stopped or killed leaves no plain copies of calls: at once, or with the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.ops.backup import back_up
from freehold.ops.doctor.machine import check_state
from freehold.ops.drafts import abandoned_drafts, draft_beside
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace

_BACKUP = """
import click, os, sys
from pathlib import Path
from freehold.cli.boundary import Boundary
from freehold.ops.backup import back_up
from freehold.settings import load_settings

state, target, number = sys.argv[1:]

@click.group(cls=Boundary)
def cli(): ...

@cli.command()
def backup():
    settings = load_settings(environment={}, state=state)
    back_up(settings, Path(target), lambda progress: os.kill(os.getpid(), int(number)))

cli(["backup"])
"""


def _quiet(progress: Progress) -> None:
    """Say nothing."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = a_workspace(tmp_path / "state")
    made.store.calls.add(triage_calls(3))
    made.store.close()
    return made


def _broken_off(workspace: Workspace, target: Path, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """A backup that gets this signal as soon as it has copied the database."""
    command = [sys.executable, "-c", _BACKUP, str(workspace.state), str(target), str(int(number))]
    # a program that was started in the background by a shell has SIGINT ignored, and hands that on
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, preexec_fn=heard)


def _copies(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.db") if not path.is_relative_to(folder / "state")]


@pytest.mark.parametrize("name", ["b.tar.gz", "b"])
def test_a_killed_backup_is_told_by_the_doctor_and_removed_by_the_next_one(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "backups"
    done = _broken_off(workspace, folder / name, signal.SIGKILL)
    assert done.returncode == -signal.SIGKILL
    assert _copies(folder)
    (left,) = abandoned_drafts(folder)
    (finding,) = [one for one in check_state(workspace.settings) if one.name == "drafts"]
    assert (finding.level, str(left) in finding.text, finding.hint.endswith(f"rm -r {left}")) == ("warn", True, True)
    back_up(workspace.settings, folder / f"another-{name}", _quiet)
    assert [path.name for path in folder.iterdir()] == [f"another-{name}"]
    assert not [one for one in check_state(workspace.settings) if one.name == "drafts"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_backup_that_is_told_to_stop_leaves_nothing(
    workspace: Workspace, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    done = _broken_off(workspace, tmp_path / "backups" / "b.tar.gz", number)
    assert done.returncode == code, done.stderr
    assert "the same command goes on from there" in " ".join(done.stderr.split())
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_draft_that_is_being_made_is_left_alone(tmp_path: Path) -> None:
    with draft_beside(tmp_path / "one") as first:
        (first / "freehold.db").write_bytes(b"copy")
        assert abandoned_drafts(tmp_path) == []
        with draft_beside(tmp_path / "two"):
            assert (first / "freehold.db").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".download.partial").mkdir()
    assert abandoned_drafts(tmp_path) == []
    with draft_beside(tmp_path / "one"):
        assert (tmp_path / ".download.partial").exists()
