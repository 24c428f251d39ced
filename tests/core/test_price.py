"""Costs: known prices are exact, unknown ones stay unknown."""

from __future__ import annotations

import pytest

from freehold.core import Usage
from freehold.core.price import cost_usd

PRICES = {"m": (1.0, 2.0), "m-*": (10.0, 20.0), "m-long-*": (100.0, 200.0)}


@pytest.mark.parametrize(
    ("model", "cost"), [("m", 0.005), ("m-1", 0.05), ("m-long-1", 0.5), ("other", None), (None, None)]
)
def test_the_nearest_price_wins(model: str | None, cost: float | None) -> None:
    assert cost_usd(model, Usage(1000, None, 2000), PRICES) == (None if cost is None else pytest.approx(cost))


def test_unknown_counts_have_no_cost() -> None:
    assert cost_usd("m", Usage(1000, None, None), PRICES) is None
    assert cost_usd("m", Usage(0, None, 0), PRICES) == 0.0
