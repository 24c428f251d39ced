"""What live evidence sets on a route has a receipt: a ramp that grows, audits that are raised, a proof gone stale."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from watch.moved import PUT_AT, RIGHT, WRONG, Moved, a_moved_task

from freehold.model import Route
from freehold.model.explanation import explain
from freehold.model.live import Live, at_first, is_news
from freehold.model.receipt import Receipt, verify
from freehold.model.statement import headline
from freehold.store import WatchStep
from freehold.watch.audits import audit_rate
from freehold.watch.detector import new_detector, observe


@pytest.fixture
def moved(tmp_path: Path) -> Moved:
    return a_moved_task(tmp_path)


def told(moved: Moved) -> list[Receipt]:
    """The receipts, which make a whole chain."""
    found = list(moved.workspace.store.receipts.stream())
    assert list(verify(found)) == []
    return [receipt for receipt in found if isinstance(receipt, Receipt)]


def text_of(receipt: Receipt) -> str:
    return "\n".join(f"{label} {text}" for label, text in explain(receipt))


def test_a_ramp_is_told_each_time_its_share_has_doubled(moved: Moved) -> None:
    moved.put("canary", harm=0.02, shadow_rate=1.0)
    for _ in range(40):
        for _ in range(10):
            moved.rented(shadow=RIGHT, tags={"coin": "rented"})
        moved.look()
    assert moved.route.kind == "cascade"
    put, *steps, ended = told(moved)
    assert (put.kind, ended.kind, ended.content["decided_by"]) == ("route", "route", "ramp")
    assert {step.kind for step in steps} == {"watch"}
    shares = [step.content["watch"]["share"] for step in steps]
    assert 3 <= len(shares) <= 6, "from 2% to 100% a share doubles five times"
    before = [0.02, *shares]
    assert all(after >= 2 * share for share, after in zip(before, shares, strict=False))
    assert [step.content["before"]["share"] for step in steps] == before[:-1]
    assert headline(steps[0].content).startswith("ramp 2% -> ")
    assert "pairs of answers show at most" in text_of(steps[0])
    assert steps[0].content["route"]["version"] == put.content["route"]["version"]


def test_audits_that_are_raised_are_told_before_the_rollback(moved: Moved) -> None:
    moved.put(audit_rate=0.05)
    for number in range(80):
        moved.local(owned=WRONG if number % 2 else RIGHT)
        if number % 5 == 0:
            moved.look()
    moved.look()
    assert moved.route.decided_by == "rollback"
    kinds = [receipt.kind for receipt in told(moved)]
    assert kinds[0] == kinds[-1] == "route"
    assert kinds.count("watch") >= 1
    step = next(receipt for receipt in told(moved) if receipt.kind == "watch")
    assert headline(step.content).startswith("audits 5% -> ")
    assert "contract: evidence" in text_of(step)


def test_a_proof_that_went_stale_is_told_once(moved: Moved) -> None:
    moved.put(expected={"models": ["gpt-4o"], "created_at": PUT_AT}, audit_rate=0.05)
    for _ in range(6):
        moved.rented(model_answered="gpt-5")
    moved.look(times=3)
    _, step = told(moved)
    assert step.content["before"]["stale"] == []
    assert step.content["watch"]["audit_rate"] == pytest.approx(0.15)
    assert "'gpt-5' answers now" in headline(step.content)
    moved.now = PUT_AT + 91 * 86400
    moved.look()
    moved.now += 86400
    moved.look()
    *_, old = told(moved)
    assert len(told(moved)) == 3, "that it is a day older is no news"
    assert headline(old.content).startswith("stale: evidence is old")
    assert "the watch: live evidence, and no person" in text_of(old)


def test_a_step_and_the_row_that_it_is_of_are_written_together_or_not_at_all(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = moved.put(audit_rate=0.05)
    moved.look()
    row = moved.workspace.store.watches.get(moved.task_id)
    now = replace(at_first(route), audit_rate=0.5)
    step = WatchStep(route=route, told=at_first(route), now=now, seen={"calls": 3})
    assert not moved.workspace.store.watches.put(replace(row, revision=row.revision + 1), step)
    assert len(told(moved)) == 1, "whoever lost the race tells nothing"

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("freehold.store.watches.append_watch", fail)
        with pytest.raises(ZeroDivisionError):
            moved.workspace.store.watches.put(row, step)
    assert moved.workspace.store.watches.get(moved.task_id) == row
    assert moved.workspace.store.watches.put(row, step)
    assert told(moved)[-1].content["figures"] == {"calls": 3}


def test_a_good_model_is_seldom_told_of() -> None:
    """Evidence of a model that keeps its bound comes and goes; a receipt each time would bury those that matter."""
    rng = random.Random(0)
    detector = new_detector("contract", tolerated=0.05, patience=73_000.0)
    told, count = Live(task_id="t", route_version=1, audit_rate=0.05), 0
    for _ in range(10_000):
        detector = observe(detector, float(rng.random() < 0.04))
        now = replace(told, audit_rate=audit_rate(0.05, detector.evidence))
        if is_news(told, now):
            told, count = now, count + 1
    assert 1 <= count <= 10_000 / 300


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"share": 0.039}, False),
        ({"share": 0.04}, True),
        ({"share": 0.009}, True),
        ({"share": 1.0}, False),
        ({"audit_rate": 1.0}, False),
        ({"audit_rate": 0.13}, False),
        ({"audit_rate": 0.125}, True),
        ({"stale": ("evidence is old: 92 days",)}, True),
    ],
)
def test_what_is_news(changes: dict[str, object], expected: bool) -> None:
    first = at_first(Route(task_id="t", version=3, kind="canary", harm=0.02, audit_rate=0.5))
    assert first == Live(task_id="t", route_version=3, share=0.02, audit_rate=0.5)
    assert is_news(first, replace(first, **changes)) is expected  # type: ignore[arg-type]  # values of a table
    assert not is_news(replace(first, audit_rate=0.0), replace(first, audit_rate=0.0))
    assert is_news(replace(first, audit_rate=0.0), replace(first, audit_rate=0.01))
