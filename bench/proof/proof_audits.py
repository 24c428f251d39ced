"""What raising audits with the evidence costs a healthy route, and what it spares clients when a model turns.

A cascade of contract A (5%) that answers 60% of the requests, audits declared at 5%; `rollback_rows` of another shape.
Not covered: detectors themselves (`proof_online`), a real gateway (`rollback`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from proof_figures import Row, at_most, bounded, control, told
from proof_online import NEVER

from freehold.text.intervals import wilson
from freehold.watch.audits import CALM
from freehold.watch.detector import BETS

TOLERATED, PATIENCE = 0.05, 73_000.0
_MOST_RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A route whose share of wrong answers changes: `risk_before` for `before` requests, then `risk_after`.

    Of all requests a share `local` is answered locally, of these a share `declared` audited, and more as evidence
    grows: the rate is set anew after every `every` requests, and does not rise below evidence of `calm`.
    """

    declared: float
    local: float = 1.0
    risk_before: float
    risk_after: float
    before: int
    after: int
    every: int = 1
    calm: float = CALM


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """The mean audit rate before the turn; for each run the requests from the turn to the alarm, and wrong answers."""

    rate: float
    requests: NDArray[np.int64]
    wrong: NDArray[np.int64]


def audit_rows(*, runs: int, seed: int) -> list[Row]:
    """The rate that a healthy route really has, and the wrong answers until rollback, beside never raising."""
    runs = min(runs, _MOST_RUNS)
    raised, never = (simulate(_healthy_then_not(calm), runs=runs, seed=seed) for calm in (CALM, float("inf")))
    return [
        at_most("audit rate, declared 5%, 4% local and wrong, 5% allowed", raised.rate, 0.15),
        told("wrong answers until rollback, risk 4% to 10%", float(np.median(raised.wrong))),
        told("the same, audits never raised", float(np.median(never.wrong))),
        *_bearing_rows(runs=max(runs, _MOST_RUNS), seed=seed),
    ]


def _bearing_rows(*, runs: int, seed: int) -> list[Row]:
    """A model at its 5% whose provider is wrong, and it right, in 10%; 5,000 audits, which see 15% unlike.

    The proof saw 500 calls of that, all of them corrected. Promised: audits / patience, and 2.5% for the interval.
    """
    promised = 5_000 / PATIENCE + 0.025
    rng = np.random.default_rng([seed, 61])
    seen = rng.binomial(500, 0.10, size=runs)
    borne = np.array([wilson(int(k), 500)[1] for k in seen])
    is_unlike = rng.random((5_000, runs)) < 0.15
    bore, bore_none = (_taken_back(is_unlike, TOLERATED + more) for more in (borne, np.zeros(runs)))
    return [
        bounded("taken back in 5,000 audits, 5% wrong, right where the provider is wrong", bore, promised, runs),
        control("the same where nothing is borne", bore_none, promised, runs),
    ]


def _taken_back(is_wrong: NDArray[np.bool_], tolerated: NDArray[np.float64]) -> float:
    bets = np.array(BETS)[:, None]
    sums, most = np.zeros((len(BETS), is_wrong.shape[1])), np.zeros(is_wrong.shape[1])
    for wrong in is_wrong:
        sums = np.minimum(sums * (1 + bets * (wrong / tolerated - 1)) + 1, 1e200)
        most = np.maximum(most, sums.mean(axis=0))
    return float(np.mean(most >= PATIENCE))


def _healthy_then_not(calm: float) -> Turn:
    return Turn(
        declared=0.05, local=0.6, risk_before=0.04, risk_after=0.10, before=8_000, after=6_000, every=50, calm=calm
    )


def simulate(turn: Turn, *, runs: int, seed: int) -> Turned:
    """Many runs of one turn."""
    rng = np.random.default_rng([seed, 60])
    bets = np.array(BETS)[:, None]
    sums = np.zeros((len(BETS), runs))
    rate, total = np.full(runs, turn.declared), 0.0
    alarm, wrong = np.full(runs, NEVER), np.zeros(runs, dtype=np.int64)
    for step in range(turn.before + turn.after):
        risk = turn.risk_before if step < turn.before else turn.risk_after
        is_local = rng.random(runs) < turn.local
        is_wrong = is_local & (rng.random(runs) < risk / turn.local)
        is_seen = is_local & (rng.random(runs) < rate)
        weight = np.where(is_local, is_seen, rate)  # k / q with k the rate in force, as in `watch.watcher`
        grown = sums * (1 + bets * weight * ((is_seen & is_wrong) / TOLERATED - 1)) + weight
        sums = np.minimum(np.where(weight > 0, grown, sums), 1e200)
        evidence = sums.mean(axis=0)
        if step < turn.before:
            total += float(rate.mean()) / turn.before
        else:
            wrong += (alarm == NEVER) & is_wrong
        alarm[(alarm == NEVER) & (evidence >= PATIENCE)] = step + 1 - turn.before
        if step % turn.every == 0:
            rate = np.minimum(1.0, turn.declared * np.maximum(1.0, evidence / turn.calm))
    return Turned(rate=total, requests=alarm, wrong=wrong)
