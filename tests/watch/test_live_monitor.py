"""The watch on recorded calls: each counts once and in order, what is missing harms nobody, and routes follow."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import a_workspace
from watch.moved import PUT_AT, RIGHT, WRONG, Moved, a_moved_task, moved_in, plain

from freehold.errors import BusyError, StateError
from freehold.model import Route
from freehold.pipeline.workspace import Workspace
from freehold.route.run.route_status import route_statuses
from freehold.store import Store
from freehold.watch.run.monitor import Monitor


def test_good_answers_change_nothing(moved: Moved) -> None:
    moved.put()
    for _ in range(30):
        moved.local()
    moved.look(2)
    watch = moved.kept.watch
    assert (watch.calls, watch.local, watch.audited, watch.missing) == (30, 30, 30, 0)
    assert moved.route.kind == "cascade"
    assert moved.evidence("contract") < 10
    assert "evidence of harm" in route_statuses(moved.workspace)[0].remarks[0]


def test_bad_answers_take_the_route_back_and_say_why(moved: Moved, caplog: pytest.LogCaptureFixture) -> None:
    moved.put()
    for number in range(20):
        moved.local(audit=RIGHT if number < 5 else WRONG)
    moved.look()
    route = moved.route
    assert (route.kind, route.version, route.decided_by) == ("rented", 2, "rollback")
    assert "of the last" in route.reason
    assert "of 73,000" in route.reason
    assert route.reason in caplog.text
    (view,) = route_statuses(moved.workspace)
    assert view.route_text == "rolled back"
    assert view.remarks[0].startswith("rolled back 20")
    told: Any = plain(view.plain())
    assert told["decided_by"] == "rollback"
    assert told["watch"]["route_version"] == 1
    assert any(e["has_alarmed"] for e in told["watch"]["evidence"])
    moved.look(3)
    assert moved.route.version == 2


@pytest.mark.parametrize(("expected", "kind"), [({"differing_share": 0.14}, "cascade"), ({}, "rented")])
def test_a_provider_that_is_wrong_as_often_as_in_the_proof_takes_no_good_model_back(
    moved: Moved, expected: dict[str, float], kind: str
) -> None:
    """The owned model is right and the provider wrong in 1 of 9; a proof that saw none of that would see harm."""
    moved.put(expected=expected)
    for number in range(450):
        moved.local(audit=WRONG if number % 9 == 0 else RIGHT)
    moved.look()
    assert moved.route.kind == kind


def test_a_decision_that_was_not_carried_out_is_found_again(moved: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `kill -9` between keeping the evidence and changing the route."""
    moved.put()
    for _ in range(20):
        moved.local(audit=WRONG)
    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "_act", lambda *_: None)
        moved.look()
    calls = moved.kept.watch.calls
    assert moved.route.kind == "cascade"
    Monitor(moved.workspace, clock=lambda: moved.now).look()
    assert moved.route.decided_by == "rollback"
    assert moved.kept.watch.calls == calls


def test_a_person_who_was_first_is_not_overruled(moved: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    moved.put()
    for _ in range(20):
        moved.local(audit=WRONG)

    def too_late(_workspace: Workspace, _route: Route) -> Route:
        raise BusyError("The route was changed by another process.", hint="Look.")

    monkeypatch.setattr("freehold.watch.run.monitor.put_route", too_late)
    moved.look()
    assert moved.route.kind == "cascade"


def test_an_audit_that_is_awaited_holds_what_comes_after_it(moved: Moved) -> None:
    moved.put()
    moved.local()
    waiting = moved.local(audit=None)
    moved.local(audit=WRONG)
    moved.now = waiting.created_at + 30
    moved.look()
    assert moved.kept.watch.calls == 1
    moved.now = waiting.created_at + 61
    moved.look()
    watch = moved.kept.watch
    assert (watch.calls, watch.audited, watch.missing) == (3, 2, 1)


def test_audits_that_fail_or_never_come_take_nothing_back(moved: Moved) -> None:
    moved.put()
    for number in range(200):
        moved.local(audit="" if number % 2 else None, owned=WRONG)
    moved.look()
    watch = moved.kept.watch
    assert (watch.audited, watch.missing, moved.route.kind) == (0, 200, "cascade")
    assert moved.evidence("contract") < 30
    moved.put("canary", harm=0.1)
    for _ in range(50):
        moved.rented(shadow="", tags={"coin": "rented"})
    moved.look()
    ramp = moved.kept.watch.ramp
    assert ramp is not None
    assert (ramp.pairs, ramp.mean) == (50, -1.0)
    assert ramp.share == 0.1
    assert moved.evidence("harm") < 30


def test_young_calls_wait_until_they_are_settled(moved: Moved) -> None:
    moved.put()
    call = moved.local(is_due=False)
    moved.now = call.created_at + 0.5
    moved.look()
    assert moved.kept.watch.calls == 0
    moved.now = call.created_at + 1.5
    moved.look()
    assert moved.kept.watch.calls == 1


def test_calls_of_another_version_do_not_count(moved: Moved) -> None:
    moved.put()
    moved.local(audit=WRONG)
    moved.look()
    assert moved.kept.watch.audited == 1
    moved.put(created_at=PUT_AT + 2)
    moved.look()
    assert (moved.kept.watch.calls, moved.kept.watch.route_version) == (0, 2)
    moved.local(route_version=1, audit=WRONG)
    moved.local()
    moved.look()
    assert moved.kept.watch.calls == 1


def test_a_restart_goes_on_where_it_was(moved: Moved) -> None:
    moved.put()
    for _ in range(3):
        moved.local(audit=WRONG)
    moved.look()
    before = moved.workspace.store.watches.get(moved.task_id)
    again = Moved(moved.workspace, moved.task_id)
    again.look()
    assert moved.workspace.store.watches.get(moved.task_id) == before
    again.clock = moved.clock
    again.local()
    again.look()
    assert again.kept.watch.calls == 4


def test_two_watches_on_one_database_count_each_call_once(url: str, tmp_path: Path) -> None:
    workspaces = [a_workspace(tmp_path / name) for name in ("one", "two")]
    stores = [Store(url) for _ in workspaces]
    one, two = (replace(workspace, store=store) for workspace, store in zip(workspaces, stores, strict=True))
    moved = moved_in(one)
    moved.put()
    for _ in range(150):
        moved.local()
    watches = [Monitor(workspace, clock=lambda: moved.now) for workspace in (one, two)]
    threads = [threading.Thread(target=lambda w=watch: [w.look() for _ in range(5)]) for watch in watches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    watch = moved.kept.watch
    assert (watch.calls, watch.audited, watch.repeated) == (150, 150, 0)
    for _ in range(30):
        moved.local(audit=WRONG)
    for each in watches:
        each.look()
    assert (moved.route.version, moved.route.decided_by) == (2, "rollback")
    for workspace in (*workspaces, one, two):
        workspace.store.close()


def test_a_write_that_lost_the_race_is_read_again(moved: Moved) -> None:
    moved.put()
    moved.local()
    moved.look()
    table = moved.workspace.store.watches
    row = table.get(moved.task_id)
    assert table.put(row)
    assert not table.put(row)
    assert table.get(moved.task_id).revision == row.revision + 1
    assert not table.put(replace(row, revision=0))


@pytest.mark.parametrize("redaction", ["deleted", "none"])
def test_what_cannot_be_read_is_missing_and_counted(moved: Moved, redaction: str) -> None:
    moved.put()
    for _ in range(40):
        moved.local(owned=WRONG if redaction == "deleted" else "", redaction=redaction)
    moved.look()
    kept = moved.kept
    assert (kept.watch.missing, kept.unreadable, moved.route.kind) == (40, 40, "cascade")


def test_a_clock_that_went_far_back_begins_anew_and_says_so(moved: Moved, caplog: pytest.LogCaptureFixture) -> None:
    moved.put()
    for _ in range(4):
        moved.local(audit=WRONG)
    moved.look()
    moved.now = moved.clock = PUT_AT - 7200
    moved.local(audit=WRONG)
    moved.now += 30
    moved.look()
    kept = moved.kept
    assert kept.restarts == 1
    assert "the clock, which went back" in caplog.text
    assert any(line.startswith("evidence began anew 1 times") for line in route_statuses(moved.workspace)[0].remarks)
    moved.local()
    moved.clock = moved.now + 1
    moved.local()
    moved.now += 10
    moved.look()
    assert moved.kept.watch.calls == 1


def test_a_damaged_row_begins_anew_and_says_so(moved: Moved, caplog: pytest.LogCaptureFixture) -> None:
    moved.put()
    moved.local()
    moved.look()
    table = moved.workspace.store.watches
    row = table.get(moved.task_id)
    document: dict[str, Any] = {**row.document, "watch": {"calls": "many"}}
    assert table.put(replace(row, document=document))
    assert route_statuses(moved.workspace)[0].standing is None
    moved.look()
    assert moved.kept.restarts == 1
    assert "cannot be read" in caplog.text


def test_corrections_say_who_was_right(moved: Moved) -> None:
    moved.put()
    for _ in range(40):
        call = moved.local(owned=WRONG, audit=RIGHT)
        moved.workspace.store.calls.add_feedback(call.id, "correction", WRONG, call.created_at + 0.5)
    moved.look()
    assert moved.route.kind == "cascade"
    assert moved.kept.watch.audited == 40


def test_ratings_count_in_request_order_once_their_time_is_over(tmp_path: Path) -> None:
    moved = a_moved_task(tmp_path, watch__feedback_wait_s=600.0)
    moved.put()
    calls = [moved.local(is_due=False) for _ in range(300)]
    last = calls[-1].created_at
    moved.now = last + 30
    burst = [*calls[150:], *calls[:150]][::-1]
    for number, call in enumerate(burst):
        late = last + 1 + number / 1000 if number % 5 else last + 5000.0
        moved.workspace.store.calls.add_feedback(call.id, "boolean", "false", late)
    moved.look()
    detector = moved.kept.watch.detector("feedback")
    assert detector is not None
    assert (detector.observed, moved.route.kind) == (0, "cascade")
    moved.now = calls[99].created_at + 600
    moved.look()
    seen = moved.kept.watch.detector("feedback")
    assert seen is not None
    assert seen.observed == 100
    assert moved.route.decided_by == "rollback"
    assert "bad feedback" in moved.route.reason
    moved.workspace.store.close()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("validity", {"owned": '{"intent": '}, "could not be read"),
        ("refusals", {"owned": "\"I'm sorry, but I can't help with that.\""}, "were refusals"),
        ("latency", {"latency_ms": 5000.0}, "were slow"),
    ],
)
def test_each_local_answer_shows_something_without_an_audit(
    moved: Moved, name: str, change: dict[str, Any], words: str
) -> None:
    moved.put(expected={"owned_p95_ms": 120.0})
    for number in range(160):
        moved.local(is_due=False, **(change if number >= 100 else {}))
    moved.look()
    assert moved.route.decided_by == "rollback"
    assert words in moved.route.reason
    detector = moved.kept.watch.detector(name)
    assert detector is not None
    assert detector.alarm


def test_answers_that_the_gateway_turned_away_count_as_invalid(moved: Moved) -> None:
    moved.put()
    for _ in range(60):
        moved.rented(tags={"owned": "unacceptable"})
    moved.look()
    assert "could not be read" in moved.route.reason


def test_a_schema_that_the_request_asked_for_is_kept_to(moved: Moved) -> None:
    schema = {"type": "object", "required": ["intent"], "properties": {"intent": {"enum": ["refund", "invoice"]}}}
    form = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema}}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": form}).encode()
    moved.put()
    for _ in range(60):
        moved.local(is_due=False, owned='{"intent": "weather"}', request_body=body)
    moved.look()
    assert "could not be read" in moved.route.reason


@pytest.mark.parametrize("why", ["busy", "slow", "hung", "timeout", "down"])
def test_load_and_a_hung_engine_are_no_evidence_against_a_model(moved: Moved, why: str) -> None:
    moved.put(expected={"owned_p95_ms": 120.0})
    for _ in range(10):
        moved.local(is_due=False)
    for _ in range(40):
        moved.rented(tags={"engine": why}, latency_ms=9000.0)
    moved.look()
    assert (moved.route.kind, moved.route.decided_by) == ("cascade", "person")
    detector = moved.kept.watch.detector("latency")
    assert detector is not None
    assert detector.observed == 10
    (view,) = route_statuses(moved.workspace)
    assert f"the owned model gave no answer to 40 of 50 calls; the provider did ({why} 40)" in view.remarks


def test_an_engine_that_fails_is_said(moved: Moved) -> None:
    moved.put()
    moved.local()
    for _ in range(3):
        moved.rented(tags={"engine": "down"})
    moved.look()
    (view,) = route_statuses(moved.workspace)
    assert "the owned model gave no answer to 3 of 4 calls; the provider did (down 3)" in view.remarks


@pytest.mark.parametrize("error", [StateError("It is broken.", hint="Mend it."), ValueError("It is broken.")])
def test_one_task_that_cannot_be_watched_keeps_no_other_from_it(
    moved: Moved, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    moved.put()
    moved.local()
    moved.workspace.store.registry.put_route(Route(task_id="a-broken", version=1, kind="cascade", model_id="m"))
    plain_look = Monitor._look_at

    def look_at(self: Monitor, one: Any, until: float) -> None:
        if one.route.task_id == "a-broken":
            raise error
        plain_look(self, one, until)

    monkeypatch.setattr(Monitor, "_look_at", look_at)
    with pytest.raises(type(error), match="broken"):
        moved.look()
    assert moved.kept.watch.calls == 1
