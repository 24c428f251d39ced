"""What a call costs, from its token counts and the list prices in the settings.

Not covered: the prices themselves. Freehold ships none, because a stale price is worse than none: a model without a
price has an unknown cost, never zero. Prompt caching: cached tokens are counted at the full input price, so that the
cost is an upper bound where a provider gives a discount.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from freehold.core.exchange import Usage

Price = tuple[float, float]
"""USD per million input and output tokens."""


def cost_usd(model: str | None, usage: Usage, prices: Mapping[str, Price]) -> float | None:
    """The cost of one call; None when the price or a token count is unknown.

    `prices` is keyed by model name or glob; the exact name wins, then the longest glob that matches.
    """
    if model is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    price = _price(model, prices)
    if price is None:
        return None
    return (usage.input_tokens * price[0] + usage.output_tokens * price[1]) / 1e6


def _price(model: str, prices: Mapping[str, Price]) -> Price | None:
    if model in prices:
        return prices[model]
    matching = [pattern for pattern in prices if fnmatchcase(model, pattern)]
    return prices[max(matching, key=len)] if matching else None
