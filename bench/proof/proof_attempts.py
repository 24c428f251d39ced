"""Many attempts at one task: how often any of twenty models that are exactly at the margin is ever certified.

Each has calls of its own; that is the worst case, as attempts on the same calls go together. Spending
(`prove.attempts`) holds it to alpha over the life of the task; without it nearly every task ends with a wrong move.

Not covered: what spending costs (`prove.attempts` has the figures).
"""

from __future__ import annotations

import numpy as np
from proof_draws import Shares, paired
from proof_error import ALPHA
from proof_figures import Effort, Part, Row, Table, beside, bounded, control, tell
from proof_power import star_stops

from freehold.prove.attempts import level
from freehold.prove.stats.cascade import contract_a

ATTEMPTS = 20
MARGIN, DISCORDANCE, CAP = 0.05, 0.15, 300
RISK, DELTA, CALLS = 0.05, 0.10, 300


def measure(effort: Effort) -> Part:
    """Wrong moves over twenty attempts at the paired test and at contract A, with spending and without."""
    paired_rows, table = _paired(effort)
    return Part(
        title="Any of 20 attempts is wrongly certified", rows=[*paired_rows, *_cascades(effort)], tables=[table]
    )


def _paired(effort: Effort) -> tuple[list[Row], Table]:
    runs = effort.runs
    rng = np.random.default_rng([effort.seed, 30])
    spent, unspent = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    after = {}
    for number in range(1, ATTEMPTS + 1):
        units = paired(rng, runs, CAP, Shares.of(DISCORDANCE, -MARGIN))
        spent |= star_stops(units, MARGIN, alpha=ALPHA * level(number)) > 0
        unspent |= star_stops(units, MARGIN) > 0
        after[number] = (float(spent.mean()), float(unspent.mean()))
        tell(f"attempts: {number}: {after[number][0]:.4f}")
    rows = [
        bounded(f"{ATTEMPTS} attempts at the paired test", after[ATTEMPTS][0], ALPHA, runs),
        control(f"{ATTEMPTS} attempts, each at all of alpha", after[ATTEMPTS][1], ALPHA, runs),
        beside("one attempt at all of alpha", after[1][1]),
    ]
    shown = [(number, *after[number]) for number in (1, 2, 5, 10, 20)]
    table = Table(
        title="Share of tasks with a wrong move so far (allowed .05)",
        head=["attempts", "Freehold", "each at all of alpha"],
        rows=[[str(number), f"{a:.4f}", f"{b:.3f}"] for number, a, b in shown],
    )
    return rows, table


def _cascades(effort: Effort) -> list[Row]:
    """Models whose answers are all as confident and wrong in 5.01%: a hair over what contract A allows."""
    runs = effort.share(0.1, least=200)
    rng = np.random.default_rng([effort.seed, 31])
    scores, groups = [0.5] * CALLS, [str(i) for i in range(CALLS)]

    def is_proven(wrong: list[bool], delta: float) -> bool:
        is_right = [not mark for mark in wrong]
        return contract_a(scores, is_right, groups, risk=RISK, delta=delta, seed=0).threshold is not None

    spent = unspent = 0
    for _ in range(runs):
        models = (rng.random((ATTEMPTS, CALLS)) < RISK + 1e-4).tolist()
        spent += any(is_proven(wrong, DELTA * level(k)) for k, wrong in enumerate(models, 1))
        unspent += any(is_proven(wrong, DELTA) for wrong in models)
    return [
        bounded(f"{ATTEMPTS} attempts at contract A", spent / runs, DELTA, runs),
        control(f"{ATTEMPTS} attempts at contract A, each at all of delta", unspent / runs, DELTA, runs),
    ]
