"""Power and sample size of the paired test for a model that is as good as the provider, beside what others do.

The cap is 1.25 times the size that a fixed-sample test needs for 80% power; every method gets the same units, and the
same number of them again for a model exactly at the margin, so that power that was bought with error is seen.

Not covered: error rates over a grid (`proof_error`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from proof_draws import Floats, Shares, paired
from proof_error import ALPHA
from proof_figures import Effort, Part, Row, Table, at_least, at_most, chunks, rate_error, tell
from proof_rivals import Stops, asymptotic, bootstrap, group, mixture, paired_t, tango_once

from freehold.prove.stats.betting import log_wealth
from freehold.prove.stats.tango import n_fixed

CAP_TIMES = 1.25
OURS, TANGO = "Freehold (betting, every look)", "Tango, one look"
NEAR = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the design's table: its power and its mean number of units over n_fixed."""

    discordance: float
    margin: float
    power: float
    mean: float

    @property
    def name(self) -> str:
        """As the tables have it."""
        return f"{self.discordance:.0%} discordance, margin {self.margin:.0%}"

    @property
    def n_fixed(self) -> int:
        """The units of a fixed-sample test."""
        return n_fixed(self.discordance, self.margin)


SETTINGS = (
    Setting(discordance=0.10, margin=0.02, power=0.83, mean=0.88),
    Setting(discordance=0.05, margin=0.03, power=0.78, mean=0.95),
    Setting(discordance=0.30, margin=0.05, power=0.85, mean=0.87),
)
LEAST_POWER, MOST_MEAN = 0.82, 0.92


@dataclass(slots=True)
class _Tally:
    """What one method did so far: certified and units used where it is equal, certified where it is at the margin."""

    certified: int = 0
    units: int = 0
    units_squared: int = 0
    wrong: int = 0


def measure(effort: Effort) -> Part:
    """Power, size and error of every method in every setting."""
    rows: list[Row] = []
    tables = []
    for number, setting in enumerate(SETTINGS):
        found = _compare(setting, np.random.default_rng([effort.seed, 10, number]), effort)
        rows += _rows(setting, found, effort.runs)
        tables.append(_table(setting, found, effort.runs))
    return Part(title="An equal model is certified", rows=rows, tables=tables)


def _compare(setting: Setting, rng: np.random.Generator, effort: Effort) -> dict[str, _Tally]:
    fixed = setting.n_fixed
    cap = round(CAP_TIMES * fixed)
    methods = _methods(rng, setting.margin, fixed)
    found = {name: _Tally() for name in methods}
    for runs in chunks(effort.runs, cap):
        equal = paired(rng, runs, cap, Shares.of(setting.discordance, 0.0))
        worse = paired(rng, runs, cap, Shares.of(setting.discordance, -setting.margin))
        for name, (decide, last) in methods.items():
            stops, tally = decide(equal), found[name]
            tally.certified += int((stops > 0).sum())
            used = np.where(stops > 0, stops, last or cap)
            tally.units += int(used.sum())
            tally.units_squared += int((used**2).sum())
            tally.wrong += int((decide(worse) > 0).sum())
    tell(f"power: {setting.name}: {found[OURS].certified / effort.runs:.3f}")
    return found


def _methods(
    rng: np.random.Generator, margin: float, fixed: int
) -> dict[str, tuple[Callable[[Floats], Stops], int | None]]:
    """Each method with the unit at which it ends in any case; None is the cap."""
    return {
        OURS: (lambda units: star_stops(units, margin), None),
        "O'Brien-Fleming on Tango's z, 5 looks": (lambda units: group(units, margin, ALPHA), None),
        "asymptotic confidence sequence, every look": (lambda units: asymptotic(units, margin, ALPHA, fixed), None),
        "mixture of fixed bets, every look": (lambda units: mixture(units, margin, ALPHA), None),
        TANGO: (lambda units: tango_once(units, margin, ALPHA, fixed), fixed),
        "percentile bootstrap, one look": (lambda units: bootstrap(rng, units, margin, ALPHA, fixed, 200), fixed),
        "paired t, one look": (lambda units: paired_t(units, margin, ALPHA, fixed), fixed),
    }


def star_stops(units: Floats, margin: float, *, alpha: float = ALPHA) -> Stops:
    """The unit at which `prove.stats.betting` certifies, 0 where it never does."""
    certifies = log_wealth(units, margin, alpha=alpha, cap=units.shape[1]) >= math.log(1 / alpha)
    return np.where(certifies.any(axis=1), certifies.argmax(axis=1) + 1, 0)


def _rows(setting: Setting, found: dict[str, _Tally], runs: int) -> Iterable[Row]:
    ours, of = found[OURS], setting.name
    power, mean = ours.certified / runs, ours.units / runs / setting.n_fixed
    by_chance = rate_error(setting.power, runs)
    spread = math.sqrt(ours.units_squared / runs - (ours.units / runs) ** 2) / setting.n_fixed / math.sqrt(runs)
    yield at_least(f"power, {of}", power, setting.power * (1 - NEAR), error=by_chance, runs=runs)
    yield at_most(f"mean units / n_fixed, {of}", mean, setting.mean * (1 + NEAR), error=spread, runs=runs)
    beside_tango = power / (found[TANGO].certified / runs)
    yield at_least(f"power / Tango's at n_fixed, {of}", beside_tango, 0.9, error=by_chance, runs=runs)
    if setting is SETTINGS[0]:
        yield at_least(f"power, {of}: the aim", power, LEAST_POWER, error=by_chance, runs=runs)
        yield at_most(f"mean units / n_fixed, {of}: the aim", mean, MOST_MEAN, error=spread, runs=runs)


def _table(setting: Setting, found: dict[str, _Tally], runs: int) -> Table:
    return Table(
        title=f"{setting.name}: n_fixed = {setting.n_fixed:,}, cap {round(CAP_TIMES * setting.n_fixed):,}",
        head=["method", "power", "mean units / n_fixed", "certifies a model at the margin (allowed .05)"],
        rows=[
            [name, f"{t.certified / runs:.3f}", f"{t.units / runs / setting.n_fixed:.2f}", f"{t.wrong / runs:.3f}"]
            for name, t in found.items()
        ],
    )
