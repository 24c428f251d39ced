"""Attempts are numbered once each, whoever claims them; a plan of the next proof says what it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import BEGAN_AT, a_workspace, triage_calls
from msgspec import structs

from freehold.freeze import load
from freehold.freeze.run.freeze import freeze
from freehold.model import Verdict
from freehold.pipeline.workspace import Workspace
from freehold.prove import call_mark
from freehold.prove.run.proof_plan import plan_proof
from freehold.sort.run.sort import sort_new_calls

SEEN: dict[str, Any] = {
    "calls": 400,
    "paired": {"n": 400, "users": 400, "discordance": 0.1, "difference": 0.0, "metrics": 1},
    "cascade": {"curve": [{"local": 300, "wrong": 2}, {"local": 360, "wrong": 30}], "is_by_user": False},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path)
    opened.store.calls.add(triage_calls(60))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def test_one_proof_is_one_attempt_and_others_get_other_numbers(workspace: Workspace) -> None:
    attempts = workspace.store.attempts
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda i: attempts.claim("t", f"proof-{i % 6}", ["a", f"b{i}"], 1.0), range(18)))
    by_id = {row.id: row.number for row in rows}
    assert sorted(by_id.values()) == [1, 2, 3, 4, 5, 6]
    assert all(by_id[row.id] == row.number for row in rows)
    assert attempts.next_number("t") == 7
    assert attempts.next_number("another") == 1
    assert [row.number for row in attempts.of_task("t", before=3)] == [1, 2]


def test_a_plan_before_any_proof_is_from_assumed_figures(workspace: Workspace) -> None:
    name = workspace.store.registry.tasks()[0].name
    plan = plan_proof(workspace, name)
    assert plan.basis == "assumed"
    assert plan.can_provider_err is None
    assert plan.attempt == 1
    assert {row.way for row in plan.rows} == {"whole", "cascade"}
    whole = [row.calls for row in plan.rows if row.way == "whole" and row.limit == 0.02]
    assert whole == sorted(whole)  # more discordance, more calls
    assert len(whole) == 4


def test_a_plan_after_a_proof_is_from_its_figures_and_at_the_next_level(workspace: Workspace) -> None:
    task = workspace.store.registry.tasks()[0]
    verdict = Verdict(
        id="v1",
        task_id=task.id,
        model_id="m",
        dataset_hash="d",
        decision="hold",
        margin=0.02,
        risk=0.05,
        evidence=SEEN,
    )
    workspace.store.registry.put_verdict(verdict)
    first = plan_proof(workspace, task.name)
    workspace.store.attempts.claim(task.id, "v1", ["a"], 1.0)
    second = plan_proof(workspace, task.name)
    assert (first.basis, first.seen) == ("verdict", 400)
    assert (first.attempt, second.attempt) == (1, 2)
    cascade = {row.limit: row.calls for row in first.rows if row.way == "cascade"}
    assert (cascade[0.05] or 1000) <= 400  # 2 of 300 wrong is well within 5% of 400 calls
    needed = [{row.limit: row.calls for row in plan.rows if row.way == "whole"} for plan in (first, second)]
    assert all((needed[1][limit] or 0) > (needed[0][limit] or 0) for limit in needed[0])


def test_a_plan_is_from_a_verdict_of_what_is_asked_for_now(workspace: Workspace) -> None:
    """A verdict by another metric, or of another contract, tells nothing of this one."""
    task = workspace.store.registry.tasks()[0]
    for i, settings in enumerate(({"metrics": "exact"}, {"metrics": "valid"}, {"contract": "B"})):
        verdict = Verdict(
            id=f"v{i}",
            task_id=task.id,
            model_id="m",
            dataset_hash="d",
            decision="hold",
            margin=0.02,
            risk=0.05,
            evidence=SEEN
            | {"settings": {"metrics": "exact", "contract": "A"} | settings, "calls": 400 + i}
            | {"paired": SEEN["paired"] | {"n": 400 + i}},  # type: ignore[operator]
            created_at=float(i),
        )
        workspace.store.registry.put_verdict(verdict)
    assert plan_proof(workspace, task.name).seen == 400
    workspace.settings.values["prove.metrics"] = "graded"
    assert plan_proof(workspace, task.name).basis == "assumed"


def test_calls_that_came_all_at_once_tell_no_rate(tmp_path: Path) -> None:
    for place, step_s in (("burst", 1.0), ("day", 1440.0)):
        opened = a_workspace(tmp_path / place)
        calls = [structs.replace(call, created_at=BEGAN_AT + step_s * i) for i, call in enumerate(triage_calls(60))]
        opened.store.calls.add(calls)
        sort_new_calls(opened)
        per_day = plan_proof(opened, opened.store.registry.tasks()[0].name).calls_per_day
        assert per_day == (None if place == "burst" else pytest.approx(60 * 60 / 59))
        opened.store.close()


def test_what_is_held_out_counts_for_a_fresh_proof_until_it_was_looked_at(tmp_path: Path) -> None:
    opened = a_workspace(tmp_path, prove__fresh=True)
    opened.store.calls.add(triage_calls(120))
    sort_new_calls(opened)
    task = opened.store.registry.tasks()[0]
    freeze(opened, task, lambda _progress: None)
    proof = load(Path(opened.dataset(task).path)).proof
    assert plan_proof(opened, task.name).held_out == len(proof)
    opened.store.attempts.claim(task.id, "p1", [call_mark(example.id) for example in proof[:5]], 1.0)
    assert plan_proof(opened, task.name).held_out == len(proof) - 5
    opened.store.close()


def test_an_assumed_plan_counts_the_calls_that_users_make(tmp_path: Path) -> None:
    """A session makes two calls here: 53 calls without an error are of too few sessions to bet on."""
    opened = a_workspace(tmp_path)
    opened.store.calls.add(triage_calls(120))
    sort_new_calls(opened)
    task = opened.store.registry.tasks()[0]
    cascade = [row.calls for row in plan_proof(opened, task.name).rows if (row.way, row.limit) == ("cascade", 0.05)]
    freeze(opened, task, lambda _progress: None)
    by_session = [row.calls for row in plan_proof(opened, task.name).rows if (row.way, row.limit) == ("cascade", 0.05)]
    assert cascade == [53]
    assert by_session[0] is not None
    assert by_session[0] >= 2 * 55
    opened.store.close()


@pytest.mark.parametrize("evidence", [{}, {**SEEN, "paired": {**SEEN["paired"], "n": 24, "users": 24}}])
def test_a_verdict_with_no_figures_or_of_few_calls_gives_an_assumed_plan(
    workspace: Workspace, evidence: dict[str, Any]
) -> None:
    task = workspace.store.registry.tasks()[0]
    verdict = Verdict(id="v0", task_id=task.id, model_id="m", dataset_hash="d", decision="need", margin=0.02, risk=0.05)
    workspace.store.registry.put_verdict(replace(verdict, evidence=evidence))
    plan = plan_proof(workspace, task.name)
    assert plan.basis == "assumed"
    assert any(row.calls is not None for row in plan.rows)
