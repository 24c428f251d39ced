"""Coins of calls: kept in columns of their own, read out of the tags of earlier versions, shown as tags to scripts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import a_call

from freehold.model import Call
from freehold.model.coins import COIN_NAMES, NO_COINS, Coins, coins_of, without_coins
from freehold.record.entries import read_payload
from freehold.record.read import read_exchange
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
