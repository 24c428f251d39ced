"""Detectors of slices: how seldom one is withheld by mistake, and how soon one that turned bad is.

Of J slices each has J times the route's patience. Not covered: the route's own detectors (`proof_online`).
"""

from __future__ import annotations

import numpy as np
from proof_figures import Row, bounded, control, told
from proof_online import alarms

SLICES, TOLERATED, RISK = 20, 0.12, 0.05
_MOST_RUNS = 1_000


def slice_rows(*, runs: int, seed: int) -> list[Row]:
    """Slices exactly at their bound, and one of 20 that goes from 4% to 50% wrong."""
    runs = min(runs, _MOST_RUNS)
    return [*_by_mistake(runs, seed), *_turned(runs, seed)]


def _by_mistake(runs: int, seed: int, *, each: int = 100, patience: float = 1_000.0) -> list[Row]:
    rng = np.random.default_rng([seed, 50])
    excess = (rng.random((each, runs * SLICES)) < TOLERATED) / TOLERATED - 1
    at = {times: alarms(excess, patience=times * patience).reshape(runs, SLICES) for times in (SLICES, 1)}
    shares = {times: float((found <= each).any(axis=1).mean()) for times, found in at.items()}
    bound = each / patience
    name = f"any of {SLICES} slices withheld by audit {each * SLICES:,}, A = {patience:,.0f}, all at {TOLERATED:.0%}"
    return [
        bounded(name, shares[SLICES], bound, runs),
        control("the same, each slice at the route's own patience", shares[1], bound, runs),
    ]


def _turned(runs: int, seed: int, *, good: int = 50, bad: int = 150, patience: float = 73_000.0) -> list[Row]:
    """One slice of 20 turns after `good` audits of each; the whole route is looked at beside it."""
    rng = np.random.default_rng([seed, 51])
    share = np.r_[np.full(good, 0.04), np.full(bad, 0.5)]
    lost = rng.random((good + bad, runs)) < share[:, None]
    delays = alarms(lost / TOLERATED - 1, patience=SLICES * patience) - good
    others = rng.random(((good + bad) * (SLICES - 1), runs)) < 0.04
    whole = np.empty(((good + bad) * SLICES, runs), dtype=bool)
    is_turned = np.arange(len(whole)) % SLICES == 0
    whole[is_turned], whole[~is_turned] = lost, others
    of_route = alarms(whole / RISK - 1, patience=patience) - good * SLICES
    delay = float(np.median(delays))
    return [
        told(f"audits of a slice, 1 of {SLICES}, from 4% to 50% wrong, until it is withheld", delay),
        told("audits of the whole route in that time", delay * SLICES),
        told("route taken back by then, at 5%", float((of_route <= delays * SLICES).mean())),
    ]
