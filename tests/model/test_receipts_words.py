"""Receipts in plain words: what each decision says to somebody who reads no statistics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freehold.model import Verdict
from freehold.model.explanation import explain
from freehold.model.receipt import START, seal
from freehold.model.route import Route, rented_route
from freehold.model.statement import Setting, headline, state_route, state_verdict
from freehold.route import canary, rolled_back, withholding

SETTING = Setting(task="triage", model=None, code={"version": "1"}, account="ops")
ROUTE = Route(task_id="t", version=1, kind="cascade", model_id="m", threshold=0.8, audit_rate=0.05, verdict_id="v")
VERDICT = Verdict(
    id="v",
    task_id="t",
    model_id="m",
    dataset_hash="d",
    decision="hold",
    margin=0.02,
    risk=0.05,
    evidence={
        "calls": 240,
        "users": 60,
        "is_agreement": True,
        "sides": [{"name": "owned model", "share": 0.71, "low": 0.64, "high": 0.77, "n": 240}],
        "outcome": {"decision": "hold", "reason": "It differs too often.", "scope": "none"},
        "settings": {"alpha": 0.05, "delta": 0.1},
    },
)


def told(verdict: Verdict, **outcome: object) -> str:
    evidence = {**verdict.evidence, "outcome": {**verdict.evidence["outcome"], **outcome}}
    document = state_verdict(replace(verdict, evidence=evidence), SETTING, None, {})
    return _text("verdict", document)


def told_route(route: Route, before: Route = ROUTE) -> str:
    return _text("route", state_route(route, SETTING, before, None))


def _text(kind: str, document: dict[str, object]) -> str:
    receipt = seal(START, kind=kind, task_id="t", document=document, created_at=1.0)  # type: ignore[arg-type]  # a word
    return "\n".join(f"{label} {text}" for label, text in explain(receipt))


def test_a_hold_promises_nothing_and_says_why() -> None:
    text = told(VERDICT)
    assert "says hold: nothing moves, and more calls of this kind would hardly change that." in text
    assert "why It differs too often." in text
    assert "Neither is shown, so nothing is promised." in text
    assert "\npromise" not in text
    assert "owned model: 71% [64%, 77%] agrees with the provider, n=240" in text, "agreement is never called right"


@pytest.mark.parametrize(("known", "how"), [(0, "agrees with the provider"), (6, "as wanted"), (240, "right")])
def test_right_is_said_only_where_people_said_of_every_call_what_was_wanted(known: int, how: str) -> None:
    evidence = {**VERDICT.evidence, "is_agreement": not known, "known_calls": known, "rejected_calls": 0}
    assert f"71% [64%, 77%] {how}, n=240" in told(replace(VERDICT, evidence=evidence))


@pytest.mark.parametrize(("of", "words"), [("calls", "held-out calls"), ("labels", "comparisons by people")])
def test_a_need_says_of_what(of: str, words: str) -> None:
    verdict = replace(VERDICT, decision="need", need=40, need_of=of)
    assert f"need: about 40 more {words} would decide. Nothing moves until then." in told(verdict)
    assert headline(state_verdict(verdict, SETTING, None, {})) == f"need 40 more {of}, model m"


def test_a_move_says_what_moves_what_is_promised_and_how_often_that_is_wrong() -> None:
    move = replace(VERDICT, decision="move", threshold=0.8, coverage=0.6, withheld=("label:refund",))
    cascade = told(move, scope="cascade")
    assert "may answer where it is at least 0.8 sure of its answer, which it was in 60%" in cascade
    assert "promise Of all calls, at most 5% are answered locally and wrongly (contract A)." in cascade
    assert "a chance of at most 10% (delta) in all proofs of the task together" in cascade
    assert "withheld these stay with the provider: label:refund" in cascade
    assert "Of the calls that are answered locally, at most 5%" in told(replace(move, contract="B"), scope="cascade")
    whole = told(move, scope="whole")
    assert "the owned model may answer in the provider's place" in whole
    assert "promise The owned model alone is at most 2 points worse than the provider." in whole
    assert "5% (alpha)" in whole


def test_each_change_of_a_route_says_who_or_what_decided() -> None:
    reason = "14 of the last 31 audited answers were wrong, where 5.0% may be; evidence 80,000 of 73,000"
    back = told_route(rolled_back(ROUTE, created_at=2.0, reason=reason))
    assert "went from cascade (version 1) to rented (version 2)" in back
    assert f"why {reason}" in back
    assert "effect every call goes to the provider" in back
    assert "by the watch: live evidence, and no person" in back
    less = told_route(withholding(ROUTE, ("label:refund",), created_at=2.0, reason=reason))
    assert "withheld these stay with the provider: label:refund" in less
    ramp = told_route(canary(replace(ROUTE, version=2), harm=0.02, shadow_rate=1.0), rented_route("t"))
    assert "budget at most 2% more failures per call than the provider's, while it is ramped" in ramp
    assert "by a person; in a process of account ops" in ramp
    assert "run --move" in told_route(replace(ROUTE, version=2, decided_by="road"))
    assert "by a caller of the HTTP API" in told_route(replace(rented_route("t", version=2), decided_by="api"))
    assert "by somebody new" in told_route(replace(ROUTE, version=2, decided_by="somebody new"))
