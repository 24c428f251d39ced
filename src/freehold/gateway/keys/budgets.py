"""Budgets of keys: what a call may cost is reserved before it is let in, and settled when it has ended.

    reserve    on the event loop: out of what this gateway holds, in memory; a call that finds too little waits for more
    note       on the event loop: an exchange has been recorded, and is to be settled
    step       on a thread, several times a second and when calls wait: settle, then tell and lease (`store.budgets`)

Settling comes to the same cost as the record does (`gateway.keys.settlement`); on a thread, since nobody waits for it.
A call of unknown cost that was paid for counts as much as was reserved for it.

What a gateway holds bounds what it lets in, also while the database is away: then a call that finds too little is
refused with 503 after `WAIT_S`, and after `LEASE_S / 2` without the database nothing new is let in.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from freehold.errors import FreeholdError
from freehold.gateway.keys.purse import Purse
from freehold.gateway.keys.settlement import Cost
from freehold.gateway.keys.shortage import shortage, unavailable
from freehold.model.budget import NOTHING, Amount, Demand, Lease
from freehold.model.ids import uuid7
from freehold.model.key import MINUTE_S, Key
from freehold.record import Exchange
from freehold.store.budgets import LEASE_S

WAIT_S = 5.0
_PAUSE_S, _RENEW_S = 0.25, 10.0
_MOST_UNSETTLED_BYTES = 32 * 2**20

Told = Mapping[tuple[str, int], Amount]
Sync = Callable[[str, Mapping[str, Demand], Told], Mapping[str, Lease]]
"""Tells what was spent and leases what is demanded (`store.budgets.sync`); the first argument names the gateway."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call that waits for a lease; `answer` is settled on its event loop."""

    purse: Purse
    call_id: str
    amount: Amount
    answer: asyncio.Future[None]
    is_left: bool = False


class Budgets:
    """What one gateway holds of all budgets; `cost` tells what an exchange did cost."""

    def __init__(self, cost: Callable[[Exchange], Cost], clock: Callable[[], float] = time.time) -> None:
        self._cost = cost
        self._clock = clock
        self._holder = uuid7()
        self._lock = threading.Lock()
        self._purses: dict[str, Purse] = {}
        self._waiting: list[_Waiting] = []
        self._ended: deque[Exchange] = deque()
        self._ended_ids: set[str] = set()
        self._ended_bytes = 0
        self._synced_at = self._told_at = time.monotonic()
        self.wake = threading.Event()

    async def reserve(self, key: Key, call_id: str, amount: Amount) -> None:
        """Reserve what a call may cost; RefusedError 429 when the limits leave too little, 503 when nobody can tell."""
        with self._lock:
            purse = self._purses.get(key.id) or self._purses.setdefault(key.id, Purse(key))
            if purse.take(call_id, amount):
                return
            if purse.is_short(time.monotonic()):
                raise shortage(key, amount, purse.found, purse.reserved, self._clock())
            waiting = _Waiting(purse, call_id, amount, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
        self.wake.set()
        try:
            async with asyncio.timeout(WAIT_S):
                await waiting.answer
        except TimeoutError:
            self._leave(waiting)
            raise unavailable(key) from None
        except BaseException:
            self._leave(waiting)
            raise

    def note(self, exchange: Exchange) -> None:
        """Take an exchange that was recorded, to be settled if its key has budgets."""
        key_id = exchange.request.key_id
        if key_id is None or key_id not in self._purses:
            return
        with self._lock:
            self._ended.append(exchange)
            self._ended_ids.add(exchange.request.id)
            self._ended_bytes += len(exchange.request.body) + len(exchange.response.body)
            is_much = self._ended_bytes > _MOST_UNSETTLED_BYTES
        if is_much:
            self.wake.set()

    def release(self, key_id: str, call_id: str) -> None:
        """Free what is reserved for a call that has ended, unless it is still to be settled."""
        with self._lock:
            if call_id not in self._ended_ids and key_id in self._purses:
                self._purses[key_id].give_back(call_id)

    def step(self, sync: Sync) -> None:
        """Settle, then lease what is wanted; FreeholdError while the database is away, and then nothing is lost."""
        self.wake.clear()
        self._settle()
        offers, waiting = self._offers()
        try:
            if offers:
                told = {(id_, minute): spent for id_, (_, by) in offers.items() for minute, spent in by.items()}
                leases = sync(self._holder, {key_id: demand for key_id, (demand, _) in offers.items()}, told)
                self._accept(offers, leases)
        except FreeholdError as error:
            self._answer(waiting, error)
            raise
        self._answer(waiting, None)

    def close(self, sync: Sync) -> None:
        """Give all back that is not used any more; calls that are still under way keep what is reserved for them."""
        self._settle()
        with self._lock:
            for purse in self._purses.values():
                purse.expire()
            self._told_at = float("-inf")
        with suppress(FreeholdError):  # it expires by itself
            self.step(sync)

    def _settle(self) -> None:
        while True:
            with self._lock:
                if not self._ended:
                    return
                exchange = self._ended.popleft()
                self._ended_bytes -= len(exchange.request.body) + len(exchange.response.body)
                purse = self._purses[exchange.request.key_id or ""]
                reserved = purse.reservation(exchange.request.id)
            spent, ended_at = self._spent(exchange, reserved or NOTHING, purse.key)
            with self._lock:
                purse.give_back(exchange.request.id)
                purse.spend(int(ended_at // MINUTE_S), spent)
                self._ended_ids.discard(exchange.request.id)

    def _spent(self, exchange: Exchange, reserved: Amount, key: Key) -> tuple[Amount, float]:
        """What an exchange did cost of what its key limits, and when it ended."""
        ended_at = exchange.request.created_at + exchange.response.latency_ms / 1000
        try:
            cost = self._cost(exchange)
        except Exception:  # whatever cannot be read has cost what it may have
            return reserved, ended_at
        usd = cost.usd if cost.usd is not None else reserved.usd * cost.is_paid_for
        tokens = cost.tokens if cost.tokens is not None else reserved.tokens * cost.is_paid_for
        tokens *= exchange.decision.parent_id is None
        is_usd, is_tokens = key.usd_per_day is not None, key.tokens_per_minute is not None
        return Amount(usd if is_usd else 0.0, tokens if is_tokens else 0), ended_at

    def _offers(self) -> tuple[dict[str, tuple[Demand, dict[int, Amount]]], list[_Waiting]]:
        """What each key's budget is asked for, where there is anything to ask or tell; and who waits for it."""
        now = time.monotonic()
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if now - self._synced_at > LEASE_S / 2:
                for purse in self._purses.values():
                    purse.expire()
            wanted: dict[str, Amount] = {}
            for one in waiting:
                wanted[one.purse.key.id] = wanted.get(one.purse.key.id, NOTHING) + one.amount
            is_time = now - self._told_at >= _PAUSE_S
            offers = {}
            for key_id, purse in self._purses.items():
                if key_id in wanted or (is_time and not purse.is_idle):
                    demand, told = purse.offer(wanted.get(key_id, NOTHING), now)
                    is_news = told or demand.held != purse.found.amount
                    if key_id in wanted or is_news or now - self._synced_at > _RENEW_S:
                        offers[key_id] = demand, told
            if is_time:
                self._told_at = now
        return offers, waiting

    def _accept(self, offers: Mapping[str, tuple[Demand, dict[int, Amount]]], leases: Mapping[str, Lease]) -> None:
        with self._lock:
            self._synced_at = time.monotonic()
            for key_id, (_, told) in offers.items():
                self._purses[key_id].accept(leases[key_id], told)

    def _answer(self, waiting: list[_Waiting], error: FreeholdError | None) -> None:
        """Tell those who wait, in their order: let in, too little left, or nobody can tell."""
        for one in waiting:
            refusal: FreeholdError | None = None
            with self._lock:
                if one.is_left:
                    continue
                purse = one.purse
                if error is not None:
                    refusal = unavailable(purse.key)
                elif not purse.take(one.call_id, one.amount):
                    purse.note_short(time.monotonic())
                    refusal = shortage(purse.key, one.amount, purse.found, purse.reserved, self._clock())
            loop = one.answer.get_loop()
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(_tell, one.answer, refusal)

    def _leave(self, waiting: _Waiting) -> None:
        """Nobody waits for this reservation any more."""
        with self._lock:
            waiting.is_left = True
            waiting.purse.give_back(waiting.call_id)


def _tell(answer: asyncio.Future[None], refusal: FreeholdError | None) -> None:
    if answer.done():
        return
    if refusal is None:
        answer.set_result(None)
    else:
        answer.set_exception(refusal)
