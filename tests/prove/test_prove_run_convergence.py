"""A proof of an undertrained model is refused before it costs an attempt, and the same advice is given everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import quiet
from made import a_workspace, triage_calls

from freehold.errors import UndertrainedError
from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard, OwnedAnswer, Verdict
from freehold.model.task import Task
from freehold.pipeline.overview import overviews
from freehold.pipeline.runs import prove_task
from freehold.pipeline.workspace import Workspace
from freehold.prove.run import prove as prove_stage
from freehold.prove.run.proof_plan import plan_proof
from freehold.sort.run.sort import sort_new_calls

NEXT = "freehold train triage-support-desk --minutes 75"
CUT: dict[str, Any] = {"steps": 19, "examples": 1792, "seconds": 360.0, "epochs": 0.085, "ended_by": "minutes"}
WHOLE: dict[str, Any] = {"steps": 2240, "examples": 1792, "seconds": 360.0, "epochs": 10.0, "ended_by": "epochs"}
RECIPE: dict[str, Any] = {"batch_size": 8, "epochs": 10.0, "max_minutes": 6.0, "max_steps": None}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path)
    opened.store.calls.add(triage_calls(400))
    sort_new_calls(opened)
    answer = OwnedAnswer(text='{"intent": "none"}', logprobs=(-0.1,), latency_ms=1.0, output_tokens=1)
    monkeypatch.setattr(prove_stage, "asking", lambda *_: nullcontext(lambda some: [answer] * len(some)))
    yield opened
    opened.store.close()


def _model(workspace: Workspace, metrics: dict[str, Any], name: str = "m1", created_at: float = 1.0) -> Task:
    (task,) = workspace.store.registry.tasks()
    datasets = workspace.store.registry.datasets(task.id)
    dataset_hash = datasets[0].id if datasets else freeze(workspace, task, quiet)
    workspace.store.registry.put_model(
        ModelCard(
            id=name,
            task_id=task.id,
            base="b",
            base_sha256="s",
            dataset_hash=dataset_hash,
            recipe=RECIPE,
            seed=0,
            metrics=metrics,
            path="p",
            parity={"is_ok": True},
            created_at=created_at,
        )
    )
    return task


def _next(workspace: Workspace) -> str:
    (view,) = overviews(workspace)
    return view.next_step


def test_a_model_whose_training_was_cut_short_costs_no_attempt(workspace: Workspace) -> None:
    task = _model(workspace, CUT)
    for _ in range(2):  # a proof that was refused goes on being refused
        with pytest.raises(UndertrainedError) as caught:
            prove_task(workspace, task.name, None, quiet)
        assert "19 steps, 0.0848 passes" in caught.value.message
        assert NEXT in caught.value.hint
        assert "--undertrained" in caught.value.hint
    assert workspace.store.attempts.next_number(task.id) == 1
    assert workspace.store.registry.verdicts(task.id) == []
    assert _next(workspace) == NEXT
    plan = plan_proof(workspace, task.name)
    assert plan.training is not None
    assert plan.training.next == NEXT


def test_a_proof_that_goes_on_has_the_caution_in_its_report(workspace: Workspace) -> None:
    task = _model(workspace, CUT)
    asked = Workspace(workspace.settings.override({"prove.undertrained": True}), workspace.store)
    verdict = prove_task(asked, task.name, None, quiet)
    assert verdict.decision in ("hold", "need")
    report = " ".join((Path(verdict.report_path).parent / "report.txt").read_text(encoding="utf-8").split())
    assert "The training was cut short: its limit of time ended it after 19 steps, 0.0848 passes" in report
    assert NEXT in report
    assert "more calls or corrections" not in report
    assert verdict.evidence["facts"]["training"]["next"] == NEXT
    assert _next(workspace) == NEXT
    assert prove_task(asked, task.name, None, quiet).id == verdict.id


def test_a_model_that_was_trained_to_its_planned_end_gets_no_such_advice(workspace: Workspace) -> None:
    task = _model(workspace, WHOLE)
    assert _next(workspace) == f"freehold prove {task.name}"
    assert plan_proof(workspace, task.name).training is None
    verdict = prove_task(workspace, task.name, None, quiet)
    assert verdict.evidence["facts"]["training"] == {}
    report = (Path(verdict.report_path).parent / "report.txt").read_text(encoding="utf-8")
    assert "cut short" not in report
    assert "longer training" not in report
    assert "freehold train" not in report
    assert "freehold freeze" in _next(workspace)


def test_a_model_that_was_trained_again_is_proven_next(workspace: Workspace) -> None:
    task = _model(workspace, CUT)
    prove_task(
        Workspace(workspace.settings.override({"prove.undertrained": True}), workspace.store), task.name, None, quiet
    )
    _model(workspace, WHOLE, "m2", created_at=2.0)
    assert _next(workspace) == f"freehold prove {task.name}"


def test_a_proof_that_has_its_attempt_and_a_moved_model_are_not_refused(workspace: Workspace) -> None:
    task = _model(workspace, CUT)
    dataset, card = workspace.dataset(task), workspace.model(task, "m1")
    name = prove_stage.proof_id(card, dataset, prove_stage.proof_settings(workspace), is_compared=False)
    workspace.store.attempts.claim(task.id, name, [], 1.0)
    assert prove_task(workspace, task.name, None, quiet).attempt == 1
    moved = Verdict(id="v0", task_id=task.id, model_id="m1", dataset_hash=dataset.id, decision="move", margin=0, risk=0)
    other = Workspace(workspace.settings.override({"prove.seed": 7}), workspace.store)
    with pytest.raises(UndertrainedError):
        prove_task(other, task.name, None, quiet)
    workspace.store.registry.put_verdict(replace(moved, created_at=0.5))
    assert prove_task(other, task.name, None, quiet).attempt == 2
