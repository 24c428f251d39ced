"""How often a proven cascade breaks its contract, and how much it answers of what an oracle would let it.

Two worlds of confidences, 5% risk, delta 10%: with 1,000 calls to prove on (and 500 to tune contract B on), and in the
first world contract B with twice as many. Then users who make ten calls each, where a few get all the wrong answers.

Not covered: slices, real answers (`proof_splits`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from proof_cutoffs import CONTRACT_A, CONTRACT_B
from proof_draws import OVERSURE, PLAIN, Floats, Ranked
from proof_figures import Effort, Part, Row, Table, at_least, bounded, control, tell

from freehold.prove.stats.cascade import contract_a
from freehold.prove.stats.contract_b import candidates, contract_b

RISK, DELTA = 0.05, 0.10
CALLS = 1_000
NEAR_ORACLE = 0.85
USERS, PER_USER = 100, 10

Found = dict[str, tuple[float, float, float]]
Marks = NDArray[np.bool_]


def measure(effort: Effort) -> Part:
    """Breaches and coverage of both contracts, and of both with users."""
    rows: list[Row] = []
    tables = []
    runs = effort.runs
    for number, world in enumerate((PLAIN, OVERSURE)):
        for is_b in (False, True):
            tell(f"contracts: {'B' if is_b else 'A'}, {world.name}")
            for calls in (CALLS, 2 * CALLS) if is_b and world is PLAIN else (CALLS,):
                rng = np.random.default_rng([effort.seed, 20, number, is_b, calls])
                found = _compare(world, rng, runs, calls, is_b=is_b)
                oracle = world.oracle(RISK, is_among_local=is_b)
                rows += _rows(world, found, oracle, runs, calls, is_b=is_b)
                tables.append(_table(world, found, oracle, calls, is_b=is_b))
    rows += _user_rows(effort)
    return Part(title="A proven cascade breaks its contract", rows=rows, tables=tables)


def _compare(world: Ranked, rng: np.random.Generator, runs: int, calls: int, *, is_b: bool) -> Found:
    """For each method the share of runs that break the contract, the mean coverage and its standard error."""
    share, wrong = world.draw(rng, runs, calls)
    rivals = CONTRACT_B if is_b else CONTRACT_A
    local = {name: choose(wrong, RISK, DELTA) for name, choose in rivals.items()}
    covered = {name: _share_at(share, count) for name, count in local.items()}
    tuning = world.draw(rng, runs, calls // 2) if is_b else None
    own = [_own(share[i], wrong[i], (tuning[0][i], tuning[1][i]) if tuning else None) for i in range(runs)]
    everything = {"Freehold": np.array(own), **covered}
    return {
        name: (_broken(world, at, is_b=is_b), float(at.mean()), float(at.std()) / math.sqrt(runs))
        for name, at in everything.items()
    }


def _own(share: Floats, wrong: Marks, tuning: tuple[Floats, Marks] | None) -> float:
    """The true coverage at the threshold that the package proves."""
    scores = (1 - share).tolist()
    groups = [str(i) for i in range(len(scores))]
    if tuning is None:
        found = contract_a(scores, (~wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
    else:
        order = candidates((1 - tuning[0]).tolist(), tuning[1].astype(float).tolist(), risk=RISK)
        losses = wrong.astype(float).tolist()
        found = contract_b(scores, losses, groups, thresholds=order, risk=RISK, delta=DELTA, seed=0)
    return 0.0 if found.threshold is None else 1 - found.threshold


def _share_at(share: Floats, count: NDArray[np.int64]) -> Floats:
    """The true coverage at the threshold of the last of `count` calls."""
    at = share[np.arange(len(share)), np.maximum(count - 1, 0)]
    return np.where(count > 0, at, 0.0)


def _broken(world: Ranked, covered: Floats, *, is_b: bool) -> float:
    wrong = world.wrong_up_to(covered)
    risk = np.divide(wrong, covered, out=np.zeros_like(wrong), where=covered > 0) if is_b else wrong
    return float((risk > RISK).mean())


def _rows(world: Ranked, found: Found, oracle: float, runs: int, calls: int, *, is_b: bool) -> Iterator[Row]:
    contract = f"contract {'B' if is_b else 'A'}, {world.name}, {calls:,} calls"
    broken, covered, error = found["Freehold"]
    yield bounded(f"{contract}: broken", broken, DELTA, runs)
    if not (is_b and world is PLAIN and calls == CALLS):  # too few for it
        near_oracle = f"{contract}: coverage / oracle's"
        yield at_least(near_oracle, covered / oracle, NEAR_ORACLE, error=error / oracle, runs=runs)
    name = next(iter(CONTRACT_B if is_b else CONTRACT_A))
    yield control(f"{contract}: {name}", found[name][0], DELTA, runs)


def _table(world: Ranked, found: Found, oracle: float, calls: int, *, is_b: bool) -> Table:
    words = "P(wrong | local)" if is_b else "P(local and wrong)"
    return Table(
        title=f"{words} <= 5% at delta 10%, {world.name}, {calls:,} calls; the oracle answers {oracle:.1%}",
        head=["method", "breaks it (allowed .10)", "coverage", "of the oracle's"],
        rows=[[name, f"{broken:.3f}", f"{at:.1%}", f"{at / oracle:.0%}"] for name, (broken, at, _) in found.items()],
    )


def _user_rows(effort: Effort) -> Iterator[Row]:
    """Every answer as confident as the next; one user in 18 gets wrong ones alone, so the risk is 5.6%."""
    runs = effort.share(0.2, least=200)
    tell("contracts: users")
    users = np.repeat(np.arange(USERS), PER_USER).astype(str).tolist()
    alone = [str(i) for i in range(USERS * PER_USER)]
    rng = np.random.default_rng([effort.seed, 21])
    marks = [np.repeat(rng.random(USERS) < 1 / 18, PER_USER) for _ in range(runs)]
    for contract in ("A", "B"):
        words = f"contract {contract}, {USERS} users of {PER_USER} calls"
        broken, unaware = (
            sum(_is_proven(contract, wrong, groups) for wrong in marks) / runs for groups in (users, alone)
        )
        yield bounded(f"{words}: broken", broken, DELTA, runs)
        yield control(f"{words}: calls taken as independent", unaware, DELTA, runs)


def _is_proven(contract: str, wrong: Marks, groups: Sequence[str]) -> bool:
    scores = [0.5] * len(wrong)
    if contract == "A":
        found = contract_a(scores, (~wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
    else:
        losses = wrong.astype(float).tolist()
        found = contract_b(scores, losses, groups, thresholds=(0.5,), risk=RISK, delta=DELTA, seed=0)
    return found.threshold is not None
