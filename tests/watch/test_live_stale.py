"""What makes a verdict stale is shown, raises the audit rate, and lasts until another verdict is moved."""

from __future__ import annotations

import pytest
from made import chat_body
from watch.moved import PUT_AT, Moved

from freehold.model.task import versions_of
from freehold.route.run.route_status import route_statuses
from freehold.sort.run.sort import sort_new_calls


def test_stale_evidence_is_said_and_raises_the_audit_rate(moved: Moved) -> None:
    moved.put(expected={"models": ["gpt-4o"], "created_at": PUT_AT}, audit_rate=0.05)
    for _ in range(6):
        moved.rented(model_answered="gpt-5")
    moved.look()
    live = moved.workspace.store.watches.lives()[moved.task_id]
    assert "gpt-5" in live.stale[0]
    assert live.audit_rate == pytest.approx(0.15)
    assert any(line.startswith("stale: rented model changed") for line in route_statuses(moved.workspace)[0].remarks)
    moved.now = PUT_AT + 91 * 86400
    moved.look()
    assert any("days ago" in reason for reason in moved.workspace.store.watches.lives()[moved.task_id].stale)


def test_a_stale_verdict_stays_stale_until_another_is_moved(moved: Moved) -> None:
    expected = {"models": ["gpt-4o"], "created_at": PUT_AT}
    moved.put(expected=expected, verdict_id="v1", audit_rate=0.05)
    for _ in range(6):
        moved.rented(model_answered="gpt-5")
    moved.look()
    moved.put("rented")
    lives = moved.workspace.store.watches.lives
    for verdict_id, reasons, rate in (("v1", 1, 0.15), ("v1", 1, 0.15), ("v2", 0, 0.05)):
        moved.put(expected=expected, verdict_id=verdict_id, audit_rate=0.05)
        moved.look()
        assert len(lives()[moved.task_id].stale) == reasons
        assert lives()[moved.task_id].audit_rate == pytest.approx(rate)
        assert moved.kept.watch.calls == 0


def test_a_clock_that_went_back_makes_no_verdict_fresh(moved: Moved) -> None:
    moved.put(expected={"models": ["gpt-4o"], "created_at": PUT_AT}, verdict_id="v1")
    for _ in range(6):
        moved.rented(model_answered="gpt-5")
    moved.look()
    moved.now = PUT_AT - 7200
    moved.look()
    assert moved.kept.restarts == 1
    assert len(moved.workspace.store.watches.lives()[moved.task_id].stale) == 1


def test_a_prompt_that_was_changed_is_said(moved: Moved) -> None:
    """Its calls are placed by name and do not fit, or are found to be the task's only when they are sorted."""
    moved.put(audit_rate=0.05)
    for number in range(200):
        moved.local(is_due=False)
        if number % 2:
            moved.rented(tags={"owned": "unfit"})
        else:
            moved.rented(route_version=0, request_body=chat_body("refund", system="Another prompt altogether."))
            moved.rented(route_version=0)
    moved.look()
    (reason,) = moved.workspace.store.watches.lives()[moved.task_id].stale
    assert reason.startswith("template changed: ")
    assert (moved.kept.watch.calls, moved.route.kind) == (400, "cascade")


def test_a_prompt_that_was_edited_by_a_word_is_said(moved: Moved) -> None:
    """Its calls go on as the task's, in a new version of its prompt, which was not proven."""
    moved.put(audit_rate=0.05)
    moved.local(is_due=False)
    (system,) = {part.pieces[0] for part in moved.workspace.task(moved.task_id).template.parts if part.pieces[0]}
    for number in range(60):
        for prompt in (f"{system} Be brief.", "Write a poem about the season that the user names."):
            body = chat_body(f"refund {number}", system=prompt)
            call = moved.rented(task_id=None, route_version=0, request_body=body)
    sort_new_calls(moved.workspace)
    assert len(moved.workspace.store.registry.tasks()) == 2
    assert versions_of(moved.workspace.task(moved.task_id))[1].changed == ("+ Be brief.",)
    moved.now = call.created_at + 60
    moved.look()
    live = moved.workspace.store.watches.lives()[moved.task_id]
    assert [reason.partition(":")[0] for reason in live.stale] == ["template changed"]
    assert live.audit_rate == pytest.approx(0.15)
    assert moved.kept.watch.calls == 61


@pytest.mark.parametrize(
    ("before", "after", "fresh", "is_said"),
    [(20, 1, 20, True), (20, 2, 20, False), (19, 0, 20, False), (20, 0, 19, False), (120, 0, 29, False)],
)
def test_a_prompt_that_was_rewritten_is_said(moved: Moved, before: int, after: int, fresh: int, is_said: bool) -> None:
    """Another task began where this one's calls stopped; when they come again, the reason goes."""
    moved.put(audit_rate=0.05)
    for _ in range(before):
        moved.local()
    for number in range(fresh):
        body = chat_body(f"refund {number}", system="Name the season of which the user writes, in one word.")
        call = moved.rented(task_id=None, route_version=0, request_body=body)
    for _ in range(after):
        call = moved.local()
    sort_new_calls(moved.workspace)
    moved.now = max(call.created_at, PUT_AT + 2 * before) + 1
    moved.look()
    live = moved.workspace.store.watches.lives()[moved.task_id]
    assert [reason.partition(":")[0] for reason in live.stale] == (["prompt replaced"] if is_said else [])
    assert live.audit_rate == pytest.approx(0.15 if is_said else 0.05)
    for _ in range(before):
        moved.local()
    moved.now = moved.clock + 10
    moved.look()
    assert moved.workspace.store.watches.lives()[moved.task_id].stale == ()


def test_a_task_that_came_beside_a_moved_one_takes_no_place(moved: Moved) -> None:
    moved.put(audit_rate=0.05)
    for number in range(120):
        moved.local()
        if number > 40:
            body = chat_body(f"refund {number}", system="Name the season of which the user writes, in one word.")
            moved.rented(task_id=None, route_version=0, request_body=body)
    sort_new_calls(moved.workspace)
    moved.now = moved.clock + 1
    moved.look()
    assert moved.workspace.store.watches.lives()[moved.task_id].stale == ()
