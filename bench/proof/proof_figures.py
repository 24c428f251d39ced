"""What a part of `proof.py` finds: rows that hold or fall short, and tables that are only shown.

A row has name, measured, wanted and ok, and where they are known runs and the standard error of what was measured. A
control is a method or a use that breaks the guarantee; it must exceed the guarantee's bound, else the simulation could
not have seen a breach either. Rows whose wanted is "beside" (what others do) or "told" are held to nothing. A rate is
held to its level and three standard errors; any other figure to its bound, and below 5,000 runs to three standard
errors more, so that few runs fall short seldom by chance.

Not covered: simulating, printing (`proof_report`).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = dict[str, Any]

STANDARD_ERRORS = 3
_ENOUGH_RUNS = 5_000
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


def bounded(name: str, share: float, level: float, runs: int) -> Row:
    """A guarantee: at most the level, up to three standard errors of so many runs."""
    most = gate(level, runs)
    return _rate(name, share, runs, wanted=f"<= {level:.3g} (here {most:.3g})", is_ok=share <= most)


def control(name: str, share: float, level: float, runs: int) -> Row:
    """A negative control: it must exceed what the guarantee allows."""
    most = gate(level, runs)
    return _rate(f"control: {name}", share, runs, wanted=f"> {most:.3g}", is_ok=share > most)


def at_least(name: str, measured: float, wanted: float, *, error: float = 0.0, runs: int = 0) -> Row:
    """A figure that must reach `wanted`."""
    limit = wanted - _slack(error, runs)
    return _figure(name, measured, f">= {_short(limit)}", measured >= limit, error, runs)


def at_most(name: str, measured: float, wanted: float, *, error: float = 0.0, runs: int = 0) -> Row:
    """A figure that must not exceed `wanted`."""
    limit = wanted + _slack(error, runs)
    return _figure(name, measured, f"<= {_short(limit)}", measured <= limit, error, runs)


def near(name: str, measured: float, wanted: float, *, error: float = 0.0, runs: int = 0) -> Row:
    """A figure of the design, to be met within a tenth."""
    allowed = wanted / 10 + _slack(error, runs)
    return _figure(name, measured, f"{wanted:g} +- {allowed:.2g}", abs(measured - wanted) <= allowed, error, runs)


def timed(name: str, delays: NDArray[np.int64], wanted: float) -> Row:
    """A median delay of the design, to be met within a tenth and three standard errors of so many runs."""
    known = np.clip(delays, 0, 5 * wanted)
    error = 1.2533 * float(known.std()) / math.sqrt(len(known))
    median, allowed = float(np.median(known)), wanted / 10 + STANDARD_ERRORS * error
    is_near = abs(median - wanted) <= allowed
    return _figure(name, median, f"{wanted:g} +- {allowed:.0f}", is_near, error, len(known))


def beside(name: str, measured: float) -> Row:
    """What others do; nothing is asked of it."""
    return {"name": f"others: {name}", "measured": measured, "wanted": "beside", "ok": True}


def told(name: str, measured: float) -> Row:
    """A figure of our own of which nothing is asked."""
    return {"name": name, "measured": measured, "wanted": "told", "ok": True}


def is_held(row: Row) -> bool:
    """Whether anything is asked of it."""
    return row["wanted"] not in ("beside", "told")


def gate(level: float, runs: int) -> float:
    """The level and three standard errors."""
    return level + STANDARD_ERRORS * rate_error(level, runs)


def rate_error(rate: float, runs: int) -> float:
    """The standard error of a rate over so many runs."""
    return math.sqrt(max(rate * (1 - rate), 0.0) / runs)


def tell(line: str) -> None:
    """Say on stderr how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def _rate(name: str, share: float, runs: int, *, wanted: str, is_ok: bool) -> Row:
    return _figure(name, share, wanted, is_ok, rate_error(share, runs), runs)


def _figure(name: str, measured: float, wanted: str, is_ok: bool, error: float, runs: int) -> Row:
    return {
        "name": name,
        "measured": float(measured),
        "wanted": wanted,
        "ok": bool(is_ok),
        "error": error,
        "runs": runs,
    }


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _slack(error: float, runs: int) -> float:
    return STANDARD_ERRORS * error if runs < _ENOUGH_RUNS else 0.0
