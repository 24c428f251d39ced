"""What the command line says of a model whose training was cut short, verb by verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made import Run, a_workspace

from freehold.model import ModelCard
from freehold.pipeline import runs
from freehold.pipeline.workspace import Workspace

TASK = "triage-support-desk"
NEXT = f"freehold train {TASK} --minutes 75"
CUT: dict[str, Any] = {"steps": 19, "examples": 1792, "seconds": 360.0, "epochs": 0.085, "ended_by": "minutes"}


def _card(workspace: Workspace, metrics: dict[str, Any]) -> ModelCard:
    (task,) = (task for task in workspace.store.registry.tasks() if task.name == TASK)
    (dataset,) = workspace.store.registry.datasets(task.id)
    return ModelCard(
        id="m1",
        task_id=task.id,
        base="b",
        base_sha256="c",
        dataset_hash=dataset.id,
        recipe={"batch_size": 8, "epochs": 10.0, "max_minutes": 6.0},
        seed=0,
        metrics=metrics | {"dev_curve": [[10, 1.5], [19, 1.4]]},
        path="/m",
        parity={"is_ok": True},
    )


@pytest.fixture
def undertrained(recorded: Run, tmp_path: Path) -> Run:
    """A task with a model that made 19 steps."""
    assert recorded("tasks").exit_code == 0
    assert recorded("freeze", TASK).exit_code == 0
    workspace = a_workspace(tmp_path / ".freehold")
    workspace.store.registry.put_model(_card(workspace, CUT))
    workspace.store.close()
    return recorded


def test_a_proof_is_refused_in_one_line_with_the_training_that_is_next(undertrained: Run) -> None:
    for flags in ((), ("--json",), ("--judge", "gpt-5", "--yes", "--budget", "1")):
        result = undertrained("prove", TASK, *flags)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert "19 steps, 0.0848 passes" in result.stderr
        assert NEXT in result.stderr
        assert "--undertrained" in result.stderr


def test_the_flag_goes_past_the_refusal(undertrained: Run) -> None:
    result = undertrained("prove", TASK, "--undertrained")
    assert "is not proven" not in result.stderr
    assert "model file" in result.stderr  # the next thing that stands in its way


def test_a_plan_and_the_list_of_tasks_say_the_same(undertrained: Run) -> None:
    plan = undertrained("prove", TASK, "--plan")
    assert plan.exit_code == 0
    assert "Train it on first" in plan.stdout
    assert plan.stderr.strip().endswith(f"Next: {NEXT}")
    assert json.loads(undertrained("prove", TASK, "--plan", "--json").stdout)["training"]["next"] == NEXT
    tasks = undertrained("tasks")
    assert f"next: {NEXT}" in tasks.stdout


@pytest.mark.parametrize("is_cut_short", [True, False])
def test_a_training_says_at_once_that_it_was_too_little(
    undertrained: Run, monkeypatch: pytest.MonkeyPatch, is_cut_short: bool
) -> None:
    metrics = CUT if is_cut_short else CUT | {"steps": 2240, "epochs": 10.0, "ended_by": "epochs"}
    monkeypatch.setattr(runs, "train_task", lambda workspace, *_: _card(workspace, metrics))
    result = undertrained("train", TASK)
    assert result.exit_code == 0
    assert ("The training was cut short" in result.stderr) is is_cut_short
    assert result.stderr.strip().endswith(f"Next: {NEXT if is_cut_short else f'freehold prove {TASK}'}")
    assert "dev_curve 10:1.5 19:1.4" in result.stdout
