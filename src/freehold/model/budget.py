"""Budgets of gateway keys: amounts, what is left of a limit, and how much of it a gateway may set aside.

A gateway sets aside a part of a key's budget in the database that it shares with others: a *lease*. Out of it come the
*reservations* of its calls, each what a call may cost, made before the call is let in and replaced by what it did cost
once it has ended. So the sum of all that was spent, and of all leases, never exceeds the limit, except by what calls
cost beyond their reservations.

Tokens are limited by a minute that slides: what was used in the minute before counts by the share of it that is less
than a minute ago. Not covered: keeping leases (`store.budgets`), reserving (`gateway.keys.budgets`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from freehold.model.key import DAY_S, MINUTE_S, Key, KeyUsage

SPARE_SHARE = 4
"""Of what is left beyond the calls that wait, a gateway sets aside one part in so many at most."""
_ROUNDING_USD, _ROUNDING_S = 1e-9, 1e-6


@dataclass(frozen=True, slots=True)
class Amount:
    """US dollars and tokens; what a key does not limit is 0."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.usd - other.usd, self.tokens - other.tokens)

    def covers(self, other: Amount) -> bool:
        """Whether both parts are at least as large."""
        return self.usd >= other.usd - _ROUNDING_USD and self.tokens >= other.tokens

    def is_nothing(self) -> bool:
        """Whether both parts are 0, but for rounding."""
        return abs(self.usd) <= _ROUNDING_USD and self.tokens == 0


NOTHING = Amount()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a gateway wants of a key's budget: what it holds already and must keep, what its waiting calls may cost, and
    what it would like to have at hand for the next ones."""

    held: Amount = NOTHING
    waiting: Amount = NOTHING
    spare: Amount = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a gateway has got (`amount`), and what was found: what was `used`, and what `others` have set aside.

    `minutes` are the tokens of the minute before and of this one, out of which those that are used are made.
    """

    amount: Amount = NOTHING
    used: Amount = NOTHING
    others: Amount = NOTHING
    minutes: tuple[int, int] = (0, 0)


def leased(key: Key, demand: Demand, usage: KeyUsage, others: Amount, now: float) -> Lease:
    """What a gateway gets: all that it holds, then for its waiting calls as far as the limit goes, then some more."""
    minute, into_s = int(now // MINUTE_S), now % MINUTE_S
    before, current = usage.tokens.get(minute - 1, 0), usage.tokens.get(minute, 0)
    is_today = usage.day == int(now // DAY_S)
    used = Amount(
        usage.cost_usd if is_today else 0.0,
        math.ceil(before * (1 - into_s / MINUTE_S)) + current,
    )
    usd = _granted(
        None if key.usd_per_day is None else key.usd_per_day - used.usd - others.usd,
        demand.held.usd,
        demand.waiting.usd,
        demand.spare.usd,
    )
    tokens = _granted(
        None if key.tokens_per_minute is None else key.tokens_per_minute - used.tokens - others.tokens,
        demand.held.tokens,
        demand.waiting.tokens,
        demand.spare.tokens,
    )
    return Lease(amount=Amount(usd, int(tokens)), used=used, others=others, minutes=(before, current))


def wait_s(before: float, current: float, limit: float, into_s: float) -> int:
    """Whole seconds until a count that slides over two minutes is below a limit; 0 when it is now.

    `before` and `current` are counted in the minute before and in this one, `into_s` is how long this one has lasted.
    """
    if before * (1 - into_s / MINUTE_S) + current < limit:
        return 0
    if current < limit:  # the minute before has to fade
        seconds = MINUTE_S * (1 - (limit - current) / before) - into_s
    else:  # this minute has to end, then to fade
        seconds = MINUTE_S - into_s + MINUTE_S * (1 - limit / current)
    return math.floor(max(seconds, 0) + _ROUNDING_S) + 1


def _granted(room: float | None, held: float, waiting: float, spare: float) -> float:
    """`room` is what the limit leaves to this gateway in all; None where there is no limit, and so nothing to lease."""
    if room is None:
        return 0.0
    needed = held + min(waiting, max(0.0, room - held))
    return needed + min(spare, max(0.0, room - needed) / SPARE_SHARE)
