"""How many calls a proof needs, from what was seen so far: the figures behind `need N more` and `prove --plan`.

    whole    cap(n_fixed(psi, m, difference)) users, at alpha of the attempt to come, 80% power
    cascade  the most of: Clopper-Pearson passes at the share of local and wrong calls seen, the coverage's lower bound
             does, and where users made several calls each, betting on them certifies
    cap(n)   1.25 n, and 1.5 n below 250: what `prove.betting` needs for the power of a fixed sample of n (simulated)

psi and the difference are those seen; before anything was seen, ASSUMED says what to assume. A difference in the owned
model's favour is planned as none. With J metrics that must all pass, each is given power 1 - .2/J. Where users made
several calls each, calls are users times the calls per user seen. Checkable: psi = .10, m = .02, alpha = .05 and one
call per user give 1.25 * 1,542 = 1,928 calls.

Not covered: how quickly calls come (`freehold.loop`), whether the shares seen will hold: a plan promises nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from freehold.prove.cascade import CurvePoint, least_n
from freehold.prove.settings import ProofSettings
from freehold.prove.tango import n_fixed

MOST_LOCAL_WRONG = 0.25
ASSUMED = (0.05, 0.10, 0.20, 0.30)
_LOST_POWER = 0.2
_FEW, _CAP_TIMES_FEW, _CAP_TIMES = 250, 1.5, 1.25
_POINTS_PLANNED = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a model against the provider; `metrics` is how many must pass."""

    calls: int
    users: int
    discordance: float
    difference: float
    metrics: int = 1


def calls_for_whole(seen: Seen, settings: ProofSettings) -> int | None:
    """The calls in all with which the paired test has 80% power; None where no number gives it."""
    if seen.difference <= -settings.margin or not seen.users:
        return None
    n = n_fixed(
        max(seen.discordance, 0.0),
        settings.margin,
        difference=min(0.0, seen.difference),
        alpha=settings.alpha,
        power=1 - _LOST_POWER / max(1, seen.metrics),
    )
    return math.ceil(cap(n) * seen.calls / seen.users)


def calls_for_cascade(local: int, wrong: int, seen: Seen, settings: ProofSettings, *, is_by_user: bool) -> int | None:
    """The calls with which a threshold, seen to leave so many local and wrong, would prove the contract.

    Contract B bounds the share among local calls alone.
    """
    at_stake = seen.calls if settings.contract == "A" else local
    if not at_stake:
        return None
    for_risk = least_n(wrong / at_stake, risk=settings.risk, delta=settings.delta)
    for_coverage = least_n(1 - local / seen.calls, risk=1 - settings.least_coverage, delta=settings.delta)
    if for_risk is None or for_coverage is None:
        return None
    for_risk = math.ceil(for_risk * seen.calls / at_stake)
    if not is_by_user:
        return max(for_risk, for_coverage)
    share = wrong / at_stake
    bets = n_fixed(share, settings.risk, difference=-share, alpha=settings.delta)
    return max(for_risk, for_coverage, math.ceil(cap(bets) * seen.calls / at_stake * seen.calls / seen.users))


def cap(n: int) -> int:
    """The users to plan for where a fixed-sample test needs n."""
    return math.ceil((_CAP_TIMES_FEW if n < _FEW else _CAP_TIMES) * n)


def is_mostly_right(wrong: int, local: int) -> bool:
    """Whether at least three in four of the local answers are right; a threshold below that is not worth having."""
    return wrong <= MOST_LOCAL_WRONG * local


def spread(curve: Sequence[CurvePoint]) -> Sequence[CurvePoint]:
    """Some points of a curve, evenly: enough to plan by."""
    return curve[:: max(1, len(curve) // _POINTS_PLANNED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One way to a move: `way` is `whole` at a margin or `cascade` at a risk, `limit` that share.

    `discordance` is what was seen or assumed. `calls` are the held-out calls in all, `more` those still missing; None
    where no number of calls would do.
    """

    way: str
    limit: float
    discordance: float
    calls: int | None
    more: int | None


def plan_whole(seen: Seen, settings: ProofSettings, margins: Sequence[float]) -> list[PlanRow]:
    """What replacing the provider wholly would need, for each margin."""
    rows = []
    for margin in margins:
        calls = calls_for_whole(seen, replace(settings, margin=margin))
        rows.append(_row("whole", margin, seen, calls))
    return rows


def plan_cascade(
    points: Sequence[tuple[int, int]], seen: Seen, settings: ProofSettings, risks: Sequence[float], *, is_by_user: bool
) -> list[PlanRow]:
    """What a cascade would need, for each risk, at the best of the thresholds seen as (local, wrong)."""
    rows = []
    for risk in risks:
        asked = replace(settings, risk=risk)
        useful = [(local, wrong) for local, wrong in points if is_mostly_right(wrong, local)]
        plans = [calls_for_cascade(local, wrong, seen, asked, is_by_user=is_by_user) for local, wrong in useful]
        calls = min((plan for plan in plans if plan is not None), default=None)
        rows.append(_row("cascade", risk, seen, calls))
    return rows


def plan_assumed(settings: ProofSettings, margins: Sequence[float], risks: Sequence[float]) -> list[PlanRow]:
    """What is needed where nothing was proven: per assumed discordance, and for a cascade without a local error."""
    rows = []
    for discordance in ASSUMED:
        seen = Seen(calls=1, users=1, discordance=discordance, difference=0.0)
        rows += [replace(row, more=row.calls) for row in plan_whole(seen, settings, margins)]
    nothing = Seen(calls=1, users=1, discordance=0.0, difference=0.0)
    rows += [replace(row, more=row.calls) for row in plan_cascade([(1, 0)], nothing, settings, risks, is_by_user=False)]
    return rows


def _row(way: str, limit: float, seen: Seen, calls: int | None) -> PlanRow:
    more = None if calls is None else max(0, calls - seen.calls)
    return PlanRow(way=way, limit=limit, discordance=seen.discordance, calls=calls, more=more)
