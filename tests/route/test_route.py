"""Routes: made from a `move` alone, returned at once, described in words, and judged by what they do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.errors import DataError, StateError, UsageError
from freehold.model import ModelCard, OwnedAnswer, Verdict
from freehold.model.call import Arm
from freehold.model.exchange import Message
from freehold.model.route import rented_route
from freehold.route import LiveCall, back, confidence, is_acceptable, live_figures, plan_text, propose, withheld
from freehold.text.confidence import untrained_head
from freehold.text.slices import SliceShape

MODEL = ModelCard(
    id="m1",
    task_id="t1",
    base="smollm2-135m",
    base_sha256="0" * 64,
    dataset_hash="d1",
    recipe={},
    seed=0,
    metrics={},
    path="models/m1",
)
VERDICT = Verdict(
    id="v1",
    task_id="t1",
    model_id="m1",
    dataset_hash="d1",
    decision="move",
    threshold=0.8,
    coverage=0.7,
    margin=0.02,
    risk=0.05,
    head=untrained_head().to_json(),
)
OLD = rented_route("t1", version=3)
HOW: dict[str, Any] = {"output_kind": "json", "template": {"version": 1}, "audit_rate": 0.05, "created_at": 9.0}


def test_a_move_becomes_a_cascade_at_the_proven_threshold() -> None:
    route = propose(VERDICT, model=MODEL, old=OLD, **HOW)
    assert (route.kind, route.version, route.threshold, route.model_id) == ("cascade", 4, 0.8, "m1")
    assert (route.verdict_id, route.audit_rate, route.output_kind, route.template) == (
        "v1",
        0.05,
        "json",
        {"version": 1},
    )


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (replace(VERDICT, decision="hold", threshold=None), "'hold'"),
        (replace(VERDICT, decision="need", need=212, threshold=None), "212"),
        (replace(VERDICT, threshold=None), "not 'move'"),
        (replace(VERDICT, model_id="m2"), "'m2'"),
        (replace(VERDICT, task_id="t2"), "'t2'"),
    ],
)
def test_nothing_else_becomes_a_route(verdict: Verdict, word: str) -> None:
    with pytest.raises(DataError) as caught:
        propose(verdict, model=MODEL, old=OLD, **HOW)
    assert word in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_an_audit_rate_is_a_share(rate: float) -> None:
    with pytest.raises(UsageError, match="share"):
        propose(VERDICT, model=MODEL, old=OLD, **{**HOW, "audit_rate": rate})


def test_back_returns_everything_as_the_next_version() -> None:
    moved = propose(VERDICT, model=MODEL, old=OLD, **HOW)
    returned = back(moved, created_at=10.0)
    assert (returned.kind, returned.version, returned.model_id, returned.threshold) == ("rented", 5, None, None)


def test_plans_say_what_happens() -> None:
    moved = propose(VERDICT, model=MODEL, old=OLD, **HOW)
    assert plan_text(OLD, moved, coverage=0.7).splitlines() == [
        "task     t1",
        "now      rented: the provider answers everything (version 3)",
        "then     cascade: model m1 at confidence 0.8 or more, otherwise the provider (version 4)",
        "effect   about 70% of calls are answered locally, the rest by the provider",
        "audits   5.0% of local answers are also asked of the provider",
        "undo     freehold back t1",
    ]
    assert plan_text(moved, back(moved, created_at=10.0)).splitlines()[-1] == (
        "effect   every call goes to the provider, from the next one on"
    )


def test_the_gateway_scores_as_the_proof_did_also_after_storage() -> None:
    answer = OwnedAnswer(text='{"a": 1}', logprobs=(-0.2, -0.01))
    moved = propose(VERDICT, model=MODEL, old=OLD, **HOW)
    stored = replace(moved, head=json.loads(json.dumps(moved.head)))
    assert confidence(stored, answer) == untrained_head().score(answer) > 0
    assert confidence(OLD, answer) == 0.0
    assert confidence(moved, replace(answer, is_whole=False)) == 0.0
    assert is_acceptable(moved, answer.text)
    assert not is_acceptable(moved, "sorry")


def test_a_route_carries_the_contract_and_what_is_withheld_also_after_storage() -> None:
    shape = SliceShape(labels=("refund", "track"), lengths=(5, 10))
    head = {**untrained_head().to_json(), "slices": shape.to_json()}
    verdict = replace(VERDICT, head=head, contract="B", withheld=("label:refund", "length:long"))
    route = propose(verdict, model=MODEL, old=OLD, **HOW)
    assert (route.risk, route.contract, route.withheld) == (0.05, "B", ("label:refund", "length:long"))
    assert "withheld label:refund, length:long: the provider answers" in plan_text(OLD, route)
    stored = replace(route, head=json.loads(json.dumps(route.head)))
    short, long = (Message("user", "hi"),), (Message("user", "hello, hello"),)
    assert withheld(stored, short, "Refund.") == "label:refund"
    assert withheld(stored, long, "track") == "length:long"
    assert withheld(stored, short, "track") == withheld(OLD, long, "refund") == ""
    with pytest.raises(StateError, match="cannot judge"):
        withheld(replace(route, head={}), short, "track")


def test_a_head_that_cannot_be_read_says_what_to_do() -> None:
    moved = propose(VERDICT, model=MODEL, old=OLD, **HOW)
    broken = replace(moved, head={**moved.head, "features": ["of a later version"] * 11})
    with pytest.raises(StateError, match="version") as caught:
        confidence(broken, OwnedAnswer(text="x", logprobs=(-0.1,)))
    assert "Prove the task again" in (caught.value.hint or "")


def audit(owned: str | None, rented: str | None) -> LiveCall:
    return LiveCall(arm="audit", latency_ms=800, cost_usd=0.01, owned_text=owned, rented_text=rented)


def test_live_figures_by_hand() -> None:
    rows = [
        *[LiveCall(arm="owned", latency_ms=ms, cost_usd=0.0) for ms in (80, 90, 100, 110, 120, 130)],
        *[
            LiveCall(arm="rented", latency_ms=ms, cost_usd=0.02, engine="busy" if ms > 800 else None)
            for ms in (700, 900)
        ],
        LiveCall(arm="shadow", latency_ms=100),
        audit('{"a": 1}', '{ "a": 1 }'),
        audit('{"a": 1}', '{"a": 2}'),
        audit('{"a": 1}', None),
    ]
    figures = live_figures(rows, output_kind="json")
    assert (figures.calls, figures.local, figures.share_local) == (8, 6, 0.75)
    assert (figures.engine_failed, figures.engine_reasons) == (1, {"busy": 1})
    assert (figures.audits, figures.agreed, figures.agreement, figures.audits_unreadable) == (2, 1, 0.5, 1)
    assert figures.agreement_low == pytest.approx(0.0945, abs=1e-3)
    assert figures.local_wrong == pytest.approx(0.375)
    assert (figures.owned_p50_ms, figures.rented_p50_ms) == (100, 700)
    assert figures.saved_usd == pytest.approx(6 * (0.04 + 0.03) / 5 - 0.03)


def test_nothing_seen_is_unknown_and_not_nought() -> None:
    figures = live_figures([], output_kind="json")
    assert (figures.calls, figures.audits) == (0, 0)
    assert figures.share_local is figures.agreement is figures.agreement_low is figures.local_wrong is None
    assert figures.owned_p50_ms is figures.saved_usd is None
    unpriced = live_figures([LiveCall(arm="owned", latency_ms=1.0)], output_kind="text")
    assert unpriced.saved_usd is None


ARMS: list[Arm] = ["rented", "owned", "shadow", "audit"]
ROWS = st.builds(
    LiveCall,
    arm=st.sampled_from(ARMS),
    latency_ms=st.floats(0, 1e4),
    cost_usd=st.none() | st.floats(0, 1),
    owned_text=st.none() | st.sampled_from(["a", "b"]),
    rented_text=st.none() | st.sampled_from(["a", "b"]),
)


@given(st.lists(ROWS, max_size=30))
def test_figures_of_any_calls_are_shares_and_whole(rows: list[LiveCall]) -> None:
    figures = live_figures(rows, output_kind="label")
    assert figures.local <= figures.calls <= len(rows)
    for share in (figures.share_local, figures.agreement, figures.local_wrong):
        assert share is None or 0 <= share <= 1
    assert figures.audits + figures.audits_unreadable == sum(row.arm == "audit" for row in rows)
