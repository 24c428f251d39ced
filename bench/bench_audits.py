"""What raising audits with the evidence costs a healthy route, and what it spares clients when a model turns.

A cascade of contract A (5%) that answers 60% of the requests, audits declared at 5%. Not covered: detectors themselves
(`bench_online`).
"""

from __future__ import annotations

import numpy as np
from bench_online import Row

from freehold.watch.audits import CALM
from freehold.watch.detector import BETS

DECLARED, LOCAL, TOLERATED, PATIENCE = 0.05, 0.6, 0.05, 73_000.0
_MOST_RUNS, _BEFORE, _AFTER, _EVERY = 200, 8_000, 6_000, 50


def audit_rows(*, runs: int, seed: int) -> list[Row]:
    """The rate that a healthy route really has, and the wrong answers until rollback, beside never raising."""
    raised = _simulate(min(runs, _MOST_RUNS), seed, calm=CALM)
    never = _simulate(min(runs, _MOST_RUNS), seed, calm=float("inf"))
    name = f"declared {DECLARED:.0%}, 4% local and wrong, 5% allowed"
    return [
        {"name": f"audit rate, {name}", "measured": raised[0], "wanted": "<= 0.08", "ok": raised[0] <= 0.08},
        _told("wrong answers until rollback, risk 4% to 10%", raised[1]),
        _told("the same, audits never raised", never[1]),
    ]


def _simulate(runs: int, seed: int, *, calm: float) -> tuple[float, float]:
    """The mean audit rate before the turn, and the median of wrong answers that clients got after it."""
    rng = np.random.default_rng([seed, 60])
    bets = np.array(BETS)[:, None]
    sums = np.zeros((len(BETS), runs))
    rate, total = np.full(runs, DECLARED), 0.0
    alive, wrongs = np.ones(runs, dtype=bool), np.zeros(runs)
    for step in range(_BEFORE + _AFTER):
        risk = 0.04 if step < _BEFORE else 0.10
        is_local = rng.random(runs) < LOCAL
        is_wrong = is_local & (rng.random(runs) < risk / LOCAL)
        is_seen = is_local & (rng.random(runs) < rate)
        weight = np.where(is_local, np.where(is_seen, DECLARED / rate, 0.0), DECLARED)
        grown = sums * (1 + bets * weight * ((is_seen & is_wrong) / TOLERATED - 1)) + weight
        sums = np.where(weight > 0, grown, sums)
        evidence = sums.mean(axis=0)
        if step < _BEFORE:
            total += float(rate.mean()) / _BEFORE
        else:
            wrongs += alive & is_wrong
        alive &= evidence < PATIENCE
        if step % _EVERY == 0:
            rate = np.minimum(1.0, DECLARED * np.maximum(1.0, evidence / calm))
    return total, float(np.median(wrongs))


def _told(name: str, measured: float) -> Row:
    return {"name": name, "measured": measured, "wanted": "told", "ok": True}
