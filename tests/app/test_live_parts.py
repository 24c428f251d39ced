"""The parts of the live loop one by one: coins, the check before use, bounded background work, what is expected."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.app.route_check import RouteCheck
from freehold.errors import AwayError
from freehold.gateway.background import Background
from freehold.gateway.sampling import throw_coins
from freehold.model import Message, OwnedAnswer, Route
from freehold.model.assignment import Assignment
from freehold.model.example import Example
from freehold.model.live import Live, as_of_now
from freehold.prove.live_baseline import expected
from freehold.text.schema import keeps_to


def placed(kind: str = "canary", *, share: float = 1.0, version: int = 1, **changes: Any) -> Assignment:
    values: dict[str, Any] = {"task_id": "t", "version": version, "kind": kind, "model_id": "m"}
    return Assignment(task_id="t", task_key="k", route=Route(**{**values, **changes}), share=share)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
def test_coins_say_with_what_probability_they_fell(share: float, audit: float, shadow: float, seed: int) -> None:
    tossed = throw_coins(placed(share=share, audit_rate=audit, shadow_rate=shadow), random.Random(seed).random)
    assert tossed.propensity == (share if tossed.is_local else 1.0 - share)
    assert tossed.propensity > 0 or share in (0, 1)
    assert tossed.coins.coin == ("owned" if tossed.is_local else "rented")
    assert not (tossed.coins.is_audit_due and tossed.coins.is_shadow_due)
    drawn = (tossed.coins.audit is not None, tossed.coins.shadow is not None)
    assert drawn == (tossed.coins.is_audit_due, tossed.coins.is_shadow_due)


def test_shares_are_kept_in_the_long_run() -> None:
    draw = random.Random(4).random
    tosses = [throw_coins(placed(share=0.3, audit_rate=0.5, shadow_rate=0.2), draw) for _ in range(20_000)]
    local = [one for one in tosses if one.is_local]
    assert len(local) / len(tosses) == pytest.approx(0.3, abs=0.01)
    assert sum(one.coins.is_audit_due for one in local) / len(local) == pytest.approx(0.5, abs=0.02)
    assert sum(one.coins.is_shadow_due for one in tosses) / (len(tosses) - len(local)) == pytest.approx(0.2, abs=0.01)


def test_a_cascade_tosses_for_audits_alone_and_a_shadow_for_shadows() -> None:
    never, always = (lambda: 0.999999), (lambda: 0.0)
    assert throw_coins(placed("cascade", audit_rate=0.05), never).coins.as_tags() == {"audit_rate": "0.05"}
    audited = throw_coins(placed("cascade", audit_rate=0.05), always).coins
    assert audited.as_tags() == {"audit_rate": "0.05", "audit": "due"}
    shadowed = throw_coins(placed("shadow", shadow_rate=0.5, audit_rate=0.9), always)
    assert (shadowed.is_local, shadowed.coins.is_shadow_due, shadowed.coins.is_audit_due) == (False, True, False)
    assert shadowed.coins.as_tags() == {"shadow": "due"}


def test_figures_of_another_version_count_for_nothing() -> None:
    route = placed("canary", version=2, audit_rate=0.1).route
    assert as_of_now(route, None) == (route, 0.0)
    assert as_of_now(route, Live(task_id="t", route_version=1, share=0.9))[1] == 0.0
    now, share = as_of_now(route, Live(task_id="t", route_version=2, share=0.4, audit_rate=0.7))
    assert (share, now.audit_rate) == (0.4, 0.7)
    assert as_of_now(route, Live(task_id="t", route_version=2, audit_rate=0.0))[0].audit_rate == 0.1


class Versions:
    """A database that answers when it is let."""

    def __init__(self) -> None:
        self.newest: dict[str, int] = {"t": 1}
        self.asked: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def __call__(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(task_ids))
        assert self.gate.wait(20)
        if self.error is not None:
            raise self.error
        return {task_id: self.newest[task_id] for task_id in task_ids if task_id in self.newest}


async def test_a_route_holds_while_it_is_the_newest() -> None:
    versions = Versions()
    check = RouteCheck(versions)
    assert await check.holds(placed(version=1))
    versions.newest["t"] = 2
    assert not await check.holds(placed(version=1))
    assert await check.holds(placed(version=2))


async def test_calls_that_ask_at_once_share_a_query_that_began_after_them() -> None:
    versions = Versions()
    check = RouteCheck(versions, wait_s=20)
    versions.gate.clear()
    first = asyncio.create_task(check.holds(placed(version=1)))
    while not versions.asked:
        await asyncio.sleep(0)
    later = [asyncio.create_task(check.holds(placed(version=1))) for _ in range(50)]
    for _ in range(5):
        await asyncio.sleep(0)
    versions.newest["t"] = 2
    versions.gate.set()
    await first
    assert await asyncio.gather(*later) == [False] * 50
    assert len(versions.asked) == 2


async def test_a_database_that_is_away_changes_nothing_and_is_waited_for_once() -> None:
    versions = Versions()
    versions.error = AwayError("It does not answer.", hint="Start it.")
    check = RouteCheck(versions, wait_s=0.05)
    assert await check.holds(placed(version=1))
    versions.error = None
    versions.gate.clear()
    versions.newest["t"] = 2
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    assert [await check.holds(placed(version=1)) for _ in range(200)] == [True] * 200
    assert loop.time() - began_at < 5
    assert len(versions.asked) == 2
    versions.gate.set()
    deadline = loop.time() + 20
    while await check.holds(placed(version=1)):
        assert loop.time() < deadline
        await asyncio.sleep(0.001)


async def test_background_work_is_bounded_and_what_is_left_out_is_counted() -> None:
    dropped: list[tuple[str, tuple[str, ...]]] = []
    work = Background(2, lambda name, labels: dropped.append((name, labels)))
    ending = asyncio.Event()

    async def wait() -> None:
        await ending.wait()

    for _ in range(5):
        if work.has_room("shadow"):
            work.start("shadow", wait())
    assert work.has_room("audit")
    assert dropped == [("freehold_background_dropped", ("shadow",))] * 3
    ending.set()
    await work.close()
    assert work.has_room("shadow")


SCHEMA = {
    "type": "object",
    "required": ["intent", "urgency"],
    "additionalProperties": False,
    "properties": {
        "intent": {"type": "string", "enum": ["refund", "invoice"]},
        "urgency": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
}


@pytest.mark.parametrize(
    ("answer", "keeps"),
    [
        ({"intent": "refund", "urgency": 1}, True),
        ({"intent": "refund", "urgency": 1.0, "tags": ["a"], "note": None}, True),
        ({"intent": "weather", "urgency": 1}, False),
        ({"intent": "refund"}, False),
        ({"intent": "refund", "urgency": True}, False),
        ({"intent": "refund", "urgency": 1, "more": 1}, False),
        ({"intent": "refund", "urgency": 1, "tags": [1]}, False),
        ({"intent": "refund", "urgency": 1, "note": 3}, False),
        (["refund"], False),
        ("refund", False),
    ],
)
def test_answers_keep_to_the_schema_that_was_asked_for(answer: object, keeps: bool) -> None:
    for form in (
        {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        {"type": "json_schema", "name": "x", "schema": SCHEMA},
    ):
        assert keeps_to(json.dumps(form), json.dumps(answer)) is keeps


def test_without_a_schema_nothing_is_said() -> None:
    for form in (None, "", "{", '{"type": "json_object"}', '{"json_schema": 3}', "[]"):
        assert keeps_to(form, "{}") is None
    odd = {"json_schema": {"schema": {"type": "odd", "properties": 3, "required": "x", "enum": 1, "anyOf": {}}}}
    assert keeps_to(json.dumps(odd), '{"a": 1}') is True
    assert keeps_to(json.dumps(odd), "no json") is False


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_schema_and_no_answer_is_too_odd(value: Any) -> None:
    assert keeps_to(json.dumps({"schema": {"type": "object", "properties": {"a": value}}}), json.dumps(value)) in (
        True,
        False,
    )


def an_example(name: str, response_format: str = "") -> Example:
    return Example(
        id=name,
        messages=(Message("user", "x"),),
        target='{"a": 1}',
        incumbent='{"a": 1}',
        source="provider",
        group=name,
        created_at=1.0,
        response_format=response_format,
    )


def test_what_a_verdict_expects_by_hand() -> None:
    texts = ['{"a": 1}'] * 18 + ["nothing", "I'm sorry, but I can't help with that."]
    answers = [OwnedAnswer(text=text, latency_ms=float(10 + n)) for n, text in enumerate(texts)]
    asked = [an_example(str(n)) for n in range(20)]
    rented = [("m1", "f1"), ("m1", None), (None, None)]
    found = expected("json", list(zip(asked, answers, strict=True)), rented=rented, created_at=5.0)
    assert found.to_json() == {
        "answers": 20,
        "invalid_share": 0.1,
        "refusal_share": 0.05,
        "owned_p95_ms": 28.0,
        "models": ["m1"],
        "fingerprints": ["f1"],
        "created_at": 5.0,
        "newest_call_at": None,
        "inputs": None,
        "slices": {},
    }
    nothing = expected("json", [], rented=[], created_at=5.0)
    assert (nothing.invalid_share, nothing.owned_p95_ms) == (0.0, None)


def test_a_verdict_expects_as_many_answers_off_their_requests_schema_as_its_proof_had() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    form = json.dumps({"type": "json_schema", "json_schema": {"name": "t", "schema": schema}})
    answers = [OwnedAnswer(text=text) for text in ('{"a": 1}', '{"a": 3}', '{"b": 1}', '{"a": 2}')]
    for response_format, invalid_share in ((form, 0.5), ("", 0.0)):
        asked = [an_example(str(n), response_format=response_format) for n in range(4)]
        found = expected("json", list(zip(asked, answers, strict=True)), rented=[], created_at=5.0)
        assert found.invalid_share == invalid_share
