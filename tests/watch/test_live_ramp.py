"""Canaries and shadows as the watch sees them: a ramp that ends, one that is taken back, and what changes nothing."""

from __future__ import annotations

import pytest
from watch.moved import PUT_AT, RIGHT, WRONG, Moved


def test_a_canary_ramps_to_a_cascade_by_itself(moved: Moved) -> None:
    moved.put("canary", harm=0.1, shadow_rate=1.0, audit_rate=0.3)
    moved.look()
    assert moved.workspace.store.watches.lives()[moved.task_id].share == 0.1
    assert moved.workspace.store.watches.lives()[moved.task_id].audit_rate == 0.5
    shares = []
    for _ in range(12):
        for _ in range(10):
            moved.rented(shadow=RIGHT, tags={"coin": "rented"})
        moved.look()
        if moved.route.kind == "cascade":
            break
        shares.append(moved.workspace.store.watches.lives()[moved.task_id].share)
    assert shares == sorted(shares)
    assert (moved.route.kind, moved.route.decided_by, moved.route.audit_rate) == ("cascade", "ramp", 0.3)
    assert moved.route.reason.startswith("ramped: after")


def test_the_cascade_that_a_canary_becomes_goes_on_with_its_evidence(moved: Moved) -> None:
    moved.put(
        "canary", harm=0.1, shadow_rate=1.0, audit_rate=0.05, expected={"models": ["gpt-4o"], "created_at": PUT_AT}
    )
    for _ in range(20):
        moved.local(tags={"coin": "owned", "audit_rate": "0.5", "audit": "due"})
    for _ in range(200):
        moved.rented(shadow=RIGHT, tags={"coin": "rented"}, model_answered="gpt-5")
    moved.look()
    before = moved.kept.watch
    assert (moved.route.kind, moved.route.decided_by) == ("cascade", "ramp")
    moved.look()
    after = moved.kept.watch
    assert (after.route_version, after.ramp, after.detector("harm")) == (2, None, None)
    for name in ("contract", "validity", "refusals"):
        assert after.detector(name) == before.detector(name)
    live = moved.workspace.store.watches.lives()[moved.task_id]
    assert (live.share, live.audit_rate) == (1.0, pytest.approx(0.15))
    assert any("gpt-5" in reason for reason in live.stale)


def test_a_canary_that_is_worse_is_taken_back_from_its_shadows_alone(moved: Moved) -> None:
    moved.put("canary", harm=0.02, shadow_rate=1.0)
    for _ in range(60):
        moved.rented(shadow=WRONG, tags={"coin": "rented"})
    moved.look()
    assert moved.route.decided_by == "rollback"
    assert "pairs" in moved.route.reason


def test_what_a_cascade_would_leave_to_the_provider_differs_in_nothing(moved: Moved) -> None:
    moved.put("canary", harm=0.1, shadow_rate=1.0)
    for _ in range(20):
        moved.rented(shadow=WRONG, shadow_tags={"owned": "unsure"}, tags={"coin": "rented"})
        moved.rented(tags={"coin": "owned", "audit": "due", "audit_rate": "0.5", "owned": "unsure"})
        moved.rented(tags={"coin": "owned", "owned": "unsure"})
        moved.rented(tags={"coin": "rented", "shadow": "dropped"})
    moved.look()
    ramp = moved.kept.watch.ramp
    assert ramp is not None
    assert (ramp.pairs, ramp.mean) == (40, 0.0)


def test_a_shadow_gathers_evidence_and_changes_nothing(moved: Moved) -> None:
    moved.put("shadow", risk=None, threshold=None, shadow_rate=1.0)
    for number in range(300):
        moved.rented(shadow=WRONG if number % 2 else RIGHT, shadow_tags={"owned": "unsure"})
    moved.look()
    ramp = moved.kept.watch.ramp
    assert ramp is not None
    assert (ramp.pairs, ramp.mean, moved.route.kind) == (300, -0.5, "shadow")
