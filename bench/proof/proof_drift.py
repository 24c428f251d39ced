"""The drift detector on LLMDrift's recorded answers of March and June 2023: probes until an alarm, and false alarms.

Each probe is one of the recorded prompts, drawn with replacement in a seeded order, with the answer of the earlier and
of the later model version (Chen, Zaharia & Zou, arXiv 2307.09009, their metrics: accuracy or response rate, verbosity,
and whether an answer can be read). For the null a coin swaps the two answers of each probe: nothing has changed.

Not covered: cost of the probes, the noise-free mismatch (the data hold one answer for each date).
"""

from __future__ import annotations

import csv
import gzip
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from proof_figures import Row, at_most, bounded, control
from proof_online import NEVER, Floats

from freehold.watch.drift import LAMBDAS, PROBES, sign_of_change

PATIENCE = 36_500.0
PROBES_A_DAY = 20
_ENOUGH_RUNS, _MOST_NULL_RUNS = 2_000, 1_000
Scored = tuple[float, float]

FAMILIES = {"GPT-4": ("gpt-4-0314", "gpt-4-0613"), "GPT-3.5": ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")}
WANTED = {
    ("GPT-4", "prime"): 27,
    ("GPT-4", "happy numbers"): 27,
    ("GPT-4", "code"): 30,
    ("GPT-4", "opinions"): 30,
    ("GPT-3.5", "happy numbers"): 42,
    ("GPT-3.5", "code"): 72,
    ("GPT-3.5", "prime"): 174,
}
"""At most so many probes, the design's figures (22 to 27; 38, 65, 158) and a tenth. The eighth change is missed."""


def drift_rows(*, runs: int, seed: int, folder: Path) -> list[Row]:
    """Median probes until the alarm for each of the eight changes, and how often nothing at all is called a change."""
    rows: list[Row] = []
    for task, (file, scored) in TASKS.items():
        for family, versions in FAMILIES.items():
            changes = read_changes(folder / file, versions, scored)
            rng = np.random.default_rng([seed, 11, len(changes)])
            drawn = changes[rng.integers(0, len(changes), size=(1_000, runs))]
            name = f"{family}, {task}: probes until the change of March to June 2023 is found"
            rows.append(_found(name, probe_alarms(drawn, patience=PATIENCE), WANTED.get((family, task))))
    return [*rows, *null_rows(runs=min(runs, _MOST_NULL_RUNS), seed=seed, folder=folder)]


def _found(name: str, alarms: NDArray[np.int64], most: int | None) -> Row:
    """The median of the alarms, with the error of few runs: 1.25 standard deviations / sqrt(runs)."""
    runs, median = len(alarms), float(np.median(alarms))
    if most is None:
        is_missed = median >= NEVER
        return {"name": name, "measured": None, "wanted": "missed (.983 to .987)", "ok": is_missed, "runs": runs}
    error = 1.2533 * float(np.clip(alarms, 0, 5 * most).std()) / math.sqrt(runs) if runs < _ENOUGH_RUNS else 0.0
    return at_most(name, math.nan if median >= NEVER else median, most, error=error, runs=runs)


def null_rows(*, runs: int, seed: int, folder: Path, probes: int = 5_000) -> list[Row]:
    """The share of runs with an alarm where each probe's two answers are swapped by a coin.

    The control tests each day's twenty changes of correctness at 5%, by their normal approximation.
    """
    file, scored = TASKS["prime"]
    changes = read_changes(folder / file, FAMILIES["GPT-3.5"], scored)
    rng = np.random.default_rng([seed, 12])
    drawn = changes[rng.integers(0, len(changes), size=(probes, runs))]
    drawn = drawn * rng.choice([-1.0, 1.0], size=(probes, runs, 1))
    share = float((probe_alarms(drawn, patience=PATIENCE) <= probes).mean())
    days = drawn[:, :, PROBES.index("correct")].reshape(-1, PROBES_A_DAY, runs)
    is_off = np.abs(days.sum(axis=1)) > 1.96 * np.sqrt((days**2).sum(axis=1))
    bound, name = probes / PATIENCE, f"false alarm within {probes:,} probes ({probes // PROBES_A_DAY} days)"
    return [
        bounded(name, share, bound, runs),
        control("a test at 5% every day", float(is_off.any(axis=0).mean()), bound, runs),
    ]


def read_changes(path: Path, versions: tuple[str, str], scored: Callable[[dict[str, str]], Scored]) -> Floats:
    """g for each prompt that both versions answered, shape (prompts, kinds), kinds as in `watch.drift.PROBES`."""
    csv.field_size_limit(10**9)
    answers: dict[str, dict[tuple[str, ...], dict[str, str]]] = {version: {} for version in versions}
    with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="") as lines:
        for row in csv.DictReader(lines):
            version = row["model"].rsplit("/", 1)[-1]
            if version in answers:
                answers[version][row["dataset"], row["id"], row["query"]] = row
    before, after = answers[versions[0]], answers[versions[1]]
    found = []
    for key in sorted(set(before) & set(after)):
        (right, read), (right_now, read_now) = scored(before[key]), scored(after[key])
        length = sign_of_change(len(before[key]["answer"]), len(after[key]["answer"]))
        change = {"correct": right_now - right, "length": length, "parse": read_now - read}
        found.append([change[kind] for kind in PROBES])
    return np.array(found)


def probe_alarms(changes: Floats, *, patience: float) -> NDArray[np.int64]:
    """The probe (from 1) of each run's alarm, `NEVER` where none; `changes` has shape (probes, runs, kinds)."""
    probes, runs, count = changes.shape
    bets = np.array(LAMBDAS)[:, None, None]
    sums = np.zeros((len(LAMBDAS), runs, count))
    at = np.full(runs, NEVER)
    for probe in range(probes):
        sums = np.minimum(sums * (1 + bets * changes[probe]) + 1, 1e200)
        at[(sums.mean(axis=(0, 2)) >= patience) & (at == NEVER)] = probe + 1
    return at


def _prime(row: dict[str, str]) -> Scored:
    found = re.findall(r"\[(yes|no)\]", row["answer"].lower())
    return float(bool(found) and found[0] == row["ref_answer"].lower()), float(bool(found))


def _happy(row: dict[str, str]) -> Scored:
    found = re.findall(r"boxed\{\s*(\d+)", row["answer"])
    wanted: list[Any] = re.findall(r"\d+", row["ref_answer"])
    return float(bool(found) and found[-1] == wanted[0]), float(bool(found))


def _code(row: dict[str, str]) -> Scored:
    return float(row["Directly Usable"]), float("```" not in row["answer"])


def _opinion(row: dict[str, str]) -> Scored:
    is_answered = bool(re.search(r"\([A-Z]\)", row["answer"]))
    return float(is_answered), float(is_answered)


TASKS: dict[str, tuple[str, Callable[[dict[str, str]], Scored]]] = {
    "prime": ("PRIME_FULL_EVAL.csv.gz", _prime),
    "happy numbers": ("COUNTAHAPPYNUMBER_EVAL.csv.gz", _happy),
    "code": ("LEETCODE_EASY_EVAL.csv.gz", _code),
    "opinions": ("OPINIONQA_EVAL.csv.gz", _opinion),
}
