"""Both contracts on real answers: realised risk over random splits of what a model answered and was not trained on.

Reads what `bench/exit.py` kept of a data set: the calls of its proof split, and all held-out rows of its replay with
the answer and the confidence that the gateway gave them. Each split draws calls to tune contract B on, calls to prove
on, and the rest, on which the risk is realised.

A contract counts as broken where the risk over *all* of these calls, at the threshold that a split proves, exceeds it:
drawn from them at random, that is the risk that was promised. The rest is a finite sample of it, and may show a little
more by chance; how often it does is beside it. Checkable: no split of gsm8k, where the model is useless, may move.

Not covered: making the answers (`exit.py`); users, as the rows have none.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from bench_online import Row, bounded
from numpy.typing import NDArray
from proof_figures import Effort, Part, Table, at_most, tell

from freehold.core import Call
from freehold.core.confidence import ConfidenceHead
from freehold.core.engine import OwnedAnswer
from freehold.core.ids import canonical_json, sha256_hex
from freehold.core.scoring import is_acceptable, score
from freehold.loop.sorting import read_call
from freehold.prove.cascade import CurvePoint, contract_a, lower_bound
from freehold.prove.contract_b import candidates, contract_b
from freehold.prove.folder import read_folder
from freehold.store import CallFilter, Store

NAMES = ("viggo", "snips", "banking77", "disfl_qa", "gsm8k")
USELESS = "gsm8k"
RISK, DELTA = 0.05, 0.10
LEAST_ROWS, MOST_PROOF = 200, 500
SPLITS, QUICK_SPLITS = 200, 20


@dataclass(frozen=True, slots=True)
class Pool:
    """Calls with known answers: the confidence (0.0: not to be used) and whether the answer is wrong."""

    scores: NDArray[np.float64]
    wrong: NDArray[np.bool_]

    def risk(self, threshold: float | None, calls: NDArray[np.int64], *, is_b: bool) -> tuple[float, float]:
        """Of these calls, the risk that the contract bounds and the share answered locally."""
        if threshold is None or not len(calls):
            return 0.0, 0.0
        local = (self.scores[calls] >= threshold) & (self.scores[calls] > 0)
        wrong = int((local & self.wrong[calls]).sum())
        return wrong / max(1, int(local.sum()) if is_b else len(calls)), float(local.mean())


@dataclass(frozen=True, slots=True)
class Split:
    """What one split proved, and what became of it: over all calls, and on the rest."""

    is_moved: bool
    risk: float
    coverage: float
    rest_risk: float


def measure(effort: Effort, folder: Path) -> Part:
    """A row for each data set and contract; one that was never run says how to make it."""
    rows: list[Row] = []
    shown: list[list[str]] = []
    left_out = []
    for number, name in enumerate(NAMES):
        pool = read_pool(folder / name)
        if pool is None or len(pool.scores) < LEAST_ROWS:
            left_out.append(f"{name}: no whole run is kept here; run: python bench/exit.py {name}, or give --folder")
            continue
        tell(f"splits: {name}, {len(pool.scores):,} calls")
        for is_b in (False, True):
            rng = np.random.default_rng([effort.seed, 40, number, is_b])
            splits = [_split(pool, rng, is_b=is_b) for _ in range(QUICK_SPLITS if effort.is_quick else SPLITS)]
            rows += _rows(name, splits, is_b=is_b)
            shown.append(_shown(name, pool, splits, is_b=is_b))
    head = ["data", "calls", "contract", "moved", "broken", "risk, mean", "risk, most", "rest above 5%", "coverage"]
    tables = (
        [Table(title="Random splits of real answers, 5% risk at delta 10%", head=head, rows=shown)] if shown else []
    )
    return Part(title="Realised risk on real answers", rows=rows, tables=tables, left_out=left_out)


def _rows(name: str, splits: Sequence[Split], *, is_b: bool) -> Iterator[Row]:
    contract = f"{name}, contract {'B' if is_b else 'A'}"
    if name == USELESS:
        yield at_most(f"{contract}: moved, of a model that is useless", float(np.mean([s.is_moved for s in splits])), 0)
    else:
        yield bounded(f"{contract}: broken", float(np.mean([s.risk > RISK for s in splits])), DELTA, len(splits))


def _shown(name: str, pool: Pool, splits: Sequence[Split], *, is_b: bool) -> list[str]:
    risks = [s.risk for s in splits if s.is_moved] or [0.0]
    return [
        name,
        f"{len(pool.scores):,}, {pool.wrong.mean():.1%} wrong",
        "B" if is_b else "A",
        f"{sum(s.is_moved for s in splits)}/{len(splits)}",
        f"{sum(s.risk > RISK for s in splits)}",
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
    return Split(threshold is not None, risk, coverage, pool.risk(threshold, rest, is_b=is_b)[0])


def _is_worth_having(point: CurvePoint | None, n: int) -> bool:
    """The floors that a verdict asks for beside the contract (`prove.decide`)."""
    return point is not None and point.wrong <= point.local / 4 and lower_bound(point.local, n, DELTA) >= 2 * RISK


def read_pool(folder: Path) -> Pool | None:
    """The answers that a run kept; None where there is no whole run."""
    state = folder / "state"
    kept = _newest(state.glob("proofs/*.answers.jsonl"))
    manifest = _newest(state.glob("datasets/*/manifest.json"))
    if kept is None or manifest is None or not (state / "freehold.db").exists():
        return None
    proof = read_folder(manifest.parent)
    answers = _kept_answers(kept)
    gold = {row["input"]: row["gold"] for row in map(json.loads, _lines(folder / "answers.jsonl"))}
    rows: list[tuple[float, bool]] = []
    with tempfile.TemporaryDirectory(prefix="proof-") as copy:
        for file in state.glob("freehold.db*"):
            shutil.copy(file, copy)
        store = Store(f"sqlite:///{Path(copy) / 'freehold.db'}")
        try:
            verdicts = store.book.verdicts(proof.task_id)
            if not verdicts:
                return None
            head = ConfidenceHead.from_json(verdicts[0].head)
            rows += _replayed(store, gold, proof.kind, answers, head)
        finally:
            store.close()
    for example in proof.proof:
        answer = answers.get(_key([[m.role, m.content] for m in example.messages]))
        if answer is not None:
            rows.append(_scored(proof.kind, example.target, answer.text, head.score(answer)))
    return Pool(np.array([s for s, _ in rows]), np.array([w for _, w in rows])) if rows else None


def _replayed(
    store: Store, gold: dict[str, str], kind: str, answers: dict[str, OwnedAnswer], head: ConfidenceHead
) -> Iterator[tuple[float, bool]]:
    """Each held-out row once: as the gateway scored it, or as it was asked afterwards."""
    local: dict[str, Call] = {}
    asked: dict[str, Call] = {}
    for call in store.calls.stream(CallFilter(is_failed=False)):
        if call.arm == "shadow" and call.parent_id is not None:
            local[call.parent_id] = call
        elif call.parent_id is None and call.tags.get("part") == "after":
            asked[call.tags.get("row", call.id)] = call
    for call in asked.values():
        read = read_call(call)
        text = read.asked.messages[-1].content if read.asked else ""
        if text not in gold:
            continue
        owned = call if call.arm == "owned" else local.get(call.id)
        if owned is not None and owned.confidence is not None:
            yield _scored(kind, gold[text], read_call(owned).answer_text, owned.confidence)
        elif (answer := answers.get(_key([["user", text]]))) is not None:
            yield _scored(kind, gold[text], answer.text, head.score(answer))


def _scored(kind: str, wanted: str, given: str, confidence: float) -> tuple[float, bool]:
    usable = confidence if is_acceptable(kind, given) else 0.0
    return usable, not score(kind, wanted, given).is_exact


def _kept_answers(path: Path) -> dict[str, OwnedAnswer]:
    rows = map(json.loads, _lines(path))
    return {row["key"]: msgspec.convert(row["answer"], OwnedAnswer) for row in rows}


def _key(messages: list[list[str]]) -> str:
    return sha256_hex(canonical_json(messages))


def _newest(paths: Iterable[Path]) -> Path | None:
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").split("\n") if line]
