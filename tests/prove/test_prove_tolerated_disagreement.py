"""What audits bear of a model that is right where the provider is wrong."""

from __future__ import annotations

from freehold.text.intervals import wilson


def test_the_interval_that_the_module_tells() -> None:
    low, high = wilson(11, 100)
    assert (round(100 * low, 1), round(100 * high, 1)) == (6.3, 18.6)
