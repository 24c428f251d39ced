"""What a proof promises of all calls of a task, where 40% of them get a tool call and 25% a refusal.

A fifth of those calls the owned model answers as if it were asked in earnest. Proven is on all held-out calls, as
datasets hold them now; then the share of all later traffic is looked at that is answered locally and wrong. The control
is what was done before: a proof on the calls with a usable answer, whose threshold then meets all of the traffic.

Not covered: how the calls are held out (tests/dataset), what the gateway is not asked about (they only add to n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from proof_figures import Effort, Part, Row, at_least, bounded, control, tell

from freehold.prove.stats.cascade import contract_a

RISK, DELTA = 0.05, 0.10
CALLS, LATER = 1_000, 2_000_000
TOOLS, REFUSALS, IN_EARNEST, WRONG = 0.40, 0.25, 0.20, 0.06
NEAR_ORACLE = 0.75


class Traffic(NamedTuple):
    """Calls: how sure the owned model is, whether its answer would be wrong, whether the provider's is usable."""

    sure: NDArray[np.float64]
    is_wrong: NDArray[np.bool_]
    is_usable: NDArray[np.bool_]


def measure(effort: Effort) -> Part:
    """Breaches over all later traffic, and coverage, of proofs on all calls and on usable ones."""
    return Part(title="Of all calls of a task with tool calls and refusals", rows=list(_rows(effort)))


def _rows(effort: Effort) -> Iterator[Row]:
    runs = effort.share(0.5, least=200)
    tell("population")
    rng = np.random.default_rng([effort.seed, 60])
    later = _draw(rng, LATER)
    risk, coverage = _later(later)
    broken, covered, selected = 0, [], 0
    for _ in range(runs):
        calls = _draw(rng, CALLS)
        whole = _threshold(calls.sure, calls.is_wrong)
        usable = _threshold(calls.sure[calls.is_usable], calls.is_wrong[calls.is_usable])
        broken += risk(whole) > RISK
        selected += risk(usable) > RISK
        covered.append(coverage(whole))
    oracle = coverage(min(t for t in np.linspace(0, 1, 2001) if risk(float(t)) <= RISK))
    error = float(np.std(covered)) / runs**0.5 / oracle
    name = f"contract A, {TOOLS:.0%} tool calls, {REFUSALS:.0%} refusals, {CALLS:,} calls"
    yield bounded(f"{name}: broken over all later traffic", broken / runs, DELTA, runs)
    yield at_least(
        f"{name}: coverage / oracle's", float(np.mean(covered)) / oracle, NEAR_ORACLE, error=error, runs=runs
    )
    yield control(f"{name}: proven on usable calls alone", selected / runs, DELTA, runs)


def _draw(rng: np.random.Generator, count: int) -> Traffic:
    """Calls that come, with the confidence of the owned model's answer to each."""
    is_usable = rng.random(count) >= TOOLS + REFUSALS
    is_wrong = ~is_usable | (rng.random(count) < WRONG)
    in_earnest = np.where(rng.random(count) < IN_EARNEST, rng.uniform(0.4, 1.0, count), rng.uniform(0.01, 0.5, count))
    known = np.where(is_wrong, rng.uniform(0.01, 0.7, count), rng.uniform(0.3, 1.0, count))
    return Traffic(np.where(is_usable, known, in_earnest), is_wrong, is_usable)


def _threshold(sure: NDArray[np.float64], is_wrong: NDArray[np.bool_]) -> float:
    """The proven threshold; one that nothing reaches where none is proven."""
    groups = [str(place) for place in range(len(sure))]
    found = contract_a(sure.tolist(), (~is_wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
    return 2.0 if found.threshold is None else found.threshold


def _later(calls: Traffic) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """The share of all calls that a threshold answers wrong, and the share that it answers."""
    local, lost = np.sort(calls.sure), np.sort(calls.sure[calls.is_wrong])

    def above(ordered: NDArray[np.float64], threshold: float) -> float:
        return (len(ordered) - int(np.searchsorted(ordered, threshold, side="left"))) / len(local)

    return (lambda threshold: above(lost, threshold)), (lambda threshold: above(local, threshold))
