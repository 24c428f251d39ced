"""Routes are planned, put and taken back, and say how they fare."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made import BEGAN_AT, a_call, a_workspace, answer_body, triage_calls, weights
from msgspec import structs

from freehold.errors import BusyError, DataError, NotFoundError
from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard, Verdict
from freehold.model.dataset import Manifest
from freehold.model.task import Task
from freehold.pipeline.overview import overviews
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace
from freehold.route.run.move import back_plan, move_plan, put_route, return_all, shadow_plan
from freehold.route.run.route_status import route_statuses
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(120))
    sort_new_calls(workspace)
    return workspace


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def _task(workspace: Workspace) -> Task:
    (task,) = workspace.store.registry.tasks()
    return task


def _proven(workspace: Workspace, decision: str = "move", median_ms: float = 50.0) -> Task:
    task = _task(workspace)
    dataset_hash = freeze(workspace, task, _quiet)
    card = ModelCard(
        id="model1",
        task_id=task.id,
        base="smollm2-135m",
        base_sha256="b",
        dataset_hash=dataset_hash,
        recipe={},
        seed=0,
        metrics={"max_output_tokens": 40},
        **weights(workspace.state / "models" / "model1"),
    )
    workspace.store.registry.put_model(card)
    workspace.store.registry.put_verdict(
        Verdict(
            id="verdict1",
            task_id=task.id,
            model_id=card.id,
            dataset_hash=dataset_hash,
            decision=decision,
            threshold=0.8,
            coverage=0.6,
            margin=0.02,
            risk=0.05,
            evidence={"speed": {"latency_p50_ms": median_ms}},
        )
    )
    return task


def test_nothing_moves_before_a_proof(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="Run: freehold prove"):
        move_plan(workspace, _task(workspace).name)
    with pytest.raises(DataError, match="not 'move'"):
        move_plan(workspace, _proven(workspace, "hold").name)
    with pytest.raises(NotFoundError, match="Did you mean"):
        move_plan(workspace, _task(workspace).name + "s")


def test_move_and_back(workspace: Workspace) -> None:
    task = _proven(workspace)
    plan = move_plan(workspace, task.name)
    assert "about 60%" in plan.text
    assert task.name in plan.text
    moved = put_route(workspace, plan.route)
    assert (moved.kind, moved.version, moved.threshold, moved.max_output_tokens) == ("cascade", 1, 0.8, 40)
    assert workspace.store.registry.route(task.id) == moved
    assert return_all(workspace, task.id).version == 2
    assert workspace.store.registry.route(task.id).kind == "rented"


def test_a_ramp_that_could_not_end_is_refused(workspace: Workspace) -> None:
    task = _proven(workspace)
    (verdict,) = workspace.store.registry.verdicts(task.id)
    assert move_plan(workspace, task.name, is_ramped=True).route.kind == "canary"
    workspace.store.registry.put_verdict(replace(verdict, expected={"differing_share": 0.24}))
    with pytest.raises(DataError, match="differs from the provider in 24% of the calls"):
        move_plan(workspace, task.name, is_ramped=True)
    assert move_plan(workspace, task.name).route.kind == "cascade"


def test_a_plan_that_is_out_of_date_is_refused_but_back_always_works(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _proven(workspace)
    plan = move_plan(workspace, task.name)
    stale_back = back_plan(workspace, task.name)
    put_route(workspace, plan.route)
    with pytest.raises(BusyError, match="version 1 is taken"):
        put_route(workspace, plan.route)
    return_all(workspace, task.name)
    put_route(workspace, move_plan(workspace, task.name).route)
    plans = iter([stale_back, stale_back])
    monkeypatch.setattr(
        "freehold.route.run.move.back_plan", lambda *args: next(plans, None) or back_plan(workspace, task.name)
    )
    assert return_all(workspace, task.name).version == 4


def test_what_is_in_place_is_said_so_and_put_no_second_time(workspace: Workspace) -> None:
    task = _proven(workspace)
    assert back_plan(workspace, task.name).is_in_place
    assert return_all(workspace, task.name).version == 0
    return_all(workspace, task.name)
    for is_ramped in (True, False):
        plan = move_plan(workspace, task.name, is_ramped=is_ramped)
        assert not plan.is_in_place
        put_route(workspace, plan.route)
        assert move_plan(workspace, task.name, is_ramped=is_ramped).is_in_place
        assert not move_plan(workspace, task.name, is_ramped=not is_ramped).is_in_place
    return_all(workspace, task.name)
    (card,) = workspace.store.registry.models(task.id)
    workspace.store.registry.put_model(replace(card, parity={"is_ok": True}))
    assert not shadow_plan(workspace, task.name).is_in_place
    put_route(workspace, shadow_plan(workspace, task.name).route)
    assert shadow_plan(workspace, task.name).is_in_place
    assert not back_plan(workspace, task.name).is_in_place


def test_live_figures_are_of_calls_since_the_route_was_put(workspace: Workspace) -> None:
    task = _proven(workspace)
    route = put_route(workspace, move_plan(workspace, task.name).route)
    after = route.created_at + 1
    asked = triage_calls(4, created_at=after, task_id=task.id)
    owned = [structs.replace(call, arm="owned", latency_ms=20.0, cost_usd=0.0) for call in asked[:3]]
    other = answer_body(json.dumps({"intent": "other", "urgency": 9}))
    audits = [
        a_call(arm="audit", parent_id=owned[0].id, task_id=task.id, created_at=after, response_body=body)
        for body in (owned[0].response_body, other)
    ]
    workspace.store.calls.add([*owned, asked[3], *audits])
    (view,) = route_statuses(workspace)
    assert (view.route, view.version) == ("cascade", 1)
    assert (view.figures.calls, view.figures.local, view.figures.audits, view.figures.agreed) == (4, 3, 2, 1)
    assert view.agreement_text.startswith("50% [")
    assert (view.figures.owned_p50_ms, view.figures.rented_p50_ms) == (20.0, 100.0)
    assert view.plain()["calls"] == 4


def test_without_calls_everything_is_unknown(workspace: Workspace) -> None:
    put_route(workspace, move_plan(workspace, _proven(workspace).name).route)
    return_all(workspace, _task(workspace).name)
    (view,) = route_statuses(workspace)
    assert (view.figures.share_local, view.figures.saved_usd, view.agreement_text) == (None, None, "none yet")


def test_corrections_become_targets(workspace: Workspace) -> None:
    task = _task(workspace)
    before = freeze(workspace, task, _quiet)
    assert freeze(workspace, task, _quiet) == before
    call = next(iter(workspace.store.calls.stream(CallFilter(task_id=task.id))))
    workspace.store.calls.add_feedback(call.id, "correction", '{"intent": "invoice", "urgency": 2}', 1.0)
    after = workspace.store.registry.dataset(freeze(workspace, task, _quiet))
    assert after is not None
    assert after.id != before
    assert after.manifest.corrected == 1
    rows = [json.loads(line) for split in ("train", "dev", "proof") for line in _lines(after.path, split)]
    (corrected,) = [row for row in rows if row["source"] == "correction"]
    assert json.loads(corrected["target"]) == {"intent": "invoice", "urgency": 2}


def _manifest(workspace: Workspace, task: Task) -> Manifest:
    row = workspace.store.registry.dataset(freeze(workspace, task, _quiet))
    assert row is not None
    return row.manifest


def test_owned_answers_are_no_evidence_of_what_was_wanted(workspace: Workspace) -> None:
    task = _task(workspace)
    before = _manifest(workspace, task)
    late = BEGAN_AT + 60.0 * 119.5
    workspace.store.calls.add(triage_calls(40, arm="owned", task_id=task.id))
    workspace.store.calls.add([a_call(arm="owned", task_id=task.id, created_at=late) for _ in range(7)])
    workspace.store.calls.add([a_call(task_id=task.id, created_at=late, redaction="deleted", request_body=b"")])
    after = _manifest(workspace, task)
    assert after.files == before.files
    assert after.dropped == {**before.dropped, "answered_locally": 47, "unreadable": 1}
    assert after.unspoken == {**before.unspoken, "answered_locally": 7, "unreadable": 1}
    assert after.calls_seen == before.calls_seen + 48


def test_a_local_answer_that_was_audited_is_known_by_what_the_provider_said(workspace: Workspace) -> None:
    task = _task(workspace)
    owned = triage_calls(160, arm="owned", task_id=task.id, response_body=answer_body("{}"))[120:]
    said = [answer_body(json.dumps({"intent": "audited", "urgency": i})) for i in range(10)]
    audits = [
        structs.replace(call, id=f"audit{i}", arm="audit", parent_id=call.id, response_body=said[i])
        for i, call in enumerate(owned[:10])
    ]
    workspace.store.calls.add([*owned, *audits])
    workspace.store.calls.add_feedback(owned[0].id, "boolean", "false", 1.0)  # what people say of the owned answer
    row = workspace.store.registry.dataset(freeze(workspace, task, _quiet))
    assert row is not None
    rows = [json.loads(line) for split in ("train", "dev", "proof") for line in _lines(row.path, split)]
    found = {one["id"]: one for one in rows if "audited" in one["target"]}
    assert set(found) == {call.id for call in owned[:10]}
    assert {one["source"] for one in found.values()} == {"provider"}
    assert row.manifest.dropped["answered_locally"] == 30


def test_an_overview_says_what_is_next(workspace: Workspace) -> None:
    assert overviews(workspace)[0].next_step == f"freehold freeze {_task(workspace).name}"
    task = _proven(workspace)
    view = overviews(workspace)[0]
    assert view.next_step == f"freehold move {task.name}"
    assert view.plain()["verdict"] == "move"
    put_route(workspace, move_plan(workspace, task.name).route)
    assert "freehold back" in overviews(workspace)[0].next_step


def _lines(folder: str, split: str) -> list[str]:
    return Path(folder, f"{split}.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("median_ms", "is_slow"), [(390.0, False), (3_900.0, True)])
def test_a_plan_says_when_the_engine_would_be_too_slow(workspace: Workspace, median_ms: float, is_slow: bool) -> None:
    task = _proven(workspace, median_ms=median_ms)
    text = move_plan(workspace, task.name).text
    assert (
        "slow     half of the answers took 3.9 s or more in the proof, and a call waits 0.4 s at most" in text
    ) == is_slow
    patient = replace(workspace, settings=workspace.settings.override({"route.slack_ms": 9_000.0}))
    assert "slow " not in move_plan(patient, task.name).text
