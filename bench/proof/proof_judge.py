"""A judge's many cheap scores beside few labels of people: wrong certificates and power, for judges good and bad.

    sharp     sees what people see nine times in ten, and a tie else
    lenient   sees every second loss of the owned model as a tie
    useless   says anything, with the shares that people have

300 labels, ten judged pairs to each, 10% of pairs differ, margin 5%: once for a model exactly at the margin, once for
an equal one. Judge alone and PPI++ decide by a normal bound; people alone and the corrected judge bet at every label.

Not covered: asking a judge (`prove.judge`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from proof_draws import Floats, Shares, paired
from proof_error import ALPHA
from proof_figures import Effort, Part, Row, Table, beside, bounded, chunks, control, tell
from scipy.special import ndtri

from freehold.prove.stats.ppi import powered_log_wealth, powered_means

LABELS, PER_LABEL = 300, 10
DISCORDANCE, MARGIN = 0.10, 0.05

Judge = Callable[[np.random.Generator, Floats], Floats]


def _sharp(rng: np.random.Generator, people: Floats) -> Floats:
    return np.where(rng.random(people.shape) < 0.9, people, 0.0)


def _lenient(rng: np.random.Generator, people: Floats) -> Floats:
    return np.where((people < 0) & (rng.random(people.shape) < 0.5), 0.0, people)


def _useless(rng: np.random.Generator, people: Floats) -> Floats:
    return rng.permuted(people.reshape(len(people), -1), axis=1).reshape(people.shape)


JUDGES: dict[str, Judge] = {"sharp": _sharp, "lenient": _lenient, "useless": _useless}
METHODS = ("judge alone", "PPI++, one look", "people alone, bets", "Freehold: corrected judge, bets")


def measure(effort: Effort) -> Part:
    """Error and power of each method with each judge."""
    runs = effort.runs
    rows: list[Row] = []
    shown = []
    for number, (name, judge) in enumerate(JUDGES.items()):
        tell(f"judge: {name}")
        rng = np.random.default_rng([effort.seed, 50, number])
        wrong = _certified(rng, judge, Shares.of(DISCORDANCE, -MARGIN), runs)
        power = _certified(rng, judge, Shares.of(DISCORDANCE, 0.0), runs)
        rows.append(bounded(f"{name} judge, corrected, bets", wrong[METHODS[3]], ALPHA, runs))
        rows.append(beside(f"{name} judge, PPI++", wrong[METHODS[1]]))
        if name == "lenient":
            rows.append(control(f"{name} judge alone", wrong[METHODS[0]], ALPHA, runs))
        shown += [[name, method, f"{wrong[method]:.3f}", f"{power[method]:.3f}"] for method in METHODS]
    table = Table(
        title=f"{LABELS} labels, {PER_LABEL} judged pairs to each",
        head=["judge", "method", "certifies a model at the margin (allowed .05)", "power"],
        rows=shown,
    )
    return Part(title="A judge corrected by people certifies a model at the margin", rows=rows, tables=[table])


def _certified(rng: np.random.Generator, judge: Judge, shares: Shares, runs: int) -> dict[str, float]:
    found = dict.fromkeys(METHODS, 0)
    for some in chunks(runs, LABELS * (PER_LABEL + 1)):
        people = paired(rng, some, LABELS, shares)
        unseen = paired(rng, some, LABELS * PER_LABEL, shares)
        scores, others = judge(rng, people), judge(rng, unseen)
        for method, certifies in zip(METHODS, _decided(people, scores, others), strict=True):
            found[method] += int(certifies.sum())
    return {method: count / runs for method, count in found.items()}


def _decided(people: Floats, scores: Floats, others: Floats) -> tuple[Floats, ...]:
    z, goal = float(ndtri(1 - ALPHA)), math.log(1 / ALPHA)
    everything = np.concatenate([scores, others], axis=1)
    alone = everything.mean(axis=1) - z * everything.std(axis=1) / math.sqrt(everything.shape[1])
    mean, se, _ = powered_means(people, scores, others)
    parts = others.reshape(len(people), LABELS, PER_LABEL)
    bets = powered_log_wealth(people, scores, parts, MARGIN, alpha=ALPHA, cap=LABELS)
    humans = powered_log_wealth(people, scores, parts[:, :, :0], MARGIN, alpha=ALPHA, cap=LABELS)
    return (
        alone > -MARGIN,
        mean - z * se > -MARGIN,
        humans.max(axis=1) >= goal,
        bets.max(axis=1) >= goal,
    )
