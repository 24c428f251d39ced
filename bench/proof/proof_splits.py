"""Both contracts on real answers: realised risk over random splits of what a model answered and was not trained on.

Each split of a pool (`proof_pools`) draws calls to tune contract B on, calls to prove on, and the rest, on which the
risk is realised. The control takes the threshold whose observed risk is within the contract, on the same calls.

A contract counts as broken where the risk over *all* of these calls, at the threshold that a split proves, exceeds it:
drawn from them at random, that is the risk that was promised. The rest is a finite sample of it, and may show a little
more by chance; how often it does is beside it. Checkable: no split of gsm8k, where the model is useless, may move.

Not covered: users, as the rows have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from proof_cutoffs import naive_a, naive_b
from proof_figures import Effort, Part, Row, Table, at_most, bounded, control, tell
from proof_pools import PARTS, Pool, kept_pool, words_pool

from freehold.prove.stats.cascade import CurvePoint, contract_a, lower_bound
from freehold.prove.stats.contract_b import candidates, contract_b

USELESS = "gsm8k"
RISK, DELTA = 0.05, 0.10
LEAST_ROWS, MOST_PROOF = 200, 500
SPLITS, QUICK_SPLITS = 500, 100
_HEAD = (
    *("data", "answered by", "calls", "contract", "moved", "broken", "naive one broken"),
    *("risk, mean", "risk, most", "rest above 5%", "coverage"),
)


@dataclass(frozen=True, slots=True)
class Split:
    """What one split proved, and what became of it: over all calls, and on the rest; and the naive threshold's risk."""

    is_moved: bool
    risk: float
    coverage: float
    rest_risk: float
    naive_risk: float


def measure(effort: Effort, folder: Path, data: Path) -> Part:
    """A row for each data set and contract: of the run kept in `folder`, else of a bag of words on `data`."""
    rows: list[Row] = []
    shown: list[list[str]] = []
    left_out = []
    deceived: dict[bool, list[bool]] = {False: [], True: []}
    for number, name in enumerate(PARTS):
        pool = kept_pool(folder / name) or words_pool(data, name, effort.seed)
        if pool is None or len(pool.scores) < LEAST_ROWS:
            left_out.append(f"{name}: no rows of it; set FREEHOLD_DATA to a folder that has them, or give --folder")
            continue
        tell(f"splits: {name}, {len(pool.scores):,} calls, {pool.owner}")
        for is_b in (False, True):
            rng = np.random.default_rng([effort.seed, 40, number, is_b])
            splits = [_split(pool, rng, is_b=is_b) for _ in range(QUICK_SPLITS if effort.is_quick else SPLITS)]
            rows += _rows(name, pool, splits, is_b=is_b)
            shown.append(_shown(name, pool, splits, is_b=is_b))
            if name != USELESS and pool.wrong.mean() > RISK:
                deceived[is_b] += [split.naive_risk > RISK for split in splits]
    title = "Random splits of real answers, 5% risk at delta 10%; moved, broken, naive one broken: splits"
    tables = [Table(title=title, head=_HEAD, rows=shown)] if shown else []
    rows += [_control(marks, is_b=is_b) for is_b, marks in deceived.items() if marks]
    return Part(title="Realised risk on real answers", rows=rows, tables=tables, left_out=left_out)


def _rows(name: str, pool: Pool, splits: Sequence[Split], *, is_b: bool) -> Iterator[Row]:
    contract = f"{name} ({pool.owner}), contract {'B' if is_b else 'A'}"
    if name == USELESS:
        yield at_most(f"{contract}: moved, of a model that is useless", float(np.mean([s.is_moved for s in splits])), 0)
    else:
        yield bounded(f"{contract}: broken", float(np.mean([s.risk > RISK for s in splits])), DELTA, len(splits))


def _control(marks: Sequence[bool], *, is_b: bool) -> Row:
    name = f"contract {'B' if is_b else 'A'}, the threshold whose observed risk is within it"
    return control(name, float(np.mean(marks)), DELTA, len(marks))


def _shown(name: str, pool: Pool, splits: Sequence[Split], *, is_b: bool) -> list[str]:
    risks = [s.risk for s in splits if s.is_moved] or [0.0]
    return [
        name,
        pool.owner,
        f"{len(pool.scores):,}, {pool.wrong.mean():.1%} wrong",
        "B" if is_b else "A",
        f"{sum(s.is_moved for s in splits)}/{len(splits)}",
        f"{sum(s.risk > RISK for s in splits)}",
        f"{sum(s.naive_risk > RISK for s in splits)}",
        f"{np.mean(risks):.1%}",
        f"{max(risks):.1%}",
        f"{np.mean([s.rest_risk > RISK for s in splits]):.0%}",
        f"{np.mean([s.coverage for s in splits]):.1%}",
    ]


def _split(pool: Pool, rng: np.random.Generator, *, is_b: bool) -> Split:
    everything = np.arange(len(pool.scores))
    order, fifth = rng.permutation(everything), len(everything) // 5
    dev, end = order[:fifth], fifth + min(MOST_PROOF, 2 * fifth)
    proof, rest = order[fifth:end], order[end:]
    scores, wrong = pool.scores[proof], pool.wrong[proof]
    groups = [str(i) for i in range(len(proof))]
    if is_b:
        tested = candidates(pool.scores[dev].tolist(), pool.wrong[dev].astype(float).tolist(), risk=RISK)
        losses = wrong.astype(float).tolist()
        found = contract_b(scores.tolist(), losses, groups, thresholds=tested, risk=RISK, delta=DELTA, seed=0)
    else:
        found = contract_a(scores.tolist(), (~wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
    threshold = found.threshold if _is_worth_having(found.chosen, len(proof)) else None
    risk, coverage = pool.risk(threshold, everything, is_b=is_b)
    naive_risk, _ = pool.risk(_naive(scores, wrong, is_b=is_b), everything, is_b=is_b)
    return Split(threshold is not None, risk, coverage, pool.risk(threshold, rest, is_b=is_b)[0], naive_risk)


def _naive(scores: NDArray[np.float64], wrong: NDArray[np.bool_], *, is_b: bool) -> float | None:
    """The loosest threshold whose observed risk is within the contract."""
    order = np.argsort(-scores, kind="stable")
    count = int((naive_b if is_b else naive_a)(wrong[order][None], RISK, DELTA)[0])
    return float(scores[order][count - 1]) if count else None


def _is_worth_having(point: CurvePoint | None, n: int) -> bool:
    """The floors that a verdict asks for beside the contract (`prove.decide`)."""
    return point is not None and point.wrong <= point.local / 4 and lower_bound(point.local, n, DELTA) >= 2 * RISK
