"""The record: calls go in once, come back byte for byte, and are found by filter."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import a_call
from msgspec import structs
from sqlalchemy import create_engine, func, select

from freehold.errors import StateError
from freehold.model.ids import uuid7
from freehold.store import CallFilter, Store, schema

SYSTEM = "You triage messages of a shop. " * 40


def _chat(text: str, system: str = SYSTEM) -> bytes:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return json.dumps({"model": "m", "messages": messages}).encode()


def test_a_call_comes_back_as_it_was(store: Store) -> None:
    call = a_call(
        parent_id="p",
        task_id="t",
        task_key="k",
        confidence=0.25,
        propensity=0.5,
        system_fingerprint="fp",
        finish_reason="stop",
        cached_tokens=0,
        ttft_ms=1.5,
        gateway_ms=0.5,
        is_stream=True,
        user_key="u",
        session_key="s",
        route_version=3,
        tags={"a": "ü", "b": ""},
    )
    store.calls.add([call])
    assert store.calls.get(call.id) == call


def test_adding_again_changes_nothing(store: Store) -> None:
    call = a_call()
    store.calls.add([call])
    store.calls.add([structs.replace(call, status=500), a_call()])
    assert store.calls.count(CallFilter()) == 2
    assert store.calls.get(call.id) == call
    store.calls.add([])
    assert store.calls.count(CallFilter()) == 2


def test_static_parts_are_stored_once(store: Store, url: str) -> None:
    calls = [a_call(request_body=_chat(f"message {n}")) for n in range(50)]
    store.calls.add(calls[:25])
    store.calls.add(calls[25:])
    assert [call.request_body for call in store.calls.find(CallFilter())] == [call.request_body for call in calls]
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.parts)).scalar_one() == 1
        stored = connection.execute(select(func.sum(func.length(schema.calls.c.request_body)))).scalar_one()
    engine.dispose()
    assert stored < sum(len(call.request_body) for call in calls) / 5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(bodies=st.lists(st.one_of(st.binary(max_size=80), st.text(max_size=40).map(lambda t: _chat(t, t * 30)))))
def test_any_body_comes_back_byte_for_byte(store: Store, bodies: list[bytes]) -> None:
    calls = [a_call(request_body=body, response_body=body[::-1]) for body in bodies]
    store.calls.add(calls)
    found = [store.calls.get(call.id) for call in calls]
    assert found == calls


def test_what_no_database_takes_does_not_keep_the_others_out(store: Store) -> None:
    odd = a_call(
        user_key="lone \ud800 surrogate",
        model_asked="nul \0 byte",
        input_tokens=10**30,
        output_tokens=2**31,
        cost_usd=float("inf"),
        tags={"k": "\ud800\0"},
    )
    store.calls.add([odd, a_call()])
    found = store.calls.get(odd.id)
    assert found is not None
    assert (found.user_key, found.model_asked) == ("lone \ufffd surrogate", "nul \ufffd byte")
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (None, None, None)
    assert store.calls.count(CallFilter()) == 2


def test_filters(store: Store) -> None:
    plain = a_call(created_at=100.0)
    other = a_call(
        created_at=200.0,
        task_id="t",
        arm="audit",
        status=500,
        provider="anthropic",
        model_asked="x",
        model_answered="y",
        user_key="u",
        session_key="s",
        parent_id=plain.id,
    )
    cut = a_call(created_at=300.0, error="cut_off")
    store.calls.add([plain, other, cut])
    checks = [
        (CallFilter(), [plain, other, cut]),
        (CallFilter(newest_first=True), [cut, other, plain]),
        (CallFilter(limit=2), [plain, other]),
        (CallFilter(limit=0), []),
        (CallFilter(task_id="t"), [other]),
        (CallFilter(arm="audit"), [other]),
        (CallFilter(status=500), [other]),
        (CallFilter(provider="anthropic"), [other]),
        (CallFilter(model="x"), [other]),
        (CallFilter(model="y"), [other]),
        (CallFilter(user_key="u"), [other]),
        (CallFilter(session_key="s"), [other]),
        (CallFilter(parent_id=plain.id), [other]),
        (CallFilter(since=200.0), [other, cut]),
        (CallFilter(until=200.0), [plain]),
        (CallFilter(is_failed=True), [other, cut]),
        (CallFilter(is_failed=False), [plain]),
        (CallFilter(is_sorted_out=True), [other]),
        (CallFilter(is_sorted_out=False), [plain, cut]),
        (CallFilter(is_direct=True), [plain, cut]),
        (CallFilter(is_direct=False), [other]),
        (CallFilter(is_direct=True, is_failed=True), [cut]),
    ]
    for chosen, expected in checks:
        assert [call.id for call in store.calls.find(chosen)] == [call.id for call in expected], chosen
        if chosen.limit is None:
            assert store.calls.count(chosen) == len(expected)
    assert len(checks) == 22


@pytest.mark.parametrize("newest_first", [False, True])
def test_streams_run_over_many_pages(store: Store, newest_first: bool) -> None:
    calls = [a_call(id=f"{n:08d}", request_body=b"{}") for n in range(2345)]
    store.calls.add(calls)
    expected = [call.id for call in (reversed(calls) if newest_first else calls)]
    assert [call.id for call in store.calls.stream(CallFilter(newest_first=newest_first))] == expected
    some = [call.id for call in store.calls.stream(CallFilter(newest_first=newest_first, limit=1001))]
    assert some == expected[:1001]


def test_a_call_is_found_by_part_of_its_id(store: Store) -> None:
    one, two = a_call(id="0190aaaa-1111"), a_call(id="0190aaaa-2222")
    store.calls.add([one, two])
    for part in ("0190aaaa-1111", "0190aaaa-1", "1111"):
        assert store.calls.get(part) == one
    for part in ("0190aaaa", "111", "", "%", "____", "3333"):
        assert store.calls.get(part) is None


def test_calls_are_given_to_tasks(store: Store) -> None:
    calls = [a_call() for _ in range(1200)]
    store.calls.add(calls)
    store.calls.assign({call.id: "a" if n % 2 else "b" for n, call in enumerate(calls)})
    store.calls.assign({})
    assert store.calls.count(CallFilter(task_id="a")) == store.calls.count(CallFilter(task_id="b")) == 600
    assert store.calls.count(CallFilter(is_sorted_out=False)) == 0


def test_the_newest_correction_counts(store: Store) -> None:
    call, other = a_call(task_id="t"), a_call(task_id="other")
    store.calls.add([call, other])
    store.calls.add_feedback(call.id, "correction", "first", 1.0)
    store.calls.add_feedback(call.id, "comment", "so-so", 2.0)
    store.calls.add_feedback(call.id, "correction", "second \udc80", 3.0)
    store.calls.add_feedback(other.id, "correction", "elsewhere", 4.0)
    assert store.calls.corrections("t") == {call.id: "second \ufffd"}
    assert [f.kind for f in store.calls.feedback_of(call.id)] == ["correction", "comment", "correction"]


def test_many_writers_at_once_lose_nothing(url: str) -> None:
    batches = [[a_call() for _ in range(20)] for _ in range(24)]
    stores = [Store(url) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: stores[n % 4].calls.add(batches[n]), range(len(batches))))
    assert stores[0].calls.count(CallFilter()) == 480
    for store in stores:
        store.close()


def test_a_lost_part_is_an_error_and_not_a_wrong_body(store: Store, url: str) -> None:
    call = a_call(request_body=_chat("hello"))
    store.calls.add([call])
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(schema.parts.delete())
    engine.dispose()
    with pytest.raises(StateError, match="shared part"):
        store.calls.get(call.id)


def test_an_id_sorts_by_time() -> None:
    ids = [uuid7(now_ms) for now_ms in range(1000)]
    assert ids == sorted(ids)


def test_values_of_another_kind_are_stored_as_what_can_be(store: Store) -> None:
    """A dialect of another package may give any type for anything."""
    odd = a_call(id="odd", model_answered=5, finish_reason=["x"], input_tokens="7", output_tokens=True, cost_usd=True)
    store.calls.add([odd, a_call(id="plain")])
    kept = store.calls.get("odd")
    assert kept is not None
    assert (kept.model_answered, kept.finish_reason) == ("5", "['x']")
    assert (kept.input_tokens, kept.output_tokens, kept.cost_usd) == (None, None, None)
    assert store.calls.get("plain") is not None
