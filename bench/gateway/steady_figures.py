"""What `steady.py` hands to its cases, and the rows that they give back.

A case is a module with one function:

    def measure(options: Options) -> list[Row]

It measures the checkout in `options.checkout`, by starting programs with `options.environment` (`freehold` is then the
package of that checkout), and keeps all its files below `options.folder`. `steady.py` calls it once for this checkout
and, with --against, once for the other one, and puts the two side by side by the names of the rows.

Not covered: how the rows are printed (`steady_report`), what is measured (`steady_delivery`, `steady_rollback` and the
other cases).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure. `cores` are those of the gateway, the load and the busy loops together; seconds are per phase.

    `other` is the checkout of --against, for a case that measures both in turns: `BY_TURNS` in its module is then true.
    """

    folder: Path
    checkout: Path
    cores: tuple[int, ...]
    is_quick: bool = False
    rate: float = 1500.0
    seconds: float = 300.0
    other: Path | None = None
    tell: Callable[[str], None] = print

    @property
    def environment(self) -> dict[str, str]:
        """For the programs that are started: those of the checkout, without Freehold's settings and proxies."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("FREEHOLD_") and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
        }
        return {**kept, "PYTHONPATH": str(self.checkout / "src")}

    def below(self, name: str) -> Options:
        """The same with a folder of its own."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self, folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `aim` is in words ("at most 10 s"); a row without one is for comparison, and `is_met` is None.

    `value` is None where the figure could not be had; then an aim is not met and `note` says why. `against` is the
    value of the other checkout, which `steady.py` fills in.
    """

    name: str
    value: float | None
    unit: str = ""
    aim: str = ""
    is_met: bool | None = None
    against: float | None = None
    note: str = ""


def at_most(name: str, value: float | None, limit: float, unit: str, note: str = "") -> Row:
    """A row whose value must not exceed a limit."""
    is_met = value is not None and value <= limit
    return Row(name=name, value=value, unit=unit, aim=f"at most {limit:g} {unit}".rstrip(), is_met=is_met, note=note)


def at_least(name: str, value: float | None, limit: float, unit: str, note: str = "") -> Row:
    """A row whose value must not fall below a limit."""
    is_met = value is not None and value >= limit
    return Row(name=name, value=value, unit=unit, aim=f"at least {limit:g} {unit}".rstrip(), is_met=is_met, note=note)


def exactly(name: str, value: float | None, wanted: float, unit: str, note: str = "") -> Row:
    """A row whose value must be this one."""
    aim = f"{wanted:g} {unit}".rstrip()
    return Row(name=name, value=value, unit=unit, aim=aim, is_met=value is not None and value == wanted, note=note)


def beside(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Rows with the values that the other checkout gave under the same names."""
    values = {row.name: row.value for row in others}
    return [replace(row, against=values.get(row.name)) for row in rows]
