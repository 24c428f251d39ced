"""Keys in the store: kept without their secret, usage counted once with each call, migrated from the first version."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from gateway.lending import NOON, a_key
from made import a_call
from msgspec import structs
from sqlalchemy import create_engine, text

import freehold.store
from freehold.errors import BusyError
from freehold.model import Call, KeyUsage
from freehold.store import CallFilter, Store

MINUTE, DAY = int(NOON // 60), int(NOON // 86_400)


def _call(key_id: str | None = "k", **changes: Any) -> Call:
    values: dict[str, Any] = {"key_id": key_id, "created_at": NOON, "latency_ms": 1000.0}
    return a_call(**values | changes)


def _usage(store: Store, key_id: str = "k", now: float = NOON + 30) -> KeyUsage:
    return store.keys.usage(now).get(key_id, KeyUsage())


def _plain_engine(url: str) -> Any:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def test_a_key_comes_back_as_it_was_and_without_its_secret(store: Store, url: str) -> None:
    plain, secret = a_key()
    full, _ = a_key(
        name="ünïque name",
        expires_at=NOON + 0.5,
        tasks=("triage",),
        task_keys=("chat:1",),
        models=("gpt-*", "o3"),
        requests_per_minute=5,
        tokens_per_minute=10**9,
        usd_per_day=0.25,
        created_at=NOON,
    )
    store.keys.add(full)
    store.keys.add(plain)
    assert store.keys.all_keys() == [plain, full]
    engine = _plain_engine(url)
    with engine.connect() as connection:
        assert secret not in str(connection.execute(text("SELECT * FROM keys")).all())
    engine.dispose()


def test_a_revoked_key_stays_revoked_and_frees_its_name(store: Store) -> None:
    first, second = a_key(name="app")[0], a_key(name="app")[0]
    store.keys.add(first)
    with pytest.raises(BusyError, match="freehold keys revoke app"):
        store.keys.add(second)
    store.keys.revoke(first.id, NOON)
    store.keys.revoke(first.id, NOON + 99)
    store.keys.add(second)
    assert {key.id: key.revoked_at for key in store.keys.all_keys()} == {first.id: NOON, second.id: None}


def test_calls_count_once_for_their_key(store: Store) -> None:
    calls = [_call() for _ in range(3)] + [_call("other"), _call(None)]
    store.calls.add(calls)
    store.calls.add(calls)
    store.calls.add([*calls[:2], _call(), _call(input_tokens=None, output_tokens=7, cost_usd=None)])
    assert store.calls.count(CallFilter()) == 7
    assert _usage(store) == KeyUsage(
        admitted={MINUTE: 0},
        requests={MINUTE: 5},
        tokens={MINUTE: 4 * 12 + 7},
        day=DAY,
        requests_today=5,
        tokens_today=4 * 12 + 7,
        cost_usd=2.0,
        unpriced=1,
    )
    assert _usage(store, "other").requests_today == 1
    assert set(store.keys.usage(NOON)) == {"k", "other"}


def test_a_call_twice_in_one_batch_counts_once(store: Store) -> None:
    call = _call()
    store.calls.add([call, structs.replace(call, status=500), call])
    assert _usage(store).requests_today == 1
    assert store.calls.get(call.id) == call


def test_a_batch_that_fails_counts_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    count = freehold.store.calls.count_calls

    def count_then_fail(*arguments: Any) -> None:
        count(*arguments)
        raise RuntimeError("killed before the commit")

    monkeypatch.setattr(freehold.store.calls, "count_calls", count_then_fail)
    calls = [_call(), _call()]
    with pytest.raises(RuntimeError):
        store.calls.add(calls)
    assert (store.calls.count(CallFilter()), _usage(store)) == (0, KeyUsage())
    monkeypatch.undo()
    store.calls.add(calls)
    assert _usage(store).requests_today == 2


def test_a_long_call_is_a_request_when_it_began_and_tokens_when_it_ended(store: Store) -> None:
    store.calls.add([_call(latency_ms=61_000.0)])
    usage = _usage(store, now=NOON + 61)
    assert usage.requests == {MINUTE: 1, MINUTE + 1: 0}
    assert usage.tokens == {MINUTE: 0, MINUTE + 1: 12}
    eve = (DAY + 1) * 86_400 - 1.0
    store.calls.add([_call("late", created_at=eve, latency_ms=5000.0)])
    assert _usage(store, "late", now=eve).requests_today == 1
    assert _usage(store, "late", now=eve).cost_usd == 0
    assert _usage(store, "late", now=eve + 9).cost_usd == 0.5


def test_what_freehold_asks_by_itself_costs_but_is_no_request(store: Store) -> None:
    call = _call()
    store.calls.add([call, _call(arm="audit", parent_id=call.id)])
    usage = _usage(store)
    assert (usage.requests_today, usage.tokens_today, usage.cost_usd) == (1, 12, 1.0)


def test_unknown_costs_are_counted_where_something_may_have_been_paid(store: Store) -> None:
    unpriced = [_call(cost_usd=None), _call(cost_usd=None, status=499, error="client_gone")]
    free = [
        _call(cost_usd=None, status=429),
        _call(cost_usd=None, status=502, error="upstream_unreachable"),
        _call(cost_usd=None, model_asked=None, dialect="other", path="/v1/models"),
        _call(cost_usd=0.0),
        _call(),
    ]
    store.calls.add([*unpriced, *free])
    assert _usage(store).unpriced == 2


def test_minutes_are_forgotten_and_days_are_kept(store: Store, url: str) -> None:
    store.calls.add([_call(created_at=NOON - 86_400), _call(created_at=NOON - 3600)])
    store.keys.sync({("k", MINUTE - 500): 3})
    store.calls.add([_call()])
    engine = _plain_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT span_s, began_at FROM key_usage ORDER BY 1, 2")).all()
    engine.dispose()
    minutes, days = [(60, NOON - 3600), (60, NOON)], [(86_400, 86_400 * (DAY - 1)), (86_400, 86_400 * DAY)]
    assert [tuple(row) for row in rows] == minutes + days


def test_gateways_add_up_what_they_let_in(store: Store, url: str) -> None:
    key, _ = a_key()
    store.keys.add(key)
    other = Store(url)
    assert store.keys.sync({}, NOON) == ([key], {})
    store.keys.sync({(key.id, MINUTE): 3, (key.id, MINUTE - 1): 1}, NOON)
    keys, usage = other.keys.sync({(key.id, MINUTE): 4}, NOON)
    other.close()
    assert keys == [key]
    assert usage[key.id].admitted == {MINUTE: 7, MINUTE - 1: 1}
    assert store.keys.usage(NOON + 180) == {}


def test_many_at_once_count_exactly(url: str) -> None:
    shared = [_call() for _ in range(40)]
    own = [[_call() for _ in range(5)] for _ in range(12)]
    stores = [Store(url) for _ in range(3)]

    def work(number: int) -> None:
        store = stores[number % 3]
        store.calls.add([*shared[number : number + 20], *own[number]])
        store.keys.sync({("k", MINUTE): 2})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    written = stores[0].calls.count(CallFilter())
    usage = _usage(stores[0])
    for store in stores:
        store.close()
    assert written == 31 + 60
    assert (usage.requests_today, usage.requests[MINUTE], usage.admitted[MINUTE]) == (written, written, 24)
    assert usage.tokens_today == 12 * written


def _first_version(url: str, folder: Path) -> None:
    """A database as the first version made it, with rows in it."""
    config = Config()
    config.set_main_option("script_location", str(Path(freehold.store.__file__).parent / "migrations"))
    engine = _plain_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    calls = {
        "id": "0190-old-call",
        "created_at": NOON,
        "dialect": "openai-chat",
        "method": "POST",
        "path": "/v1/chat/completions",
        "request_body": b'{"model":"m"}',
        "request_parts": "[]",
        "response_body": b"{}",
        "arm": "rented",
        "propensity": 1.0,
        "provider": "openai",
        "status": 200,
        "input_tokens": 3,
        "latency_ms": 1.0,
        "is_stream": False,
        "tags": json.dumps({"a": "b"}),
        "session_key": "s",
        "route_version": 0,
        "redaction": "none",
    }
    note = {"id": "f1", "call_id": calls["id"], "created_at": NOON, "kind": "correction", "value": "better"}
    with engine.begin() as connection:
        for table, row in (("calls", calls), ("feedback", note)):
            names = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})"), row)
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
    engine.dispose()


def test_a_record_of_the_first_version_is_taken_over(url: str, tmp_path: Path) -> None:
    _first_version(url, tmp_path)
    store = Store(url)
    old = store.calls.get("0190-old-call")
    assert old is not None
    assert (old.key_id, old.session_key, old.input_tokens, old.tags) == (None, "s", 3, {"a": "b"})
    assert [feedback.value for feedback in store.calls.feedback_of(old.id)] == ["better"]
    assert (store.keys.all_keys(), store.keys.usage(NOON)) == ([], {})
    store.calls.add([structs.replace(old, status=500), _call()])
    assert store.calls.get(old.id) == old
    assert _usage(store).requests_today == 1
    store.close()
