"""Why a call does not fit into a key's budgets: which one, what is left of it, what the call may cost, what to do.

Not covered: finding that out (`gateway.keys.budgets`).
"""

from __future__ import annotations

import math

from freehold.gateway.errors import RefusedError
from freehold.model.budget import Amount, Lease, wait_s
from freehold.model.key import DAY_S, MINUTE_S, Key
from freehold.text.formatting import usd

_SMALLER = "name a smaller max_tokens (max_completion_tokens, max_output_tokens), or send less text"


def shortage(key: Key, amount: Amount, found: Lease, reserved: Amount, now: float) -> RefusedError:
    """The refusal of a call that may cost `amount`; `found` is what the database knew, `reserved` what is here."""
    under_way = found.others + reserved
    if key.tokens_per_minute is None or (
        key.usd_per_day is not None and amount.usd > key.usd_per_day - found.used.usd - under_way.usd
    ):
        return _short_of_usd(key, amount.usd, found.used.usd, under_way.usd, now)
    return _short_of_tokens(key, key.tokens_per_minute, amount.tokens, found, under_way.tokens, now)


def unavailable(key: Key) -> RefusedError:
    """The refusal of a call while nobody can say what is left."""
    return RefusedError(
        503,
        "budget_unavailable",
        f"What is left of the budgets of the gateway key {key.name!r} cannot be told now.",
        hint="The database does not answer; freehold doctor says more. Keys without budgets go on.",
        retry_after_s=1,
    )


def _short_of_usd(key: Key, cost: float, used: float, under_way: float, now: float) -> RefusedError:
    limit = key.usd_per_day or 0.0
    left = max(0.0, limit - used)
    message = (
        f"The gateway key {key.name!r} has {usd(left)} left of its {usd(limit)} of this day (UTC), "
        f"{usd(min(under_way, left))} of it reserved for calls under way; this call may cost {usd(cost)}."
    )
    if cost <= left:
        return RefusedError(
            429, "budget_short", message, hint=f"Ask again in a moment, or {_SMALLER}.", retry_after_s=1
        )
    until_s = math.floor(DAY_S - now % DAY_S) + 1
    hint = f"The next day begins in {until_s} s. Or {_SMALLER}."
    return RefusedError(429, "budget_short", message, hint=hint, retry_after_s=until_s)


def _short_of_tokens(key: Key, limit: int, tokens: int, found: Lease, under_way: int, now: float) -> RefusedError:
    left = max(0, limit - found.used.tokens)
    message = (
        f"The gateway key {key.name!r} has {left:,} left of its {limit:,} tokens per minute, "
        f"{min(under_way, left):,} of them reserved for calls under way; this call may use {tokens:,}."
    )
    if tokens > limit:
        return RefusedError(429, "call_too_large", message, hint=f"Waiting does not help: {_SMALLER}.")
    seconds = max(1, wait_s(*found.minutes, max(1, limit - tokens - under_way + 1), now % MINUTE_S))
    return RefusedError(
        429, "too_many_tokens", message, hint=f"Try again in {seconds} s, or {_SMALLER}.", retry_after_s=seconds
    )
