"""Attempts are numbered once each, whoever claims them; a plan of the next proof says what it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from made import an_estate, triage_calls

from freehold.core import Verdict
from freehold.loop.estate import Estate
from freehold.loop.planning import plan_proof
from freehold.loop.sorting import sort_new_calls

SEEN = {
    "calls": 400,
    "paired": {"n": 400, "users": 400, "discordance": 0.1, "difference": 0.0, "metrics": 1},
    "cascade": {"curve": [{"local": 300, "wrong": 2}, {"local": 360, "wrong": 30}], "is_by_user": False},
}


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    opened = an_estate(tmp_path)
    opened.store.calls.add(triage_calls(60))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def test_one_proof_is_one_attempt_and_others_get_other_numbers(estate: Estate) -> None:
    attempts = estate.store.attempts
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda i: attempts.claim("t", f"proof-{i % 6}", ["a", f"b{i}"], 1.0), range(18)))
    by_id = {row.id: row.number for row in rows}
    assert sorted(by_id.values()) == [1, 2, 3, 4, 5, 6]
    assert all(by_id[row.id] == row.number for row in rows)
    assert attempts.next_number("t") == 7
    assert attempts.next_number("another") == 1
    assert [row.number for row in attempts.of_task("t", before=3)] == [1, 2]


def test_a_plan_before_any_proof_is_from_assumed_figures(estate: Estate) -> None:
    name = estate.store.book.tasks()[0].name
    plan = plan_proof(estate, name)
    assert plan.is_assumed
    assert plan.attempt == 1
    assert {row.way for row in plan.rows} == {"whole", "cascade"}
    whole = [row.calls for row in plan.rows if row.way == "whole" and row.limit == 0.02]
    assert whole == sorted(whole)  # more discordance, more calls
    assert len(whole) == 4


def test_a_plan_after_a_proof_is_from_its_figures_and_at_the_next_level(estate: Estate) -> None:
    task = estate.store.book.tasks()[0]
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
    estate.store.book.put_verdict(verdict)
    first = plan_proof(estate, task.name)
    estate.store.attempts.claim(task.id, "v1", ["a"], 1.0)
    second = plan_proof(estate, task.name)
    assert not first.is_assumed
    assert (first.attempt, second.attempt) == (1, 2)
    cascade = {row.limit: row.more for row in first.rows if row.way == "cascade"}
    assert cascade[0.05] == 0  # 2 of 300 wrong is well within 5% of 400 calls
    needed = [{row.limit: row.calls for row in plan.rows if row.way == "whole"} for plan in (first, second)]
    assert all((needed[1][limit] or 0) > (needed[0][limit] or 0) for limit in needed[0])


def test_a_verdict_without_figures_gives_an_assumed_plan(estate: Estate) -> None:
    task = estate.store.book.tasks()[0]
    empty = Verdict(
        id="v0", task_id=task.id, model_id="m", dataset_hash="d", decision="hold", margin=0.02, risk=0.05, evidence={}
    )
    estate.store.book.put_verdict(replace(empty))
    assert plan_proof(estate, task.name).is_assumed
