"""Costs: known prices are exact, unknown ones stay unknown."""

from __future__ import annotations

import pytest

from freehold.model import Usage
from freehold.model.price import cost_usd

PRICES = {"m": (1.0, 2.0), "m-*": (10.0, 20.0), "m-long-*": (100.0, 200.0)}


@pytest.mark.parametrize(
    ("model", "cost"), [("m", 0.005), ("m-1", 0.05), ("m-long-1", 0.5), ("other", None), (None, None)]
)
def test_the_nearest_price_wins(model: str | None, cost: float | None) -> None:
    assert cost_usd(model, Usage(1000, None, 2000), PRICES) == (None if cost is None else pytest.approx(cost))


def test_unknown_counts_have_no_cost() -> None:
    assert cost_usd("m", Usage(1000, None, None), PRICES) is None
    assert cost_usd("m", Usage(0, None, 0), PRICES) == 0.0


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        ((10.0, 20.0), 1000 * 10 + 50 * 20),
        ((10.0, 20.0, 1.0), 400 * 10 + 600 * 1 + 50 * 20),
        ((10.0, 20.0, 1.0, 12.5), 200 * 10 + 600 * 1 + 200 * 12.5 + 50 * 20),
        ((10.0, 20.0, 10.0, 12.5), 800 * 10 + 200 * 12.5 + 50 * 20),
    ],
)
def test_cached_and_written_tokens_have_prices_of_their_own(price: tuple[float, ...], usd: float) -> None:
    usage = Usage(1000, 600, 50, 200)
    assert cost_usd("m", usage, {"m": price}) == pytest.approx(usd / 1e6)


def test_parts_that_are_more_than_the_whole_cost_no_more_than_it() -> None:
    assert cost_usd("m", Usage(10, 600, 0, 600), {"m": (10.0, 20.0, 1.0, 99.0)}) == pytest.approx(10e-6)
