"""Keys with budgets, gateways that hold them, and a ledger in memory in place of the database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from freehold.errors import FreeholdError
from freehold.gateway.keys.budgets import Budgets
from freehold.gateway.keys.settlement import Cost
from freehold.model.budget import NOTHING, Amount, Demand, Lease, leased
from freehold.model.key import DAY_S, MINUTE_S, Key, KeyUsage, key_hash, key_id, new_key_text
from freehold.record import Decision, Exchange, RequestSide, ResponseSide

NOON = 1_764_072_000.0  # 2025-11-25 12:00 UTC, the beginning of a minute


def a_key(**changes: Any) -> tuple[Key, str]:
    """A key and its text."""
    text = new_key_text()
    key = Key(id=key_id(text) or "", name="app", sha256=key_hash(text), created_at=NOON - 10)
    return replace(key, **changes), text


@dataclass
class Ledger:
    """What gateways share, as the database keeps it; `is_away` while it does not answer."""

    key: Key
    now: float = NOON
    is_away: bool = False
    leases: dict[str, Amount] = field(default_factory=dict)
    spent: dict[int, Amount] = field(default_factory=dict)
    syncs: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> Amount:
        """What was spent in all."""
        return sum(self.spent.values(), NOTHING)

    @property
    def held(self) -> Amount:
        """What all gateways hold."""
        return sum(self.leases.values(), NOTHING)

    def sync(
        self, holder: str, demands: Mapping[str, Demand], told: Mapping[tuple[str, int], Amount]
    ) -> dict[str, Lease]:
        with self.lock:
            return self._sync(holder, demands, told)

    def _sync(
        self, holder: str, demands: Mapping[str, Demand], told: Mapping[tuple[str, int], Amount]
    ) -> dict[str, Lease]:
        if self.is_away:
            raise FreeholdError("The database does not answer.")
        self.syncs += 1
        for (_, minute), amount in told.items():
            self.spent[minute] = self.spent.get(minute, NOTHING) + amount
        usage = KeyUsage(
            day=int(self.now // DAY_S),
            cost_usd=self.total.usd,
            tokens={minute: amount.tokens for minute, amount in self.spent.items()},
        )
        found = {}
        for key_id_, demand in demands.items():
            others = sum((held for name, held in self.leases.items() if name != holder), NOTHING)
            lease = leased(self.key, demand, usage, others, self.now)
            self.leases[holder] = lease.amount
            found[key_id_] = lease
        return found


def costing(exchange: Exchange) -> Cost:
    """What an exchange cost, which stands in its tags."""
    tags = exchange.decision.tags
    return Cost(
        usd=float(tags["usd"]) if "usd" in tags else None,
        tokens=int(tags["tokens"]) if "tokens" in tags else None,
        is_paid_for=exchange.response.status < 400,
    )


def ended(key: Key, call_id: str, *, status: int = 200, parent_id: str | None = None, **cost: object) -> Exchange:
    """A recorded exchange; `usd` and `tokens` are what it cost, where that is known."""
    request = RequestSide(
        id=call_id, created_at=NOON, dialect="openai-chat", method="POST", path="/v1/x", body=b"", key_id=key.id
    )
    tags = {name: str(value) for name, value in cost.items()}
    return Exchange(
        request, Decision(provider="up", parent_id=parent_id, tags=tags), ResponseSide(status=status, body=b"")
    )


@contextmanager
def kept(budgets: Budgets, ledger: Any) -> Iterator[None]:
    """The thread that settles and leases while the block runs."""
    ending = threading.Event()

    def work() -> None:
        while not ending.is_set():
            budgets.wake.wait(0.01)
            with suppress(FreeholdError):
                budgets.step(ledger.sync)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        budgets.wake.set()
        thread.join()


def gateway(ledger: Ledger) -> Budgets:
    """A gateway's budgets."""
    return Budgets(costing, clock=lambda: ledger.now)


async def settled(budgets: Budgets, ledger: Ledger, wanted: Amount) -> None:
    """Wait until the ledger knows that so much was spent."""
    async with asyncio.timeout(20):
        while not (ledger.total - wanted).is_nothing():
            await asyncio.sleep(0.005)


__all__ = ["DAY_S", "MINUTE_S", "NOON", "Ledger", "a_key", "costing", "ended", "gateway", "kept", "settled"]
