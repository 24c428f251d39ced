"""A move stands on the verdict as it was proven, on its receipt, and on the file that was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from compared import compared_workspace, quiet, without_engine
from made import weights
from sqlalchemy import text

from freehold.errors import DataError, StateError
from freehold.model.task import Task
from freehold.ops.artifact_checks import artifact_checks
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.kept_answers import answers_path
from freehold.prove.run.prove import prove_model
from freehold.route.run.grounds import check_grounds
from freehold.route.run.move import move_plan


def _proven(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Workspace, Task]:
    without_engine(monkeypatch)
    workspace, task = compared_workspace(folder, owned=lambda example: example.target)
    prove_model(workspace, task, workspace.dataset(task), workspace.model(task), quiet)
    return workspace, task


def _check(workspace: Workspace, task: Task) -> None:
    (verdict,) = workspace.store.registry.verdicts(task.id)
    check_grounds(workspace, task, verdict, workspace.model(task))


def test_a_verdict_names_the_file_and_the_answers_that_it_rests_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, task = _proven(tmp_path, monkeypatch)
    (verdict,) = workspace.store.registry.verdicts(task.id)
    card = workspace.model(task)
    assert verdict.model_sha256 == card.served_sha256
    assert verdict.answers["count"] > 0
    _check(workspace, task)
    receipt = workspace.store.receipts.of_verdict(verdict.id)
    assert receipt is not None
    named = {one.what: one.state for one in artifact_checks(workspace, [receipt])}
    assert named[f"{verdict.answers['count']} answers of model model-1"] == "unchanged"
    path = answers_path(workspace, card.id)
    path.write_bytes(path.read_bytes().replace(b"sorry", b"happy", 1))
    named = {one.what: one.state for one in artifact_checks(workspace, [receipt])}
    assert named[f"{verdict.answers['count']} answers of model model-1"] == "changed"
    workspace.store.close()


def _another_word(workspace: Workspace, task: Task) -> None:
    (verdict,) = workspace.store.registry.verdicts(task.id)
    document = msgspec.to_builtins(verdict) | {"decision": "hold" if verdict.decision == "move" else "move"}
    with workspace.store._database.writing() as connection:
        connection.execute(
            text("UPDATE verdicts SET document = :document WHERE id = :id"),
            {"document": msgspec.json.encode(document).decode(), "id": verdict.id},
        )


def _another_file(workspace: Workspace, task: Task) -> None:
    Path(workspace.model(task).path, "model.gguf").write_bytes(b"GGUF of somebody else")


def _another_file_and_card(workspace: Workspace, task: Task) -> None:
    card = workspace.model(task)
    workspace.store.registry.put_model(replace(card, **weights(Path(card.path), b"GGUF of somebody else")))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_another_word, DataError, "is not what receipt 1 says"),
        (_another_file, StateError, "is not that of model"),
        (_another_file_and_card, DataError, "not the one that receipt 1 says was proven"),
    ],
)
def test_what_was_changed_moves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Workspace, Task], None],
    error: type[Exception],
    words: str,
) -> None:
    workspace, task = _proven(tmp_path, monkeypatch)
    change(workspace, task)
    with pytest.raises(error, match=words):
        _check(workspace, task)
    workspace.store.close()


def test_an_unproven_verdict_that_says_move_is_refused_by_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engine(monkeypatch)
    workspace, task = compared_workspace(tmp_path, owned=lambda example: "something else")
    verdict = prove_model(workspace, task, workspace.dataset(task), workspace.model(task), quiet)
    assert verdict.decision != "move"
    _another_word(workspace, task)
    with pytest.raises(DataError, match="is not what receipt 1 says"):
        move_plan(workspace, task.name)
    workspace.store.close()
