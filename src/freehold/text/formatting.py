"""Figures as people read them, in the terminal and in the console: money, milliseconds, counts, ages.

Not covered: intervals and shares, which stand beside what they are of.
"""

from __future__ import annotations


def usd(amount: float | None) -> str:
    """Money, or `unknown`; small amounts with five decimals."""
    if amount is None:
        return "unknown"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}${size:,.2f}" if size >= 0.1 or size == 0 else f"{sign}${size:.5f}"


def ms(value: float | None) -> str:
    """Milliseconds, or `-` for none."""
    return "-" if value is None else f"{value:,.0f} ms"


def count(value: float | None) -> str:
    """A count in five characters or fewer, or `-` for unknown."""
    if value is None:
        return "-"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 10 * size or (unit != "k" and value >= size):
            return f"{value / size:.1f}{unit}" if value < 100 * size else f"{value / size:.0f}{unit}"
    return f"{value:.0f}"


def age(stamp: float, now: float) -> str:
    """How long ago a Unix time was, in four characters or fewer."""
    seconds = max(0.0, now - stamp)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.0f}s"
