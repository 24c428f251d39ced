"""Calls with known answers, to draw splits of: what a trained model answered, or what a bag of words does.

A trained model: what `bench/exit.py` kept of a data set, that is, the calls of its proof split and all held-out rows of
its replay with the answer and the confidence that the gateway gave them.

A bag of words stands in where no run is kept: the linear classifier of `prove.baselines.linear`, learnt in a second
from a seeded sample of the training rows and asked on all held-out rows, with the probability it gives as its
confidence. It cannot write an answer, so it is asked for a part of one (`PARTS`). The final number of gsm8k is beyond
it.

Not covered: making a trained model's answers (`exit.py`), splitting (`proof_splits`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from freehold.demo.rows import read_folder as read_rows
from freehold.errors import FreeholdError
from freehold.model import Call
from freehold.model.dataset_folder import read_manifest, read_split
from freehold.model.engine import OwnedAnswer
from freehold.model.ids import canonical_json, sha256_hex
from freehold.prove.baselines.linear import fit_linear
from freehold.store import CallFilter, Store
from freehold.text.confidence import Calibrator
from freehold.text.read_call import read_call
from freehold.text.scoring import is_acceptable, score

_QUESTION_WORDS = ("what", "who", "whom", "whose", "when", "where", "which", "why", "how")


def _question_word(gold: str) -> str:
    return next((word for word in gold.lower().split() if word in _QUESTION_WORDS), "none")


PARTS: dict[str, tuple[str, int, Callable[[str], str]]] = {
    "viggo": ("the act", 1_000, lambda gold: gold.split("(")[0]),
    "snips": ("the intent", 1_000, lambda gold: str(json.loads(gold)["intent"])),
    "banking77": ("the label", 1_000, lambda gold: gold),
    "disfl_qa": ("the question word", 1_000, _question_word),
    "gsm8k": ("the final number", 300, lambda gold: gold.split("####")[-1].strip()),
}
"""What is asked of the bag of words, the training rows that it learns from, and that part of a whole answer."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Calls with known answers: the confidence (0.0: not to be used) and whether the answer is wrong; and whose."""

    scores: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    owner: str = "owned model"

    def risk(self, threshold: float | None, calls: NDArray[np.int64], *, is_b: bool) -> tuple[float, float]:
        """Of these calls, the risk that the contract bounds and the share answered locally."""
        if threshold is None or not len(calls):
            return 0.0, 0.0
        local = (self.scores[calls] >= threshold) & (self.scores[calls] > 0)
        wrong = int((local & self.wrong[calls]).sum())
        return wrong / max(1, int(local.sum()) if is_b else len(calls)), float(local.mean())


def words_pool(data: Path, name: str, seed: int) -> Pool | None:
    """What a bag of words makes of the held-out rows; None where there are no such rows."""
    part, count, of = PARTS[name]
    try:
        train, held_out, _ = read_rows(data / name)
    except FreeholdError:
        return None
    chosen = np.random.default_rng([seed, 41]).permutation(len(train))[:count]
    learnt = [train[i] for i in chosen]
    model = fit_linear([row.input for row in learnt], [[of(row.gold) for row in learnt]])
    answers = [answer for (answer,) in model.predict([row.input for row in held_out])]
    wrong = [answer != of(row.gold) for (answer, _), row in zip(answers, held_out, strict=True)]
    return Pool(np.array([share for _, share in answers]), np.array(wrong), f"bag of words, {part}")


def kept_pool(folder: Path) -> Pool | None:
    """The answers that a run kept; None where there is no whole run."""
    state = folder / "state"
    kept = _newest(state.glob("proofs/*.answers.jsonl"))
    manifest = _newest(state.glob("datasets/*/manifest.json"))
    if kept is None or manifest is None or not (state / "freehold.db").exists():
        return None
    frozen = read_manifest(manifest.parent)
    answers = _kept_answers(kept)
    gold = {row["input"]: row["gold"] for row in map(json.loads, _lines(folder / "answers.jsonl"))}
    rows: list[tuple[float, bool]] = []
    with tempfile.TemporaryDirectory(prefix="proof-") as copy:
        for file in state.glob("freehold.db*"):
            shutil.copy(file, copy)
        store = Store(f"sqlite:///{Path(copy) / 'freehold.db'}")
        try:
            verdicts = store.registry.verdicts(frozen.task_id)
            if not verdicts:
                return None
            head = Calibrator.from_json(verdicts[0].head)
            rows += _replayed(store, gold, frozen.kind, answers, head)
        finally:
            store.close()
    for example in read_split(manifest.parent, "proof"):
        answer = answers.get(_key([[m.role, m.content] for m in example.messages]))
        if answer is not None and not example.is_aside:
            rows.append(_scored(frozen.kind, example.target, answer.text, head.score(answer)))
    return Pool(np.array([s for s, _ in rows]), np.array([w for _, w in rows])) if rows else None


def _replayed(
    store: Store, gold: dict[str, str], kind: str, answers: dict[str, OwnedAnswer], head: Calibrator
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
