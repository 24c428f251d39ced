"""Ramp and rollback through the real gateway: calls until a route was back, and the harm done, held to bounds.

The scenes are those of `rollback_bench`, which turn a scripted owned model bad at a known call. The most calls that a
rollback may take are those of 2,000 simulated runs of the same turn (`proof_audits`), and one more: a call may come
between the evidence and the change of the route. A ramp's wrong answers are held to its budget, over all calls asked,
where the model is what it is from the start; of one that turns on the way, the ramp promises nothing, the detectors do.

Not covered: what a rollback costs while many call at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import rollback_bench
from proof_audits import Turn, simulate
from proof_figures import Effort, Part, Row, Table, at_least, at_most, bounded, tell
from rollback_bench import CASES, GOOD_CALLS, HARM, RAMPS, Ramped

RUNS, SIMULATED = 3, 2_000
GOOD_MOST = 500
_SLOW = "1 in 10 wrong"


def measure(effort: Effort) -> Part:
    """The cases that end soon, three runs each; quick: one case and one ramp, once."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> Part:
    seeds = range(effort.seed, effort.seed + (1 if effort.is_quick else RUNS))
    cases = [CASES[4]] if effort.is_quick else [case for case in CASES if case[0] != _SLOW]
    rows: list[Row] = []
    shown: list[list[str]] = []
    for name, share, audit_rate, most in cases:
        is_good = name.startswith("good")
        found = await rollback_bench.one_case(name, share, audit_rate, seeds, min(most, GOOD_MOST) if is_good else most)
        tell(rollback_bench.line(found))
        told, held = _good(found) if is_good else _turned(found, share, effort.seed)
        rows.append(held)
        shown.append(told)
    ramps = []
    for name, share, turns_at, most in RAMPS[1:2] if effort.is_quick else RAMPS:
        ramp = await rollback_bench.ramp_case(name, share, turns_at, seeds, most)
        tell(rollback_bench.ramp_line(ramp))
        rows += _ramp_rows(ramp, is_steady=not turns_at)
        ramps.append(ramp)
    return Part(title="Through a real gateway", rows=rows, tables=[_cases_table(shown), _ramps_table(ramps)])


def _good(found: rollback_bench.Row) -> tuple[list[str], Row]:
    held = at_most(f"{found.case}, as allowed: taken back within {found.calls_most} calls", found.taken_back, 0)
    return _shown(found, "-"), held


def _turned(found: rollback_bench.Row, share: float, seed: int) -> tuple[list[str], Row]:
    """Not taken back counts as the most calls that were asked, which no simulated run needs."""
    turn = Turn(declared=found.audit_rate, risk_before=0.0, risk_after=share, before=GOOD_CALLS, after=2_500)
    simulated = simulate(turn, runs=SIMULATED, seed=seed).requests
    middle, most = int(sorted(simulated)[SIMULATED // 2]), int(simulated.max())
    name = f"{found.case}, audits {found.audit_rate:.0%}: most calls until rollback"
    return _shown(found, f"{middle:,} ({most:,})"), at_most(name, found.calls_most, most + 1)


def _ramp_rows(ramp: Ramped, *, is_steady: bool) -> Iterator[Row]:
    name = f"ramp, {ramp.case}"
    if ramp.case == "always right":
        yield at_least(f"{name}: runs that became a cascade, of {ramp.runs}", ramp.became_cascade, ramp.runs)
        return
    yield at_least(f"{name}: runs taken back, of {ramp.runs}", ramp.taken_back, ramp.runs)
    if is_steady:
        yield bounded(f"{name}: wrong answers a call", ramp.wrong_all / ramp.calls_all, HARM, ramp.calls_all)


def _shown(found: rollback_bench.Row, simulated: str) -> list[str]:
    return [
        found.case,
        f"{found.audit_rate:.0%}",
        f"{found.taken_back} of {found.runs}",
        f"{found.calls:,.0f} ({found.calls_most:,})",
        simulated,
        f"{found.wrong_answers:,.0f}",
        f"{found.audits:,.0f}",
    ]


def _cases_table(shown: Sequence[Sequence[str]]) -> Table:
    return Table(
        title=f"A model that turns bad after {GOOD_CALLS} good calls; medians, the most in brackets",
        head=["from then on", "audits", "taken back", "calls until then", "simulated", "wrong answers", "audited"],
        rows=shown,
    )


def _ramps_table(ramps: Sequence[Ramped]) -> Table:
    return Table(
        title=f"Ramps with a budget of {HARM:.0%}; medians",
        head=[
            "the owned model",
            "became a cascade",
            "taken back",
            "calls until then",
            "largest share",
            "wrong answers",
        ],
        rows=[
            [
                ramp.case,
                f"{ramp.became_cascade} of {ramp.runs}",
                f"{ramp.taken_back} of {ramp.runs}",
                f"{ramp.calls:,.0f}",
                f"{ramp.share_most:.0%}",
                f"{ramp.wrong_answers:,.0f} ({ramp.excess:.1%} of a run at most)",
            ]
            for ramp in ramps
        ],
    )
