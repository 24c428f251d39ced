"""Which tokens tell right answers from wrong ones: `python bench/confidence.py STATE [--dev N] [--splits N]`.

Reads a state folder in which a task with JSON answers was proven: the dataset's dev and proof split, and the owned
answers that were kept. Draws random splits into N answers that fit the confidence head and the rest, and prints for the
features of all tokens and of the value tokens: how well the rest is ranked (AUC), and the largest share of it that
could be answered with 5% of all wrong. Not covered: answers kept without value tokens, which are counted and left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import msgspec
import numpy as np

from freehold.model.dataset_folder import read_split
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.model.ids import canonical_json, sha256_hex
from freehold.prove.calibrator import features_for, fit_head, ranking
from freehold.text.confidence import FEATURES, VALUE_FEATURES
from freehold.text.scoring import is_acceptable, score

RISK = 0.05
SETS = {"all tokens": FEATURES, "value tokens": VALUE_FEATURES, "both": (*FEATURES, *VALUE_FEATURES)}
Row = tuple[OwnedAnswer, bool]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("--dev", type=int, default=150, help="answers that fit the head")
    parser.add_argument("--splits", type=int, default=60)
    chosen = parser.parse_args()
    if not (chosen.state / "datasets").is_dir():
        parser.error(f"{str(chosen.state)!r} has no datasets; give the state folder of a proven task")
    for dataset in sorted((chosen.state / "datasets").iterdir()):
        examples = [*read_split(dataset, "dev"), *read_split(dataset, "proof")]
        for kept in sorted((chosen.state / "proofs").glob("*.answers.jsonl")):
            _measure(kept, examples, dev=chosen.dev, splits=chosen.splits)


def _measure(kept: Path, examples: list[Example], *, dev: int, splits: int) -> None:
    answers = _answers(kept)
    rows: list[Row] = []
    without = 0
    for example in examples:
        if example.is_aside:
            continue
        given = answers.get(sha256_hex(canonical_json([[m.role, m.content] for m in example.messages])))
        if given is None or not given.is_whole or not is_acceptable("json", given.text):
            continue
        if given.value_logprobs is None:
            without += 1
            continue
        rows.append((given, score("json", example.target, given.text).is_exact))
    rights = sum(right for _, right in rows)
    print(f"{kept.stem.split('.')[0]}: {len(rows)} answers, {rights} right, {without} kept without value tokens")
    if len(rows) < dev + 50 or rights in (0, len(rows)):
        return
    taken = features_for(
        "json", [example.target for example in examples if not example.is_aside], [given for given, _ in rows]
    )
    print(f"a proof would take {next(name for name, names in SETS.items() if names == taken)}")
    for name, names in SETS.items():
        found = np.array([_split(rows, names, dev, np.random.default_rng([7, i])) for i in range(splits)])
        (auc, covered), error = found.mean(axis=0), found.std(axis=0) / np.sqrt(splits)
        print(f"{name:<14} ranking {auc:.3f} +-{error[0]:.3f}   answered at {RISK:.0%}: {covered:.1%} +-{error[1]:.1%}")


def _answers(kept: Path) -> dict[str, OwnedAnswer]:
    rows = [json.loads(line) for line in kept.read_text("utf-8").splitlines() if line.strip()]
    return {row["key"]: msgspec.convert(row["answer"], OwnedAnswer) for row in rows}


def _split(rows: list[Row], names: tuple[str, ...], dev: int, rng: np.random.Generator) -> tuple[float, float]:
    order = rng.permutation(len(rows))
    fitted, rest = ([rows[i] for i in part] for part in (order[:dev], order[dev:]))
    head = fit_head([given for given, _ in fitted], [right for _, right in fitted], names)
    confidences, rights = [head.score(given) for given, _ in rest], [right for _, right in rest]
    wrong = np.cumsum(~np.array(rights)[np.argsort(-np.array(confidences), kind="stable")])
    fitting = np.flatnonzero(wrong <= RISK * len(rest))
    return ranking(confidences, rights) or float("nan"), (fitting[-1] + 1) / len(rest) if len(fitting) else 0.0


if __name__ == "__main__":
    main()
