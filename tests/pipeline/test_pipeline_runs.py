"""A run is another one as soon as anything is asked for differently."""

from __future__ import annotations

from pathlib import Path

import pytest
from compared import quiet
from made import a_workspace, triage_calls

from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard
from freehold.pipeline import runs
from freehold.pipeline.workflow import Plan, RunResult
from freehold.pipeline.workspace import Workspace
from freehold.settings import SETTINGS
from freehold.sort.run.sort import sort_new_calls

OTHER = {
    "prove.contract": "B",
    "prove.metrics": "exact, valid",
    "prove.fresh": True,
    "prove.undertrained": True,
    "prove.seed": 7,
    "prove.judge": "gpt-5",
    "prove.judge_calls": 40,
    "prove.labels": 90,
    "prove.least_labels": 70,
}


def test_every_setting_of_the_proof_makes_another_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(120))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    dataset_hash = freeze(workspace, task, lambda _progress: None)
    card = ModelCard(
        id="m1",
        task_id=task.id,
        base="b",
        base_sha256="s",
        dataset_hash=dataset_hash,
        recipe={},
        seed=0,
        metrics={},
        path="p",
    )
    workspace.store.registry.put_model(card)
    kinds: list[str] = []

    def walked(_workspace: object, _task: object, plan: Plan, _stages: object) -> RunResult:
        kinds.append(plan.kind)
        return RunResult(verdict_id="none")

    monkeypatch.setattr(runs, "run_pipeline", walked)
    keys = [setting.key for setting in SETTINGS if setting.section == "prove"]
    for changed in ("", *keys):
        values = {changed: OTHER.get(changed, 0.31)} if changed else {}
        asked = Workspace(workspace.settings.override(values), workspace.store)
        with pytest.raises(Exception, match="none"):
            runs.prove_task(asked, task.name, None, lambda _progress: None)
    assert len(keys) >= 9
    assert len(set(kinds)) == len(keys) + 1


@pytest.mark.parametrize(("kind", "value"), [("correction", '{"intent": "none"}'), ("boolean", "false")])
def test_what_people_say_of_an_answer_makes_another_dataset(tmp_path: Path, kind: str, value: str) -> None:
    workspace = a_workspace(tmp_path)
    calls = triage_calls(120)
    workspace.store.calls.add(calls)
    before = runs.freeze_task(workspace, "triage-support-desk", quiet).id
    assert runs.freeze_task(workspace, "triage-support-desk", quiet).id == before
    workspace.store.calls.add_feedback(calls[-1].id, kind, value, 1.0)
    assert runs.freeze_task(workspace, "triage-support-desk", quiet).id != before
