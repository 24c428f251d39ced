"""Contracts on real answers: realised risk over random splits of what a model answered and was never trained on.

Reads what `bench/exit.py` kept of a data set: wanted answers, and the owned answers with their log probabilities. Each
split draws calls to tune on, calls to prove on and the rest, on which the risk is counted. A split breaks its contract
for certain where the rest shows it (Clopper-Pearson, 95%). Not covered: making the answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from bench_online import Row, bounded

from freehold.core.confidence import ConfidenceHead
from freehold.core.engine import OwnedAnswer
from freehold.core.ids import canonical_json, sha256_hex
from freehold.core.scoring import is_acceptable, score
from freehold.prove.cascade import CurvePoint, contract_a, lower_bound
from freehold.prove.contract_b import candidates, contract_b
from freehold.prove.head import fit_head

NAMES = ("viggo", "snips", "banking77", "disfl_qa", "gsm8k")
SPLITS, RISK, DELTA = 40, 0.05, 0.10


def split_rows(folder: Path, *, seed: int) -> list[Row]:
    """A row for each data set and contract; one that was never run says how to make it."""
    rows: list[Row] = []
    for name in NAMES:
        answers = _pool(folder / name)
        if len(answers) < 200:
            how = f"python bench/exit.py {name}"
            rows.append({"name": f"{name}: no kept run", "measured": None, "wanted": how, "ok": True})
            continue
        rng = np.random.default_rng([seed, len(answers)])
        rows += [
            _row(name, contract, [_split(answers, contract, rng) for _ in range(SPLITS)], len(answers))
            for contract in ("A", "B")
        ]
    return rows


def _row(name: str, contract: str, splits: list[tuple[int, int, int]], pool: int) -> Row:
    """`splits` are (local, wrong, rest)."""
    at_stake = [rest if contract == "A" else local for local, _, rest in splits]
    risks = [wrong / n if n else 0.0 for (_, wrong, _), n in zip(splits, at_stake, strict=True)]
    shown = [n > 0 and lower_bound(wrong, n, 0.05) > RISK for (_, wrong, _), n in zip(splits, at_stake, strict=True)]
    over = sum(risk > RISK for risk in risks) / len(splits)
    coverage = sum(local / rest for local, _, rest in splits) / len(splits)
    moved = sum(local > 0 for local, _, _ in splits)
    row = bounded("", sum(shown) / len(splits), DELTA, len(splits))
    words = f"{name} ({pool:,}), contract {contract}: shown to be broken; moved {moved}/{len(splits)}"
    figures = f"coverage {coverage:.1%}, risk mean {np.mean(risks):.1%}, most {max(risks):.1%}, above 5% in {over:.0%}"
    return {**row, "name": words, "note": figures}


def _split(pool: list[tuple[OwnedAnswer, bool, bool]], contract: str, rng: np.random.Generator) -> tuple[int, int, int]:
    order = rng.permutation(len(pool))
    cut, end = len(pool) // 5, len(pool) // 5 + min(500, len(pool) * 2 // 5)
    dev, proof, rest = ([pool[i] for i in part] for part in (order[:cut], order[cut:end], order[end:]))
    usable = [row for row in dev if row[2]]
    head = fit_head([a for a, _, _ in usable], [r for _, r, _ in usable])
    scores, groups = _scores(head, proof), [str(i) for i in range(len(proof))]
    if contract == "A":
        found = contract_a(scores, [r for _, r, _ in proof], groups, risk=RISK, delta=DELTA, seed=0)
    else:
        tested = candidates(_scores(head, dev), [float(not r) for _, r, _ in dev], risk=RISK)
        lost = [float(not r) for _, r, _ in proof]
        found = contract_b(scores, lost, groups, thresholds=tested, risk=RISK, delta=DELTA, seed=0)
    if found.threshold is None or not _is_worth_having(found.chosen, len(proof)):
        return 0, 0, len(rest)
    local = [s >= found.threshold and s > 0 for s in _scores(head, rest)]
    wrong = sum(is_local and not r for is_local, (_, r, _) in zip(local, rest, strict=True))
    return sum(local), wrong, len(rest)


def _is_worth_having(point: CurvePoint | None, n: int) -> bool:
    """The floors that a verdict asks for beside the contract (`prove.decide`)."""
    return point is not None and point.wrong <= point.local / 4 and lower_bound(point.local, n, DELTA) >= 2 * RISK


def _scores(head: ConfidenceHead, rows: list[tuple[OwnedAnswer, bool, bool]]) -> list[float]:
    return [head.score(answer) if is_usable else 0.0 for answer, _, is_usable in rows]


def _pool(folder: Path) -> list[tuple[OwnedAnswer, bool, bool]]:
    """Answers to rows that the newest model was not trained on, with whether each is right and usable."""
    datasets = sorted((folder / "state" / "datasets").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    kept = sorted((folder / "state" / "proofs").glob("*.answers.jsonl"), key=lambda path: path.stat().st_mtime)
    if not datasets or not kept:
        return []
    kind = json.loads(datasets[-1].read_text("utf-8"))["kind"]
    answers: dict[str, dict[str, Any]] = {}
    for line in _lines(kept[-1]):
        row = json.loads(line)
        answers[row["key"]] = row["answer"]
    trained = {_key(json.loads(line)["messages"]) for line in _lines(datasets[-1].parent / "train.jsonl")}
    pool = {}
    for line in _lines(folder / "answers.jsonl"):
        row = json.loads(line)
        key = _key([{"role": "user", "content": row["input"]}])
        if key in answers and key not in trained:
            given = _answer(answers[key])
            pool[key] = (given, score(kind, row["gold"], given.text).is_exact, is_acceptable(kind, given.text))
    return list(pool.values())


def _answer(row: dict[str, Any]) -> OwnedAnswer:
    return OwnedAnswer(text=row["text"], logprobs=tuple(row["logprobs"]), is_whole=row["is_whole"])


def _key(messages: list[dict[str, str]]) -> str:
    return sha256_hex(canonical_json([[m["role"], m["content"]] for m in messages]))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").split("\n") if line]
