"""Live evidence is about the traffic that the proof was about: all answered calls of the task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made import answer_body
from watch.moved import RIGHT, Moved, a_moved_task

from freehold.route.run.route_status import route_status

OF_ALL: dict[str, Any] = {"kinds": {"plain": 40}, "habits": []}


@pytest.fixture
def moved(tmp_path: Path) -> Moved:
    return a_moved_task(tmp_path)


def said(finish: str | None = "stop", **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    return json.dumps({"model": "m-1", "choices": [choice]}).encode()


CALL = {"id": "1", "type": "function", "function": {"name": "block", "arguments": "{}"}}
NO_TARGETS = {
    "tool_calls": said("tool_calls", tool_calls=[CALL]),
    "refusal": said(refusal="I cannot help with that."),
    "empty": said(),
    "filtered": said("content_filter", content=RIGHT),
    "cut": said("length", content=RIGHT),
    "unknown": said("brand_new", content=RIGHT),
    "without an end": said(None, content=RIGHT),
}


def audited(moved: Moved, audit: bytes, status: int = 200) -> None:
    call = moved.local(audit=None)
    beside = moved._beside(call, arm="audit", response_body=audit, status=status, propensity=0.5)
    moved.workspace.store.calls.add([beside])


@pytest.mark.parametrize("name", NO_TARGETS)
def test_a_local_answer_is_wrong_where_the_provider_gave_none_that_could_be_wanted(moved: Moved, name: str) -> None:
    moved.put(expected=OF_ALL)
    for _ in range(3):
        audited(moved, NO_TARGETS[name])
    moved.look()
    watch = moved.kept.watch
    assert (watch.audited, watch.missing, moved.kept.unreadable) == (3, 0, 0)
    assert moved.evidence("contract") > 20
    figures = route_status(moved.workspace, moved.workspace.task(moved.task_id)).figures
    assert (figures.audits, figures.agreed, figures.local_wrong) == (3, 0, 1.0)


def test_an_audit_that_failed_is_missing_and_no_evidence(moved: Moved) -> None:
    moved.put(expected=OF_ALL)
    audited(moved, b"", status=503)
    audited(moved, json.dumps({"error": {"message": "overloaded"}}).encode(), status=529)
    audited(moved, said("error", content=RIGHT))
    moved.look()
    watch = moved.kept.watch
    assert (watch.audited, watch.missing) == (0, 3)
    assert moved.evidence("contract") < 3


def test_a_correction_says_more_than_what_the_provider_left_out(moved: Moved) -> None:
    moved.put(expected=OF_ALL)
    audited(moved, NO_TARGETS["tool_calls"])
    call = next(iter(moved.workspace.store.call_stream.page(moved.task_id, 1, (0.0, ""), 1e12, 1)))
    moved.workspace.store.calls.add_feedback(call.id, "correction", RIGHT, 1.0)
    moved.look()
    detector = moved.kept.watch.detector("contract")
    assert detector is not None
    assert (moved.kept.watch.audited, detector.recent) == (1, (0.0,))


def test_a_proof_of_an_earlier_version_is_watched_as_it_was(moved: Moved) -> None:
    moved.put()
    audited(moved, NO_TARGETS["empty"])
    audited(moved, NO_TARGETS["cut"])
    moved.look()
    assert (moved.kept.watch.audited, moved.kept.watch.missing, moved.kept.unreadable) == (1, 1, 1)


def test_a_habit_of_the_tasks_answers_is_kept_to(moved: Moved) -> None:
    moved.put(expected={**OF_ALL, "habits": ["no_finish"]})
    audited(moved, NO_TARGETS["without an end"])
    moved.look()
    detector = moved.kept.watch.detector("contract")
    assert detector is not None
    assert detector.recent == (0.0,)


def test_calls_about_which_no_model_is_asked_are_calls_that_were_not_answered_locally(moved: Moved) -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:,x"}}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": image}]}).encode()
    for expected, decided in ((OF_ALL, 4), ({}, 3)):
        moved.put(expected=expected)
        moved.rented(tags={"owned": "unfit"})
        moved.rented(tags={"owned": "unproven"})
        moved.rented(tags={"owned": "unsure", "audit_rate": "0.5"})
        moved.rented(request_body=body)
        moved.look()
        detector = moved.kept.watch.detector("contract")
        assert detector is not None
        assert detector.observed == decided
    figures = route_status(moved.workspace, moved.workspace.task(moved.task_id)).figures
    assert (figures.calls, figures.local) == (6, 0), "those that do not fit are with the sorter once more"


def test_a_canary_counts_only_calls_for_which_its_coin_was_thrown(moved: Moved) -> None:
    moved.put("canary", expected=OF_ALL, harm=0.02)
    moved.rented(tags={"owned": "unfit"})
    moved.rented(tags={"owned": "unsure", "coin": "owned", "audit_rate": "0.5"})
    moved.look()
    detector = moved.kept.watch.detector("contract")
    assert detector is not None
    assert detector.observed == 1


def test_a_pair_is_lost_where_the_provider_gave_no_answer_that_could_be_wanted(moved: Moved) -> None:
    moved.put("shadow", expected=OF_ALL, shadow_rate=1.0, threshold=None)
    for body in (NO_TARGETS["tool_calls"], answer_body(RIGHT)):
        call = moved._call(response_body=body, tags={"shadow": "due"})
        shadow = moved._beside(call, arm="shadow", response_body=answer_body(RIGHT), tags={})
        moved.workspace.store.calls.add([call, shadow])
    moved.look()
    assert moved.kept.watch.ramp is not None
    assert moved.kept.watch.ramp.mean == pytest.approx(-0.5)
