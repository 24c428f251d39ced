"""What a part of `proof.py` finds: rows that hold or fall short (`bench_online`), and tables that are only shown.

A control is a method or a use that breaks the guarantee; it must exceed the guarantee's bound, else the simulation
could not have seen a breach either. Not covered: simulating, printing (`proof_report`).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench_online import Row

_UNITS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is shown beside the guarantees."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All that one part found; `left_out` says what was not measured, and how to have it."""

    title: str
    rows: Sequence[Row]
    tables: Sequence[Table] = ()
    left_out: Sequence[str] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to simulate; `is_quick` also leaves cells of a grid out."""

    runs: int
    seed: int
    is_quick: bool

    def share(self, of: float, *, least: int = 100) -> int:
        """A part of the runs, for what is slow."""
        return max(least, round(self.runs * of))


def chunks(runs: int, units: int) -> Iterator[int]:
    """The runs in portions whose units fit in memory at once."""
    most = max(1, _UNITS_AT_ONCE // units)
    while runs > 0:
        yield min(most, runs)
        runs -= most


def at_least(name: str, measured: float, wanted: float, *, power: float | None = None, runs: int = 0) -> Row:
    """A figure that must reach `wanted`; for a power, less three standard errors where runs are few."""
    limit = wanted - _noise(power, runs)
    return {"name": name, "measured": float(measured), "wanted": f">= {limit:.3g}", "ok": bool(measured >= limit)}


def at_most(name: str, measured: float, wanted: float) -> Row:
    """A figure that must not exceed `wanted`."""
    return {"name": name, "measured": float(measured), "wanted": f"<= {wanted:.3g}", "ok": bool(measured <= wanted)}


def tell(line: str) -> None:
    """Say on stderr how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def _noise(power: float | None, runs: int) -> float:
    """At 10,000 runs a figure stands for itself; at few it is noisy, and says so in its bound."""
    return 0.0 if power is None or runs >= 5_000 else 3 * math.sqrt(power * (1 - power) / runs)
