"""Type I error of the paired test: a model exactly at the margin, looked at after every unit.

A grid over margin, discordance, cap and calls per user; graded scores; and controls that must certify too often:
betting on calls where users differ, the percentile bootstrap and the paired t at few errors, Tango looked at each time.
Beside it, the bounds of a difference that changes (`proof_running`).

Not covered: power (`proof_power`), repeated attempts (`proof_attempts`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from proof_draws import GRADED, Floats, Shares, clustered, paired
from proof_figures import Effort, Part, Row, Table, beside, bounded, chunks, control, tell
from proof_rivals import bootstrap, paired_t, tango_once, tango_peeked
from proof_running import running_rows

from freehold.prove.stats.betting import log_wealth

ALPHA = 0.05
MARGINS = (0.01, 0.02, 0.03, 0.05)
DISCORDANCES = (0.02, 0.05, 0.10, 0.30)
CAPS = {1: (100, 400, 1500), 5: (100, 400), 20: (50, 200)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the grid; `cap` counts users."""

    margin: float
    discordance: float
    per_user: int
    cap: int


def measure(effort: Effort) -> Part:
    """All error rates of the paired test."""
    found = {cell: _grid_error(cell, effort) for cell in _cells(effort)}
    rows = [*_worst(found, effort), *_graded(effort), *_controls(effort), *running_rows(effort)]
    return Part(title="A model exactly at the margin is certified, at any look", rows=rows, tables=[_table(found)])


def certified(units: Floats, margin: float, alpha: float = ALPHA) -> int:
    """How many runs of `prove.stats.betting` certify at any look."""
    path = log_wealth(units, margin, alpha=alpha, cap=units.shape[1])
    return int((path.max(axis=1) >= math.log(1 / alpha)).sum())


def _cells(effort: Effort) -> Iterator[Cell]:
    for per_user, caps in CAPS.items():
        for cap in caps[: 1 if effort.is_quick else None]:
            for margin, discordance in product(MARGINS, DISCORDANCES):
                if discordance >= margin:
                    yield Cell(margin, discordance, per_user, cap)


def _grid_error(cell: Cell, effort: Effort) -> float:
    rng = np.random.default_rng([effort.seed, 1, cell.cap, cell.per_user, *_thousandths(cell)])
    shares = Shares.of(cell.discordance, -cell.margin)
    wrong = 0
    for runs in chunks(effort.runs, cell.cap * cell.per_user):
        if cell.per_user == 1:
            units = paired(rng, runs, cell.cap, shares)
        else:
            units = clustered(rng, runs, cell.cap, cell.per_user, shares).mean(axis=2)
        wrong += certified(units, cell.margin)
    error = wrong / effort.runs
    tell(f"error: margin {cell.margin:.0%}, {cell.discordance:.0%}, {cell.cap} x {cell.per_user}: {error:.4f}")
    return error


def _thousandths(cell: Cell) -> tuple[int, int]:
    return round(1000 * cell.margin), round(1000 * cell.discordance)


def _worst(found: dict[Cell, float], effort: Effort) -> Iterable[Row]:
    for per_user in CAPS:
        cells = {cell: error for cell, error in found.items() if cell.per_user == per_user}
        worst = max(cells, key=cells.__getitem__)
        of = "independent calls" if per_user == 1 else f"{per_user} calls a user, bet on once a user"
        where = f"{worst.margin:.0%} at {worst.discordance:.0%}, cap {worst.cap:,}"
        yield bounded(f"{of}: worst of {len(cells)} settings ({where})", cells[worst], ALPHA, effort.runs)


def _graded(effort: Effort) -> Iterable[Row]:
    for number, (name, draw) in enumerate(GRADED.items()):
        rng = np.random.default_rng([effort.seed, 2, number])
        margin, cap = 0.05, 200
        wrong = sum(certified(draw(rng, runs, cap, margin), margin) for runs in chunks(effort.runs, cap))
        yield bounded(f"graded scores: {name}", wrong / effort.runs, ALPHA, effort.runs)


def _controls(effort: Effort) -> Iterable[Row]:
    """Each with so many runs, however few were asked for, that what it breaks is seen to break."""
    tell("error: controls")
    fewer = effort.share(0.2, least=400)
    for per_user in (5, 20):
        yield control(f"betting on calls, {per_user} a user", _by_call(per_user, effort.seed, fewer), ALPHA, fewer)
    enough = max(effort.runs, 1_000)
    for name, decide in _once().items():
        wrong, rng = 0, np.random.default_rng([effort.seed, 4])
        for runs in chunks(enough, 20_000):
            units = -(rng.random((runs, 100)) < 0.02).astype(float)
            wrong += int((decide(rng, units) > 0).sum())
        yield control(f"{name}, 2% errors, n = 100", wrong / enough, ALPHA, enough)
    rng = np.random.default_rng([effort.seed, 5])
    stops = tango_peeked(paired(rng, fewer, 1500, Shares.of(0.10, -0.02)), 0.02, ALPHA)
    yield control("Tango's z at every look", float((stops > 0).mean()), ALPHA, fewer)
    units = np.concatenate([paired(rng, n, 1500, Shares.of(0.10, -0.02)) for n in chunks(effort.runs, 1500)])
    once = float((tango_once(units, 0.02, ALPHA, 1500) > 0).mean())
    yield beside("Tango's z looked at once", once)


def _once() -> dict[str, Callable[[np.random.Generator, Floats], np.ndarray]]:
    return {
        "percentile bootstrap": lambda rng, units: bootstrap(rng, units, 0.02, ALPHA, 100),
        "paired t": lambda _, units: paired_t(units, 0.02, ALPHA, 100),
    }


def _by_call(per_user: int, seed: int, wanted: int) -> float:
    """The wrong use: every call is a unit, though a user's calls go together."""
    rng = np.random.default_rng([seed, 3, per_user])
    users, margin, wrong = 100, 0.05, 0
    for runs in chunks(wanted, users * per_user):
        units = clustered(rng, runs, users, per_user, Shares.of(0.10, -margin)).reshape(runs, -1)
        wrong += certified(units, margin)
    return wrong / wanted


def _table(found: dict[Cell, float]) -> Table:
    kinds = sorted({(cell.per_user, cell.cap) for cell in found})
    points = sorted({(cell.margin, cell.discordance) for cell in found})
    by_point = {(cell.margin, cell.discordance, cell.per_user, cell.cap): error for cell, error in found.items()}
    return Table(
        title="Share of runs certified at any look (allowed: .05)",
        head=["margin", "discordance", *(f"{cap} users x {per_user}" for per_user, cap in kinds)],
        rows=[
            [f"{m:.0%}", f"{psi:.0%}", *(f"{by_point[(m, psi, per_user, cap)]:.4f}" for per_user, cap in kinds)]
            for m, psi in points
        ],
    )
