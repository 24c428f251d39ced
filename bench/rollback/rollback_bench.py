"""Rollback end to end: how many calls a real gateway takes to stop using a model that turns bad, and what harm is done.

    python bench/rollback.py [--quick] [--runs 3] [--seed 0] [--json]

A scripted provider is always right; a scripted owned model answers everything and turns wrong for a share of the calls
from a known call on. `freehold up` runs as users run it, with its default patience of 73,000 and a proven risk of 5%
(contract A), and an audit rate of 5% or 100%. Calls are sent one by one, each once the watch has seen the one before,
so that calls are counted and not seconds: in service the watch adds a second to each figure.

Also: canaries of a good model, of bad ones and of one that turns bad on the way, with a budget of 2 more failures in
100 calls (`--only ramps`); calls that a good model answers without being taken back; and what the check before each
owned answer costs.
`bench/proof.py` has most of the cases as its part `gateway`, held to bounds. Not covered: the detectors by themselves
over many runs (there, too).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rollback_scene import FAST, Behaviour, Gateway, Script, ask_in_step, both_sides, moved, teach

from freehold.app.route_check import RouteCheck
from freehold.model import Route
from freehold.model.assignment import Assignment
from freehold.store import Store

GOOD_CALLS = 50
MOST_CALLS = 4000
CHECKS = 2000
HARM, FOLLOWED_S = 0.02, 1.5
CASES = (
    ("all wrong", 1.0, 0.05, MOST_CALLS),
    ("half wrong", 0.5, 0.05, MOST_CALLS),
    ("1 in 5 wrong", 0.2, 0.05, MOST_CALLS),
    ("1 in 10 wrong", 0.1, 0.05, MOST_CALLS),
    ("all wrong", 1.0, 1.0, MOST_CALLS),
    ("half wrong", 0.5, 1.0, MOST_CALLS),
    ("1 in 5 wrong", 0.2, 1.0, MOST_CALLS),
    ("1 in 10 wrong", 0.1, 1.0, MOST_CALLS),
    ("good: 1 in 25 wrong", 0.04, 1.0, 1_000),
)
"""Name, share of owned answers that are wrong, audit rate, most calls."""
RAMPS = (
    ("always right", 0.0, 0, 1_500),
    ("all wrong", 1.0, 0, 1_500),
    ("1 in 5 wrong", 0.2, 0, 1_500),
    ("all wrong from call 150 on", 1.0, 150, 1_500),
)
"""Name, share of owned answers that are wrong, from which call on, most calls."""


@dataclass(frozen=True)
class Row:
    """One case over its runs: calls from the turn to the rollback, wrong answers that clients got, audits paid for."""

    case: str
    audit_rate: float
    runs: int
    taken_back: int
    calls: float
    calls_most: int
    wrong_answers: float
    audits: float
    reason: str


@dataclass(frozen=True)
class Ramped:
    """One case of a canary over its runs: how it ended, after how many calls, and what clients got until then.

    `share_most` is the largest share that the cascade was let answer, `excess` the wrong answers per call of the worst
    run, `calls_all` and `wrong_all` are those of all runs.
    """

    case: str
    runs: int
    became_cascade: int
    taken_back: int
    calls: float
    wrong_answers: float
    excess: float
    share_most: float
    calls_all: int
    wrong_all: int


def turning(share: float, turns_at: int, seed: int) -> Behaviour:
    """Wrong for a share of the calls from `turns_at` on, drawn by the call's number."""

    def behave(number: int) -> str:
        is_wrong = number >= turns_at and random.Random(seed * 1_000_003 + number).random() < share
        return "wrong" if is_wrong else "right"

    return behave


async def one_run(folder: Path, share: float, audit_rate: float, seed: int, most: int) -> tuple[int, int, int, str]:
    """Calls from the turn to the rollback, wrong answers, audits, and the reason, which is empty if there was none."""
    turns_at = 10_000 + GOOD_CALLS
    script = Script(owned=turning(share, turns_at, seed))
    async with both_sides(script) as origin:
        gateway = Gateway(folder, origin, *FAST)
        task_id = teach(gateway.workspace)
        await gateway.start()
        try:
            route = moved(gateway.workspace, task_id, audit_rate=audit_rate)
            await gateway.until_local()
            numbers = range(10_000, turns_at + most)
            answered = await ask_in_step(gateway, task_id, route.version, numbers)
            now = gateway.workspace.store.registry.route(task_id)
            watch = gateway.workspace.store.watches.get(task_id).document["watch"]
        finally:
            await gateway.stop()
            gateway.workspace.store.close()
    after = [one for one in answered if one.number >= turns_at]
    wrong = sum(one.text == script.answer(one.number, "wrong") for one in after)
    return len(after), wrong, int(watch["audited"]), now.reason if now.decided_by == "rollback" else ""


async def one_case(name: str, share: float, audit_rate: float, seeds: Sequence[int], most: int) -> Row:
    """A case over its seeds, in a fresh state folder each."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="freehold-rollback-") as folder:
            found.append(await one_run(Path(folder), share, audit_rate, seed, most))
    calls = [run[0] for run in found]
    return Row(
        case=name,
        audit_rate=audit_rate,
        runs=len(found),
        taken_back=sum(bool(run[3]) for run in found),
        calls=statistics.median(calls),
        calls_most=max(calls),
        wrong_answers=statistics.median(run[1] for run in found),
        audits=statistics.median(run[2] for run in found),
        reason=found[-1][3],
    )


async def one_ramp(folder: Path, share: float, turns_at: int, seed: int, most: int) -> tuple[str, int, int, float]:
    """How a canary ended (its next route's decider), calls until then, wrong answers, and its largest share."""
    script = Script(owned=turning(share, 10_000 + turns_at, seed))
    async with both_sides(script) as origin:
        gateway = Gateway(folder, origin, *FAST)
        task_id = teach(gateway.workspace)
        await gateway.start()
        try:
            changes = {"harm": HARM, "shadow_rate": 1.0, "audit_rate": 0.5}
            route = moved(gateway.workspace, task_id, "canary", **changes)
            await asyncio.sleep(FOLLOWED_S)
            answered = await ask_in_step(gateway, task_id, route.version, range(10_000, 10_000 + most))
            now = gateway.workspace.store.registry.route(task_id)
            ramp = gateway.workspace.store.watches.get(task_id).document["watch"]["ramp"]
        finally:
            await gateway.stop()
            gateway.workspace.store.close()
    wrong = sum(one.text == script.answer(one.number, "wrong") for one in answered)
    ended = now.decided_by if now.version > route.version else ""
    return ended, len(answered), wrong, max(step[1] for step in ramp["history"])


async def ramp_case(name: str, share: float, turns_at: int, seeds: Sequence[int], most: int) -> Ramped:
    """A canary over its seeds, in a fresh state folder each."""
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="freehold-ramp-") as folder:
            found.append(await one_ramp(Path(folder), share, turns_at, seed, most))
    return Ramped(
        case=name,
        runs=len(found),
        became_cascade=sum(run[0] == "ramp" for run in found),
        taken_back=sum(run[0] == "rollback" for run in found),
        calls=statistics.median(run[1] for run in found),
        wrong_answers=statistics.median(run[2] for run in found),
        excess=max(run[2] / run[1] for run in found),
        share_most=max(run[3] for run in found),
        calls_all=sum(run[1] for run in found),
        wrong_all=sum(run[2] for run in found),
    )


async def check_cost_ms() -> dict[str, float]:
    """Milliseconds that the check before an owned answer takes, one at a time and with 32 calls at once."""
    with tempfile.TemporaryDirectory(prefix="freehold-check-") as folder:
        store = Store(f"sqlite:///{folder}/freehold.db")
        route = Route(task_id="t", version=1, kind="cascade", model_id="m")
        store.registry.put_route(route)
        check = RouteCheck(store.registry.newest_versions)
        placed = Assignment(task_id="t", task_key="t", route=route)

        async def checked() -> float:
            began_at = time.perf_counter()
            assert await check.holds(placed)
            return 1000 * (time.perf_counter() - began_at)

        await checked()
        alone = sorted([await checked() for _ in range(CHECKS)])
        batches = [await asyncio.gather(*[checked() for _ in range(32)]) for _ in range(CHECKS // 32)]
        together = sorted(one for batch in batches for one in batch)
        store.close()
    return {
        "alone_p50_ms": alone[len(alone) // 2],
        "alone_p99_ms": alone[int(len(alone) * 0.99)],
        "32_at_once_p50_ms": together[len(together) // 2],
        "32_at_once_p99_ms": together[int(len(together) * 0.99)],
    }


async def measure(
    *, runs: int, seed: int, is_quick: bool, only: str | None, tell: Callable[[str], None]
) -> dict[str, object]:
    """All figures; `tell` is given each as it comes."""
    cases: Sequence[tuple[str, float, float, int]] = CASES
    if is_quick:
        cases, runs = [CASES[0], CASES[4], CASES[6], (*CASES[8][:3], 200)], 1
    rows = []
    for name, share, audit_rate, most in cases if only != "ramps" else ():
        row = await one_case(name, share, audit_rate, range(seed, seed + runs), most)
        rows.append(row)
        tell(line(row))
    ramps = []
    for name, share, turns_at, most in () if only == "cases" else RAMPS[:2] if is_quick else RAMPS:
        ramp = await ramp_case(name, share, turns_at, range(seed, seed + runs), most)
        ramps.append(ramp)
        tell(ramp_line(ramp))
    cost = await check_cost_ms()
    tell("  ".join(f"{name} {value:.3f}" for name, value in cost.items()))
    told = {"rows": [asdict(row) for row in rows], "ramps": [asdict(ramp) for ramp in ramps]}
    return {**told, "check": cost, "runs": runs, "seed": seed}


def line(row: Row) -> str:
    """A case as one line."""
    return (
        f"{row.case:<20} audits {row.audit_rate:>4.0%}  taken back {row.taken_back} of {row.runs}"
        f"  calls {row.calls:>6,.0f} (at most {row.calls_most:,})  wrong answers {row.wrong_answers:>5,.0f}"
        f"  audits {row.audits:>5,.0f}  {row.reason}"
    )


def ramp_line(ramp: Ramped) -> str:
    """A canary as one line."""
    return (
        f"ramp, {ramp.case:<26} {ramp.became_cascade} of {ramp.runs} became a cascade, {ramp.taken_back} taken back"
        f"  calls {ramp.calls:>6,.0f}  wrong answers {ramp.wrong_answers:>4,.0f} (at most {ramp.excess:.2%} of a run;"
        f" {HARM:.0%} allowed in expectation)  largest share {ramp.share_most:.0%}"
    )


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run of four cases")
    parser.add_argument("--only", choices=("cases", "ramps"), help="a part of it")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", dest="as_json", help="end with one JSON line")
    chosen = parser.parse_args()
    if chosen.runs < 1:
        parser.error(f"--runs is {chosen.runs}; give 1 or more")
    found = asyncio.run(
        measure(runs=chosen.runs, seed=chosen.seed, is_quick=chosen.quick, only=chosen.only, tell=print)
    )
    if chosen.as_json:
        print(json.dumps(found))
