"""What a call costs, from its token counts and the list prices in the settings.

Tokens read from a prompt cache or written to one cost what the settings say of them, and the full input price where
they say nothing: an upper bound for cached tokens, but not for written ones where a provider adds to the price.

Not covered: the prices themselves. Freehold ships none, because a stale price is worse than none: a model without a
price has an unknown cost, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from freehold.model.exchange import Usage

Price = tuple[float, ...]
"""USD per million input and output tokens, then where they differ from input, cached and cache-written ones."""
MOST_PRICE_PARTS = 4


def cost_usd(model: str | None, usage: Usage, prices: Mapping[str, Price]) -> float | None:
    """The cost of one call; None when the price or a token count is unknown.

    `prices` is keyed by model name or glob; the exact name wins, then the longest glob that matches.
    """
    if model is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    price = price_of(model, prices)
    if price is None:
        return None
    for_input, for_output, *others = price
    for_cached, for_written = (*others, *[for_input] * MOST_PRICE_PARTS)[:2]
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    written = min(usage.written_tokens or 0, usage.input_tokens - cached)
    fresh = usage.input_tokens - cached - written
    cost = fresh * for_input + cached * for_cached + written * for_written + usage.output_tokens * for_output
    return cost / 1e6


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model; None where there is none."""
    if model in prices:
        return prices[model]
    matching = [pattern for pattern in prices if fnmatchcase(model, pattern)]
    return prices[max(matching, key=len)] if matching else None
