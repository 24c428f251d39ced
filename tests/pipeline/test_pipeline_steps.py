"""What a finished walk made is looked at before the walk is taken for finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.errors import BusyError, NotFoundError, StateError
from freehold.freeze.run.freeze import freeze, verify_dataset
from freehold.model import ModelCard
from freehold.model.ids import sha256_hex
from freehold.model.task import Task
from freehold.pipeline.locks import in_turn, locked
from freehold.pipeline.progress import Progress
from freehold.pipeline.steps import Steps
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.train.run.train import model_file


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(120))
    sort_new_calls(workspace)
    return workspace


def _task(workspace: Workspace) -> Task:
    (task,) = workspace.store.registry.tasks()
    return task


def test_a_dataset_is_kept_while_it_is_whole_and_the_newest(workspace: Workspace) -> None:
    task = _task(workspace)
    stages = Steps(workspace, task, _quiet)
    done = stages.run("freeze", {})
    assert stages.is_kept("freeze", done)
    assert not stages.is_kept("freeze", {"dataset_hash": "another"})
    folder, problems = verify_dataset(workspace, task.name)
    assert problems == []
    train = folder / "train.jsonl"
    train.chmod(0o644)
    train.write_bytes(train.read_bytes()[:-20])
    assert not stages.is_kept("freeze", done)
    assert verify_dataset(workspace, str(folder))[1] != []
    with pytest.raises(StateError, match="damaged"):
        freeze(workspace, task, _quiet)


def test_a_model_is_kept_while_its_file_is_the_one_that_was_exported(workspace: Workspace) -> None:
    task = _task(workspace)
    stages = Steps(workspace, task, _quiet)
    folder = workspace.folder("models") / "m1"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF weights")
    card = ModelCard(
        id="m1",
        task_id=task.id,
        base="b",
        base_sha256="c",
        dataset_hash="d",
        recipe={},
        seed=0,
        metrics={},
        path=str(folder),
        files={"model.gguf": sha256_hex(b"GGUF weights")},
    )
    workspace.store.registry.put_model(card)
    assert model_file(task, card) == folder / "model.gguf"
    assert stages.is_kept("train", {"model_id": "m1"})
    (folder / "model.gguf").write_bytes(b"GGUF weighs")
    with pytest.raises(StateError, match=r"not that of model m1.*freehold train"):
        model_file(task, card)
    assert not stages.is_kept("train", {"model_id": "m1"})
    (folder / "model.gguf").unlink()
    with pytest.raises(StateError, match="not there"):
        model_file(task, card)


def test_a_move_is_kept_while_its_route_holds(workspace: Workspace) -> None:
    stages = Steps(workspace, _task(workspace), _quiet)
    assert stages.is_kept("move", {"decision": "hold"})
    assert not stages.is_kept("move", {"decision": "move", "route_version": 1})
    assert stages.is_kept("check", {})
    with pytest.raises(ValueError, match="no stage"):
        stages.run("dance", {})


def test_an_unknown_task_names_the_nearest(workspace: Workspace) -> None:
    name = _task(workspace).name
    with pytest.raises(NotFoundError, match=f"Did you mean '{name}'"):
        workspace.task(name[:-1])
    with pytest.raises(NotFoundError, match="Known tasks: "):
        workspace.task("zzzzzzzz")
    assert workspace.task(_task(workspace).id).name == name


def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="freehold up"):
        a_workspace(tmp_path).task("triage")


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(StateError, match="is a file"):
        open_workspace(load_settings(environment={}, state=str(tmp_path / "state")))


def test_a_lock_names_its_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a.lock"
    refused = pytest.raises(BusyError, match=r"Work on 'a' is already running: process \d+")
    with locked(path, "Work on 'a'"), refused, locked(path, "Work on 'a'"):
        raise AssertionError("two held one lock")
    with locked(path, "Work on 'a'"):
        assert path.read_text().startswith("process ")
    with in_turn(tmp_path / "b.lock"):
        assert (tmp_path / "b.lock").exists()
