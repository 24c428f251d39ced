"""How many calls a proof needs, from what was seen so far: the figures behind `need N more` and `prove --plan`.

    whole    cap(n_fixed(psi, m, difference)) users, at alpha of the attempt to come, 80% power
    cascade  the most of: Clopper-Pearson passes at the share of local and wrong calls seen, the coverage's lower bound
             does (90% power each, so 80% for both), and where users made several calls each, betting on them certifies
    cap(n)   1.25 n, and 1.5 n below 250: what `prove.stats.betting` needs for the power of a fixed n (simulated)

psi and the difference are those seen; before anything was seen, ASSUMED says what to assume. A difference in the owned
model's favour is planned as none. With J metrics that must all pass, each is given power 1 - .2/J. Where users made
several calls each, calls are users times the calls per user seen. Checkable: psi = .10, m = .02, alpha = .05 and one
call per user give 1.25 * 1,542 = 1,928 calls.

Not covered: how quickly calls come (`freehold.pipeline`), whether the shares seen will hold: a plan promises nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from freehold.prove.settings import ProofSettings
from freehold.prove.stats.cascade import least_n
from freehold.prove.stats.tango import n_fixed

LEAST_CALLS = 30
MOST_LOCAL_WRONG = 0.25
ASSUMED = (0.05, 0.10, 0.20, 0.30)
_LOST_POWER = 0.2
_POWER_OF_TWO = 1 - _LOST_POWER / 2
_ASSUMED_USERS = 1000
_FEW, _CAP_TIMES_FEW, _CAP_TIMES = 250, 1.5, 1.25
_POINTS_PLANNED = 60
Point = tuple[int, int]
"""What a threshold leaves of the calls seen: how many are local, and how many of those are wrong."""


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


def calls_for_cascade(points: Iterable[Point], seen: Seen, settings: ProofSettings, *, is_by_user: bool) -> int | None:
    """The calls in all with which the best of these thresholds, the strictest first, would prove the contract.

    Contract B is tested threshold by threshold until the first that fails, so there each waits for all before it.
    """
    plans: list[int] = []
    for_stricter = 0
    for local, wrong in points:
        for_risk = _calls_for_risk(local, wrong, seen, settings, is_by_user=is_by_user) if local else None
        if settings.contract == "B" and local:
            if for_risk is None:
                break
            for_risk = for_stricter = max(for_risk, for_stricter)
        for_coverage = least_n(
            1 - local / seen.calls, risk=1 - settings.least_coverage, delta=settings.delta, power=_POWER_OF_TWO
        )
        if for_risk is not None and for_coverage is not None and is_mostly_right(wrong, local):
            plans.append(max(for_risk, for_coverage))
    return min(plans, default=None)


def _calls_for_risk(local: int, wrong: int, seen: Seen, settings: ProofSettings, *, is_by_user: bool) -> int | None:
    """The calls with which one threshold keeps the risk; contract B bounds the share among local calls alone."""
    at_stake = seen.calls if settings.contract == "A" else local
    share = wrong / at_stake
    needed = least_n(share, risk=settings.risk, delta=settings.delta, power=_POWER_OF_TWO)
    if needed is None:
        return None
    calls = math.ceil(needed * seen.calls / at_stake)
    if not is_by_user:
        return calls
    bets = n_fixed(share, settings.risk, difference=-share, alpha=settings.delta)
    return max(calls, math.ceil(cap(bets) * seen.calls / at_stake * seen.calls / seen.users))


def cap(n: int) -> int:
    """The users to plan for where a fixed-sample test needs n."""
    return math.ceil((_CAP_TIMES_FEW if n < _FEW else _CAP_TIMES) * n)


def is_mostly_right(wrong: int, local: int) -> bool:
    """Whether at least three in four of the local answers are right; a threshold below that is not worth having."""
    return wrong <= MOST_LOCAL_WRONG * local


def spread(points: Sequence[Point]) -> Sequence[Point]:
    """Some points of a curve, evenly: enough to plan by."""
    return points[:: max(1, len(points) // _POINTS_PLANNED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One way to a move: `way` is `whole` at a margin or `cascade` at a risk, `limit` that share.

    `discordance` is what was seen or assumed. `calls` are the held-out calls in all; None where no number would do.
    """

    way: str
    limit: float
    discordance: float
    calls: int | None


def plan_whole(seen: Seen, settings: ProofSettings, margins: Sequence[float]) -> list[PlanRow]:
    """What replacing the provider wholly would need, for each margin."""
    rows = []
    for margin in margins:
        calls = calls_for_whole(seen, replace(settings, margin=margin))
        rows.append(PlanRow(way="whole", limit=margin, discordance=seen.discordance, calls=_at_least(calls)))
    return rows


def plan_cascade(
    points: Sequence[Point], seen: Seen, settings: ProofSettings, risks: Sequence[float], *, is_by_user: bool
) -> list[PlanRow]:
    """What a cascade would need, for each risk, at the best of the thresholds seen, the strictest first."""
    rows = []
    for risk in risks:
        asked = replace(settings, risk=risk)
        calls = calls_for_cascade(points, seen, asked, is_by_user=is_by_user)
        rows.append(PlanRow(way="cascade", limit=risk, discordance=seen.discordance, calls=_at_least(calls)))
    return rows


def plan_assumed(
    settings: ProofSettings, margins: Sequence[float], risks: Sequence[float], *, calls_per_user: float = 1.0
) -> list[PlanRow]:
    """What is needed where nothing was proven: per assumed discordance, and for a cascade without a local error."""
    users = _ASSUMED_USERS
    calls = round(users * calls_per_user)
    rows = []
    for discordance in ASSUMED:
        rows += plan_whole(Seen(calls=calls, users=users, discordance=discordance, difference=0.0), settings, margins)
    nothing = Seen(calls=calls, users=users, discordance=0.0, difference=0.0)
    return rows + plan_cascade([(calls, 0)], nothing, settings, risks, is_by_user=calls > users)


def _at_least(calls: int | None) -> int | None:
    """Under LEAST_CALLS nothing is decided."""
    return None if calls is None else max(LEAST_CALLS, calls)
