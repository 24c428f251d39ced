"""Coins of calls: kept in columns of their own, read out of the tags of earlier versions, shown as tags to scripts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import a_call

import freehold.store
from freehold.model import Call
from freehold.model.coins import COIN_NAMES, NO_COINS, Coins, coins_of, without_coins
from freehold.record.entries import HEAD, mark_of, read_payload, write_entry
from freehold.record.read import Decision, Exchange, RequestSide, ResponseSide, read_exchange
from freehold.store import Store

EVERY = Coins(
    audit="due",
    audit_rate=0.05,
    shadow="dropped",
    coin="owned",
    owned="withheld",
    engine="busy",
    slice="label:other",
    new_prompt=2,
)


def _call(coins: Coins) -> Call:
    return a_call(coins=coins, tags={"team": "a"})


def test_coins_are_kept_as_they_fell(store: Store) -> None:
    calls = [_call(EVERY), _call(NO_COINS)]
    store.calls.add(calls)
    assert [store.calls.get(call.id) for call in calls] == calls


def test_scripts_read_coins_among_the_tags() -> None:
    call = _call(EVERY)
    assert call.all_tags == {"team": "a", **EVERY.as_tags()}
    assert set(EVERY.as_tags()) == set(COIN_NAMES)
    assert EVERY.as_tags()["audit_rate"] == "0.05"
    assert coins_of(call.all_tags) == EVERY
    assert without_coins(call.all_tags) == {"team": "a"}


@given(st.dictionaries(st.sampled_from(COIN_NAMES), st.text(max_size=12)))
def test_what_cannot_be_a_coin_reads_as_none(tags: dict[str, str]) -> None:
    coins = coins_of(tags)
    assert coins.audit in (None, "due", "dropped")
    assert coins.coin in (None, "owned", "rented")
    assert coins.audit_rate is None or 0 < coins.audit_rate <= 1
    assert coins.new_prompt is None or coins.new_prompt < 10**9


@pytest.mark.parametrize("side", ["decision", "request"])
def test_an_entry_of_an_earlier_version_has_its_coins_among_the_gateways_tags_alone(side: str) -> None:
    tags = {"audit": "due", "audit_rate": "0.5", "hedge": "won"}
    request: dict[str, Any] = {
        "id": "c",
        "created_at": 1.0,
        "dialect": "other",
        "method": "POST",
        "path": "/v1/x",
        "body": b"",
    }
    entry: dict[str, dict[str, Any]] = {"request": request, "decision": {"arm": "owned"}, "response": {"status": 200}}
    entry[side]["tags"] = tags
    call = read_exchange(read_payload(msgspec.msgpack.encode(entry)), prices={}, limit_bytes=100).call
    if side == "decision":
        assert (call.coins, call.tags) == (Coins(audit="due", audit_rate=0.5), {"hedge": "won"})
    else:
        assert (call.coins, call.tags) == (NO_COINS, tags)


def test_coins_of_half_characters_can_be_journaled() -> None:
    sent = RequestSide(id="c", created_at=1.0, dialect="other", method="POST", path="/v1/x", body=b"")
    decision = Decision(arm="owned", coins=Coins(owned="withheld", slice="label:\ud83d"))
    buffer = bytearray()
    write_entry(buffer, mark_of("w"), Exchange(sent, decision, ResponseSide(status=200)))
    assert read_payload(bytes(buffer[HEAD.size :])).decision.coins.slice == "label:?"


def _migration() -> ModuleType:
    path = Path(freehold.store.__file__).parent / "migrations" / "versions" / "0007_coins.py"
    spec = importlib.util.spec_from_file_location("coins_migration", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_migration_takes_odd_tags_as_they_come() -> None:
    """Half characters and NUL are replaced, what cannot be a coin is dropped, other tags stay what they are."""
    odd = {"slice": "label:\ud83d\0", "owned": None, "audit_rate": ["x"], "team": None, "deep": {"a": 1}}
    migration = _migration()
    moved = migration._moved(odd)
    assert (moved["new_slice"], moved["new_owned"], moved["new_audit_rate"]) == ("label:\ufffd\ufffd", None, None)
    assert moved["new_tags"] == {"team": None, "deep": {"a": 1}}
    assert migration._moved(["audit"])["new_tags"] == ["audit"]
