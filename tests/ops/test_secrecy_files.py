"""What Freehold keeps is for its own account alone, also in a folder that was there before and open to all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import Run, a_workspace, triage_calls

from freehold.ops.doctor.machine import check_state
from freehold.ops.privacy import keep_private, open_to_others
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls


@pytest.fixture(autouse=True)
def lax_mask() -> Iterator[None]:
    """The mask that most accounts have."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def _open(folder: Path) -> list[str]:
    everything = [folder, *folder.rglob("*")]
    return [str(path) for path in everything if not path.is_symlink() and _mode(path) & 0o077]


def test_a_folder_that_was_open_to_all_holds_no_file_that_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    workspace = a_workspace(state)
    workspace.store.calls.add(triage_calls(5))
    for name in ("freehold.db", "freehold.db-wal", "freehold.db-shm"):
        path = workspace.state / name
        assert not path.exists() or _mode(path) == 0o600, name
    workspace.store.close()


def test_every_verb_leaves_nothing_open(run: Run, tmp_path: Path) -> None:
    state = tmp_path / ".freehold"
    state.mkdir(mode=0o755)
    (state / "logs").mkdir(mode=0o755)
    (state / "logs" / "old").write_text("x")
    os.symlink("/etc/hostname", state / "logs" / "link")
    hosts = _mode(Path("/etc/hostname")) if Path("/etc/hostname").exists() else None
    for verb in (("tasks",), ("calls",), ("status",), ("keys", "add", "a"), ("receipts",)):
        assert run(*verb).exit_code == 0
        assert _open(state) == []
    assert hosts is None or _mode(Path("/etc/hostname")) == hosts, "links are not followed"
    assert os.umask(0o022) == 0o022, "and the caller's mask is as it was"


def test_a_process_of_its_own_writes_private_files(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    command = [sys.executable, "-m", "freehold", "--state", str(state), "tasks"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert _open(state) == []
    assert "private now" in done.stderr
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "private" not in again.stderr


def test_a_database_that_was_readable_is_no_more(run: Run, tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / ".freehold")
    workspace.store.calls.add(triage_calls(3))
    sort_new_calls(workspace)
    workspace.store.close()
    found = list((tmp_path / ".freehold").rglob("freehold.db*"))
    assert found
    for path in (tmp_path / ".freehold", *found):
        path.chmod(0o755 if path.is_dir() else 0o644)
    settings = load_settings(environment={}, state=str(found[0].parent))
    assert any("others" in finding.text and finding.level == "warn" for finding in check_state(settings))
    assert run("--state", str(found[0].parent), "tasks").exit_code == 0
    assert not list(open_to_others(found[0].parent))
    assert not any("others" in finding.text for finding in check_state(settings))


def test_a_place_for_more_than_the_state_keeps_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freehold.db").write_text("")
    (tmp_path / "mine.txt").write_text("")
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    keep_private(tmp_path)
    assert (_mode(tmp_path), _mode(tmp_path / "mine.txt")) == (0o755, 0o644)
    assert _mode(tmp_path / "freehold.db") == 0o600
