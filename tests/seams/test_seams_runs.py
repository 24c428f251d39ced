"""Another engine, trainer, student or prompt step is another run; with ours a run has the id that it had before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.model import ModelCard
from freehold.model.task import Task
from freehold.pipeline import runs
from freehold.pipeline.steps import Steps
from freehold.pipeline.workflow import Plan
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls

STAGES = ("freeze", "train", "check", "prove")
OURS = {
    "freeze.prompt_steps": "strip",
    "serve.engine": "llamacpp",
    "train.student": "generator",
    "train.trainer": "lora",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path / "state")
    opened.store.calls.add(triage_calls(60))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def _plan(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, stages: tuple[str, ...]) -> Plan:
    plans: list[Plan] = []
    monkeypatch.setattr(runs, "run_pipeline", lambda _workspace, _task, plan, _steps: plans.append(plan))
    (task,) = workspace.store.registry.tasks()
    runs._run(workspace, task, lambda _progress: None, stages)
    return plans[0]


def test_what_is_chosen_makes_another_run_and_our_own_choices_none(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _plan(workspace, monkeypatch, STAGES)
    assert not {key for key, _ in plain.options} & OURS.keys()
    assert {key: workspace.settings.values[key] for key in OURS} == OURS
    for key in OURS:
        other = replace(workspace, settings=workspace.settings.override({key: "theirs"}))
        chosen = _plan(other, monkeypatch, STAGES)
        assert (key, "theirs") in chosen.options
        assert chosen.kind != plain.kind
    other = replace(workspace, settings=workspace.settings.override({"serve.engine": "theirs"}))
    for stages in (("train", "check"), ("prove",)):
        assert _plan(other, monkeypatch, stages).kind != _plan(workspace, monkeypatch, stages).kind


def test_a_check_counts_while_it_was_made_with_the_engine_that_is_set(workspace: Workspace) -> None:
    (task,) = workspace.store.registry.tasks()
    values = {"base": "b", "base_sha256": "0", "dataset_hash": "d", "recipe": {}, "seed": 0, "metrics": {}}
    card = ModelCard(id="m1", task_id=task.id, path="p", **values)

    def is_kept(parity: dict[str, object], engine: str) -> bool:
        workspace.store.registry.put_model(replace(card, parity=parity))
        return _steps(workspace, task, engine).is_kept("check", {"model_id": "m1"})

    assert is_kept({"is_ok": True}, "llamacpp")
    assert not is_kept({"is_ok": True}, "theirs")
    assert is_kept({"is_ok": True, "engine": "theirs"}, "theirs")
    assert not is_kept({"is_ok": True, "engine": "theirs"}, "llamacpp")
    assert not is_kept({"is_ok": False}, "llamacpp")


def _steps(workspace: Workspace, task: Task, engine: str) -> Steps:
    chosen = replace(workspace, settings=workspace.settings.override({"serve.engine": engine}))
    return Steps(chosen, task, lambda _progress: None)
