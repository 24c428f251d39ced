"""What a part of `proof.py` finds: guarantees that hold or fall short, and tables that are only shown.

A rate is held to its level plus three standard errors at the number of runs: level + 3 sqrt(level (1 - level) / runs).
A control is a method or a use that breaks the guarantee; it must exceed that bound, else the simulation could not have
seen a breach either. Not covered: simulating, printing (`proof_report`).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["rate", "control", "at least", "at most", "shown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside what is wanted of it; `wanted` is the bound that decides, `runs` how often it was drawn."""

    name: str
    kind: Kind
    measured: float
    wanted: float | None = None
    level: float | None = None
    runs: int = 0

    @property
    def is_ok(self) -> bool:
        """Whether the figure is as wanted; one that is only shown is."""
        if self.wanted is None:
            return True
        if not math.isfinite(self.measured):
            return False
        return self.measured <= self.wanted if self.kind in ("rate", "at most") else self.measured >= self.wanted

    @property
    def error(self) -> float | None:
        """The standard error of a measured rate; None where the figure is no rate."""
        if self.kind not in ("rate", "control") or not self.runs:
            return None
        return math.sqrt(max(self.measured * (1 - self.measured), 0.0) / self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is shown beside the guarantees."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All that one part found; `skipped` says what was left out, and how to have it."""

    name: str
    title: str
    rows: Sequence[Row]
    tables: Sequence[Table] = ()
    skipped: Sequence[str] = ()
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

    def chunks(self, runs: int, units: int) -> Iterator[int]:
        """The runs in portions whose units fit in memory at once."""
        most = max(1, 4_000_000 // units)
        while runs > 0:
            yield min(most, runs)
            runs -= most


def bound(level: float, runs: int) -> float:
    """The level and three standard errors at it."""
    return level + 3 * math.sqrt(level * (1 - level) / runs)


def rate(name: str, measured: float, level: float, runs: int) -> Row:
    """An error rate that must not exceed `level`."""
    return Row(name=name, kind="rate", measured=float(measured), wanted=bound(level, runs), level=level, runs=runs)


def control(name: str, measured: float, level: float, runs: int) -> Row:
    """An error rate that must exceed `level`, so that the simulation is seen to be able to."""
    return Row(name=name, kind="control", measured=float(measured), wanted=bound(level, runs), level=level, runs=runs)


def at_least(name: str, measured: float, wanted: float, runs: int = 0) -> Row:
    """A figure that must reach `wanted`."""
    return Row(name=name, kind="at least", measured=float(measured), wanted=wanted, runs=runs)


def at_most(name: str, measured: float, wanted: float, runs: int = 0) -> Row:
    """A figure that must stay below `wanted`."""
    return Row(name=name, kind="at most", measured=float(measured), wanted=wanted, runs=runs)


def tell(line: str) -> None:
    """Say on stderr how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()
