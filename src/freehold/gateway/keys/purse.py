"""A purse: what one gateway holds of one key's budgets, and what of it is reserved for which call.

    lease = reserved for calls under way + spent and not told yet + free

Everything here is plain bookkeeping in memory; whoever uses it holds a lock. Not covered: getting a lease
(`gateway.keys.budgets`), how much it is (`model.budget`).
"""

from __future__ import annotations

import math
from collections import defaultdict

from freehold.model.budget import NOTHING, Amount, Demand, Lease
from freehold.model.key import Key

_FLOW_S = 0.5
"""A gateway likes to have at hand what its calls reserved in about so many seconds."""
_SHORT_S = 0.2
"""So long a key whose limit left nothing is not asked about again."""


class Purse:
    """What is held of one key's budgets; amounts that the key does not limit are 0."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.lease = NOTHING
        self.found = Lease()
        self._reserved = NOTHING
        self._open: dict[str, Amount] = {}
        self._untold: defaultdict[int, Amount] = defaultdict(lambda: NOTHING)
        self._spent = NOTHING
        self._flow = NOTHING
        self._flow_at = 0.0
        self._short_until = -math.inf

    @property
    def free(self) -> Amount:
        """What a new call can be let in with."""
        return self.lease - self._reserved - self._spent

    @property
    def reserved(self) -> Amount:
        """What is reserved for calls under way."""
        return self._reserved

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held, reserved or untold, and the database knows it."""
        is_held = not self.lease.is_nothing() or not self.found.amount.is_nothing()
        return not (is_held or self._open or self._untold)

    def is_short(self, now: float) -> bool:
        """Whether the limit was found to leave too little a moment ago."""
        return now < self._short_until

    def note_short(self, now: float) -> None:
        """Take that the limit leaves too little."""
        self._short_until = now + _SHORT_S

    def take(self, call_id: str, amount: Amount) -> bool:
        """Reserve an amount for a call; False when so much is not free."""
        if not self.free.covers(amount):
            return False
        self._open[call_id] = amount
        self._reserved += amount
        self._flow += amount
        return True

    def reservation(self, call_id: str) -> Amount | None:
        """What is reserved for a call; None where nothing is."""
        return self._open.get(call_id)

    def give_back(self, call_id: str) -> None:
        """Free what is reserved for a call, if anything is."""
        amount = self._open.pop(call_id, None)
        if amount is not None:
            self._reserved = self._reserved - amount if self._open else NOTHING

    def spend(self, minute: int, amount: Amount) -> None:
        """Take what a call did cost, which ended in this Unix minute."""
        if not amount.is_nothing():
            self._untold[minute] += amount
            self._spent += amount

    def offer(self, waiting: Amount, now: float) -> tuple[Demand, dict[int, Amount]]:
        """What is wanted of the budget now, and what was spent and not told; what is too much is not used any more."""
        self._flow = _faded(self._flow, math.exp((self._flow_at - now) / _FLOW_S))
        self._flow_at = now
        untold, spent = dict(self._untold), self._spent
        kept = _least(self.lease - spent, self._reserved + self._flow)
        kept = _most(kept, self._reserved)
        self.lease = kept + spent
        spare = _most(self._flow - (kept - self._reserved), NOTHING)
        return Demand(held=kept, waiting=waiting, spare=spare), untold

    def accept(self, lease: Lease, told: dict[int, Amount]) -> None:
        """Take a new lease, and that what was told is known now."""
        for minute, amount in told.items():
            rest = self._untold.pop(minute) - amount
            if not rest.is_nothing():
                self._untold[minute] = rest
        self._spent = sum(self._untold.values(), NOTHING)
        self.lease, self.found = lease.amount + self._spent, lease

    def expire(self) -> None:
        """Use nothing beyond what is reserved: the lease may have been given to others by now."""
        self.lease = self._reserved + self._spent
        self._flow = NOTHING


def _faded(amount: Amount, share: float) -> Amount:
    return Amount(amount.usd * share, int(amount.tokens * share))


def _least(one: Amount, other: Amount) -> Amount:
    return Amount(min(one.usd, other.usd), min(one.tokens, other.tokens))


def _most(one: Amount, other: Amount) -> Amount:
    return Amount(max(one.usd, other.usd), max(one.tokens, other.tokens))
