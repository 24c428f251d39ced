"""Budgets are reserved before a call is let in: shared by gateways, exact, and never lost with one that dies."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import time
from contextlib import ExitStack

import pytest
from gateway.budget_ledger import NOON, Ledger, a_key, ended, gateway, kept, settled

from freehold.gateway.errors import RefusedError
from freehold.gateway.keys import budgets as module
from freehold.gateway.keys.budgets import Budgets
from freehold.gateway.keys.purse import Purse
from freehold.gateway.keys.settlement import Settlement
from freehold.model.budget import NOTHING, Amount, Demand
from freehold.model.exchange import Dialect
from freehold.record import Decision, Exchange, RequestSide, ResponseSide, read_exchange
from freehold.store import Store
from freehold.store.budgets import LEASE_S


async def refusal(budgets: Budgets, ledger: Ledger, call_id: str, amount: Amount) -> RefusedError | None:
    try:
        await budgets.reserve(ledger.key, call_id, amount)
    except RefusedError as refused:
        return refused
    return None


async def test_calls_at_once_are_let_in_as_far_as_the_budget_reaches() -> None:
    key, _ = a_key(usd_per_day=1.0)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        found = await asyncio.gather(*(refusal(budgets, ledger, f"c{n}", Amount(0.1)) for n in range(50)))
    let_in = [n for n, refused in enumerate(found) if refused is None]
    assert len(let_in) == 10
    refused = next(one for one in found if one is not None)
    assert (refused.status, refused.code) == (429, "budget_short")
    for word in ("'app'", "$1.00 left of its $1.00", "$1.00 of it reserved", "may cost $0.10", "max_tokens"):
        assert word in str(refused), str(refused)


async def test_what_a_call_did_not_use_is_free_again_and_the_next_day_is_named() -> None:
    key, _ = a_key(usd_per_day=1.0)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        assert await refusal(budgets, ledger, "a", Amount(0.9)) is None
        budgets.note(ended(key, "a", usd=0.2))
        budgets.release(key.id, "a")
        await settled(budgets, ledger, Amount(0.2))
        assert await refusal(budgets, ledger, "b", Amount(0.8)) is None
        budgets.note(ended(key, "b", usd=0.75))
        await settled(budgets, ledger, Amount(0.95))
        refused = await refusal(budgets, ledger, "c", Amount(0.1))
        assert refused is not None
        assert refused.is_lasting
        assert refused.retry_after_s == 12 * 3600 + 1
        assert "$0.05000 left" in str(refused)


async def test_a_call_that_ended_without_a_record_costs_nothing() -> None:
    key, _ = a_key(usd_per_day=1.0)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        for n in range(20):
            assert await refusal(budgets, ledger, f"c{n}", Amount(0.9)) is None
            budgets.release(key.id, f"c{n}")
    assert ledger.total == NOTHING


async def test_a_call_of_unknown_cost_counts_as_reserved_and_a_failed_one_as_nothing() -> None:
    key, _ = a_key(usd_per_day=10.0, tokens_per_minute=1000)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        for call_id in ("unknown", "failed", "audited"):
            assert await refusal(budgets, ledger, call_id, Amount(0.5, 100)) is None
        budgets.note(ended(key, "unknown"))
        budgets.note(ended(key, "failed", status=500))
        budgets.note(ended(key, "audited", usd=0.1, tokens=30))
        budgets.note(ended(key, "audit", parent_id="audited", usd=0.2, tokens=40))
        await settled(budgets, ledger, Amount(0.8, 130))


async def test_tokens_are_reserved_too_and_a_call_that_never_fits_is_told_so() -> None:
    key, _ = a_key(tokens_per_minute=1000)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        found = await asyncio.gather(*(refusal(budgets, ledger, f"c{n}", Amount(0, 300)) for n in range(9)))
        assert found.count(None) == 3
        refused = next(one for one in found if one is not None)
        assert refused.code == "too_many_tokens"
        assert "may use 300" in str(refused)
        too_large = await refusal(budgets, ledger, "huge", Amount(0, 1001))
        assert too_large is not None
        assert (too_large.status, too_large.code, too_large.is_lasting) == (429, "call_too_large", True)


async def test_without_the_database_a_gateway_lets_in_what_it_holds_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 5.0)
    key, _ = a_key(usd_per_day=100.0)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        assert await refusal(budgets, ledger, "a", Amount(1.0)) is None
        ledger.is_away = True
        found = [await refusal(budgets, ledger, f"c{n}", Amount(1.0)) for n in range(5)]
    assert found[-1] is not None
    assert (found[-1].status, found[-1].code) == (503, "budget_unavailable")
    assert sum(one is None for one in found) + 1 <= ledger.held.usd + 1e-9


@pytest.mark.parametrize("seed", range(5))
async def test_gateways_together_never_exceed_a_budget_whose_reservations_are_right(seed: int) -> None:
    """Calls cost at most what was reserved: then no order of events spends or holds more than there is."""
    chance = random.Random(seed)
    key, _ = a_key(usd_per_day=5.0)
    ledger = Ledger(key)
    gateways = [gateway(ledger) for _ in range(3)]
    let_in = 0

    async def client(number: int) -> None:
        nonlocal let_in
        for n in range(40):
            budgets, call_id = chance.choice(gateways), f"{number}-{n}"
            reserved = chance.choice((0.01, 0.03, 0.1))
            if await refusal(budgets, ledger, call_id, Amount(reserved)) is None:
                let_in += 1
                await asyncio.sleep(chance.random() / 100)
                budgets.note(ended(key, call_id, usd=reserved * chance.choice((0.2, 0.9, 1.0))))
                budgets.release(key.id, call_id)
            assert (ledger.total + ledger.held).usd <= 5.0 + 1e-6

    with ExitStack() as stack:
        for budgets in gateways:
            stack.enter_context(kept(budgets, ledger))
        await asyncio.gather(*(client(number) for number in range(8)))
    for budgets in gateways:
        budgets.close(ledger.sync)
    assert ledger.held.is_nothing(), "nothing is left reserved when all is over"
    assert 4.5 <= ledger.total.usd <= 5.0 + 1e-6
    assert let_in > 40


async def test_without_reservations_the_same_calls_exceed_it() -> None:
    """The control: what is only settled afterwards lets everything in that comes at once."""
    key, _ = a_key(usd_per_day=1.0)
    ledger = Ledger(key)
    budgets = gateway(ledger)
    with kept(budgets, ledger):
        assert [await refusal(budgets, ledger, f"c{n}", NOTHING) for n in range(50)] == [None] * 50
        for n in range(50):
            budgets.note(ended(key, f"c{n}", usd=0.1))
        await settled(budgets, ledger, Amount(5.0))


def test_a_purse_gives_back_what_its_calls_do_not_need() -> None:
    key, _ = a_key(usd_per_day=100.0)
    purse, ledger = Purse(key), Ledger(key)
    now = time.monotonic()

    def sync(waiting: float, at: float) -> float:
        demand, told = purse.offer(Amount(waiting), at)
        lease = ledger.sync("g", {key.id: demand}, {(key.id, minute): a for minute, a in told.items()})[key.id]
        purse.accept(lease, told)
        return lease.amount.usd

    assert sync(8.0, now) == 8.0
    for n in range(8):
        assert purse.take(f"c{n}", Amount(1.0))
    assert sync(0.0, now) == pytest.approx(16.0), "as much again is at hand while calls come"
    for n in range(8):
        purse.give_back(f"c{n}")
        purse.spend(0, Amount(0.5))
    assert sync(0.0, now + 10) == pytest.approx(0.0, abs=1e-6)
    assert ledger.total.usd == pytest.approx(4.0)


# the database


def test_a_lease_is_never_more_than_the_limit_leaves(url: str) -> None:
    key, _ = a_key(usd_per_day=1.0, tokens_per_minute=1000)
    store = Store(url)
    store.keys.add(key)
    wants = Demand(waiting=Amount(0.7, 600))
    one = store.budgets.sync("one", {key.id: wants}, {}, NOON)[key.id]
    two = store.budgets.sync("two", {key.id: wants}, {}, NOON)[key.id]
    assert one.amount == Amount(0.7, 600)
    assert (two.amount.usd, two.amount.tokens) == (pytest.approx(0.3), 400)
    assert two.others == Amount(0.7, 600)
    again = store.budgets.sync("one", {key.id: Demand(held=Amount(0.7, 600))}, {}, NOON)[key.id]
    assert again.amount == Amount(0.7, 600), "the same once more is the same"
    usage = store.keys.usage(NOON)[key.id]
    assert (usage.reserved_usd, usage.reserved_tokens) == (pytest.approx(1.0), 1000)
    store.close()


def test_what_was_spent_counts_once_whether_settled_or_recorded(url: str) -> None:
    from made import a_call

    key, _ = a_key(usd_per_day=1.0, tokens_per_minute=1000)
    store = Store(url)
    store.keys.add(key)
    minute = int(NOON // 60)
    store.budgets.sync("one", {key.id: Demand()}, {(key.id, minute): Amount(0.5, 12)}, NOON)
    assert store.keys.usage(NOON)[key.id].cost_usd == 0.5
    store.calls.add([a_call(key_id=key.id, created_at=NOON, cost_usd=0.5, input_tokens=10, output_tokens=2)])
    usage = store.keys.usage(NOON)[key.id]
    assert (usage.cost_usd, usage.tokens[minute]) == (0.5, 12)
    left = store.budgets.sync("two", {key.id: Demand(waiting=Amount(9, 9999))}, {}, NOON)[key.id]
    assert left.amount == Amount(0.5, 988)
    store.close()


def test_a_gateway_that_dies_loses_no_budget_for_ever_and_frees_none_twice(url: str) -> None:
    key, _ = a_key(usd_per_day=1.0)
    store = Store(url)
    store.keys.add(key)
    wants = Demand(waiting=Amount(0.8))
    assert store.budgets.sync("dies", {key.id: wants}, {}, NOON)[key.id].amount == Amount(0.8)
    late = store.budgets.sync("other", {key.id: wants}, {}, NOON + LEASE_S - 1)[key.id]
    assert late.amount.usd == pytest.approx(0.2)
    freed = store.budgets.sync("other", {key.id: Demand(held=late.amount, waiting=Amount(0.8))}, {}, NOON + LEASE_S + 1)
    assert freed[key.id].amount.usd == pytest.approx(1.0)
    back = store.budgets.sync("dies", {key.id: Demand(waiting=Amount(0.8))}, {}, NOON + LEASE_S + 2)[key.id]
    assert back.amount == NOTHING, "what others hold now is not there for it a second time"
    store.close()


def test_leases_of_a_key_that_is_gone_grow_no_more(url: str) -> None:
    store = Store(url)
    held = Amount(0.5)
    lease = store.budgets.sync("one", {"nokey": Demand(held=held, waiting=Amount(9.0))}, {}, NOON)["nokey"]
    assert lease.amount == held
    store.close()


# what an exchange did cost


PRICES = {"up": {"m*": (1.0, 2.0, 0.5)}}
CHAT_USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
MESSAGE_USAGE = {"input_tokens": 60, "output_tokens": 10, "cache_read_input_tokens": 40}
CHOICES = [{"message": {"content": "hi there"}, "finish_reason": "stop"}]
BODIES: list[tuple[Dialect, dict[str, object]]] = [
    ("openai-chat", {"model": "m-1", "choices": CHOICES, "usage": CHAT_USAGE}),
    ("openai-chat", {"model": "unpriced", "choices": CHOICES, "usage": CHAT_USAGE}),
    ("openai-chat", {"choices": CHOICES, "usage": CHAT_USAGE}),
    ("openai-chat", {"model": "m-1", "choices": CHOICES}),
    ("openai-chat", {"model": "m-1", "choices": CHOICES, "usage": None, "error": {"message": "no"}}),
    ("openai-chat", {"model": 7, "choices": CHOICES, "usage": {"prompt_tokens": "x"}}),
    ("openai-completions", {"model": "m-1", "choices": [{"text": "hi"}], "usage": CHAT_USAGE}),
    ("openai-responses", {"model": "m-1", "output": [], "usage": {"input_tokens": 7, "output_tokens": 2}}),
    ("openai-embeddings", {"model": "m-1", "data": [], "usage": {"prompt_tokens": 9, "total_tokens": 9}}),
    ("anthropic-messages", {"model": "m-1", "content": [{"type": "text", "text": "hi"}], "usage": MESSAGE_USAGE}),
    ("other", {"model": "m-1", "usage": CHAT_USAGE}),
]


@pytest.mark.parametrize(("dialect", "body"), BODIES)
@pytest.mark.parametrize("status", [200, 201, 400, 499])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_settlement_comes_to_what_the_record_does(
    dialect: Dialect, body: dict[str, object], status: int, coding: str
) -> None:
    asked = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
    raw = json.dumps(body).encode()
    response = ResponseSide(
        status=status, body=gzip.compress(raw) if coding else raw, content_encoding=coding, latency_ms=1.0
    )
    request = RequestSide(id="a", created_at=NOON, dialect=dialect, method="POST", path="/v1/x", body=asked)
    exchange = Exchange(request, Decision(provider="up"), response)
    call = read_exchange(exchange, prices=PRICES["up"], limit_bytes=2**20).call
    cost = Settlement(PRICES)(exchange)
    assert cost.usd == call.cost_usd
    assert (cost.tokens or 0) == (call.input_tokens or 0) + (call.output_tokens or 0)
    assert cost.is_paid_for is (status != 400)
