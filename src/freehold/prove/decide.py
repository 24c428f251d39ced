"""The rules that turn evidence into `move`, `hold` or `need N more`.

In this order; the first that applies decides:

1. need  Under 30 proof calls nothing is decided.
2. hold  There is nothing to prove: no answer of the owned model is usable, or all calls want the same answer.
3. move  (whole) Both sides can be wrong (there are corrections, or the provider falls short of a metric), and the
         paired test certifies for every metric asked for that the owned model alone is no worse than the provider by
         more than `margin` (at `alpha`). Every usable answer is used.
4. move  (cascade) The contract is proven at (`risk`, `delta`) for a threshold whose coverage, with what is withheld
         left out, is at its lower bound at least `least_coverage`. Under contract A that is never under twice the risk:
         a model that is always wrong may still answer a share `risk` of the calls without breaking the contract, and
         must not be moved for it. For the same reason at least three in four of the answers above the threshold must
         have been right.
5. need  At the shares seen so far, a number of calls within reach (at most 2,000 or four times those already there)
         would satisfy rule 4, or rule 3 where both sides can be wrong, in the task's next proof (`prove.planning`).
6. hold  Otherwise.

`alpha` and `delta` are what this attempt may spend of those that the task's whole life has (`prove.attempts`).

Why contract A alone is enough for rule 4: with what the cascade answers in place of the provider, the paired difference
of a call is at least -1 where it is answered locally and wrong, and at least 0 elsewhere, whatever the provider would
have said. So P(local and wrong) <= risk says that the cascade is no worse than the provider by more than `risk`; a
second paired test of the same thing at another margin would make one of the two numbers void. `margin` judges the
replacement of the provider as a whole. Where nothing was corrected the provider is right by definition, "wrong" means
"differs from the provider", and rule 3 would say less than rule 4 does: then it is shown, and does not decide.

That is of the difference in passing, every metric at its mark; where a mark below 1 was asked for, an answer may lose
what lies between it and 1 without being wrong, as it was asked.

Rules 3 and 4 make different statements, each with its own error rate (alpha, delta); one verdict makes one of them.

Not covered: the tests themselves (`prove.betting`, `prove.cascade`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from freehold.core.confidence import LEAST_CONFIDENCE
from freehold.core.verdict import Decision
from freehold.prove.cascade import Cascade, CurvePoint, least_n, lower_bound
from freehold.prove.planning import Seen, calls_for_cascade, calls_for_whole, is_mostly_right, spread
from freehold.prove.settings import ProofSettings

LEAST_CALLS = 30
REACH_CALLS = 2000
REACH_TIMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The paired comparison of the owned model alone with the provider under one metric; `users` were bet on.

    `metrics` is how many must pass, of which this is one. `discordance` is the mean square of the calls' differences:
    for yes/no metrics the share of calls that differ. `tango_z` is None where the test does not apply: to graded
    metrics and to users with several calls.
    """

    metric: str = "exact"
    metrics: int = 1
    n: int
    users: int
    difference: float
    low: float
    high: float
    discordance: float
    owned_only_wrong: int
    incumbent_only_wrong: int
    is_certified: bool
    decided_at: int | None
    log_wealth: tuple[float, ...]
    log_goal: float
    tango_z: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the rules say; `scope` names the statement that a move rests on, `reason` says why in one sentence."""

    decision: Decision
    reason: str
    scope: Literal["whole", "cascade", "none"] = "none"
    need: int | None = None
    threshold: float | None = None
    coverage: float | None = None


def decide(
    paired: Paired,
    cascade: Cascade,
    *,
    can_provider_err: bool,
    distinct_targets: int,
    settings: ProofSettings,
    planned: ProofSettings,
) -> Outcome:
    """Apply the rules of this module to one set of answers; `planned` is what the task's next proof may spend."""
    n = cascade.n
    usable = cascade.curve[-1].local if cascade.curve else 0
    if n < LEAST_CALLS:
        least = max(LEAST_CALLS, least_n(0.0, risk=planned.risk, delta=planned.delta) or LEAST_CALLS)
        return Outcome(decision="need", need=least - n, reason=f"{n} held-out calls are too few to decide on.")
    if not usable:
        return Outcome(decision="hold", reason=f"None of {n} answers of the owned model can be used.")
    if distinct_targets <= 1:
        reason = f"All {n} held-out calls want the same answer: a fixed reply does, no model is needed."
        return Outcome(decision="hold", reason=reason)
    if can_provider_err and paired.is_certified:
        return Outcome(
            decision="move",
            scope="whole",
            threshold=LEAST_CONFIDENCE,
            coverage=usable / n,
            reason="It is shown that the owned model alone is at most"
            f" {100 * settings.margin:.1f} points below the provider.",
        )
    if cascade.chosen and _is_worth_having(cascade.chosen, n, settings):
        return Outcome(
            decision="move",
            scope="cascade",
            threshold=cascade.threshold,
            coverage=cascade.coverage,
            reason=f"It is shown that at most {settings.risk:.1%} of {_bounded(cascade)}.",
        )
    need = calls_needed(paired, cascade, can_provider_err=can_provider_err, settings=planned)
    if need is not None and need <= max(REACH_CALLS, REACH_TIMES * n):
        reason = f"After {n} held-out calls the answers look good enough, but it is not shown."
        return Outcome(decision="need", need=need, reason=reason)
    return Outcome(decision="hold", reason=_why_hold(cascade, settings))


def _is_worth_having(point: CurvePoint, n: int, settings: ProofSettings) -> bool:
    covered = lower_bound(point.local, n, settings.delta) >= settings.least_coverage
    return covered and is_mostly_right(point.wrong, point.local)


def calls_needed(paired: Paired, cascade: Cascade, *, can_provider_err: bool, settings: ProofSettings) -> int | None:
    """How many more calls would prove a move at the shares seen so far; None where no number would."""
    n = cascade.n
    points = [point for point in spread(cascade.curve) if is_mostly_right(point.wrong, point.local)]
    seen = seen_so_far(paired)
    plans = [
        calls_for_cascade(point.local, point.wrong, seen, settings, is_by_user=cascade.is_by_user) for point in points
    ]
    if can_provider_err:
        plans.append(calls_for_whole(seen, settings))
    reachable = [plan for plan in plans if plan is not None]
    if not reachable:
        return None
    return max(min(reachable) - n, math.ceil(n / 10), 1)


def whole_calls(paired: Paired, settings: ProofSettings) -> int | None:
    """The calls in all with which the paired test has 80% power at the difference seen; None where it has none."""
    return calls_for_whole(seen_so_far(paired), settings)


def seen_so_far(paired: Paired) -> Seen:
    """What a paired comparison tells the planner."""
    return Seen(
        calls=paired.n,
        users=paired.users,
        discordance=paired.discordance,
        difference=paired.difference,
        metrics=paired.metrics,
    )


def _bounded(cascade: Cascade) -> str:
    """What the contract bounds the share of, and in what."""
    return "all calls are answered locally and wrong" if cascade.contract == "A" else "local answers are wrong"


def _why_hold(cascade: Cascade, settings: ProofSettings) -> str:
    chosen = cascade.chosen
    if chosen and not is_mostly_right(chosen.wrong, chosen.local):
        return (
            f"Of the {chosen.local} calls it could answer within the contract, {chosen.wrong} would be wrong: too many."
        )
    floor = math.ceil(settings.least_coverage * cascade.n)
    point = next((p for p in cascade.curve if p.local >= floor), cascade.curve[-1])
    return (
        f"Of the {point.local} answers the model is surest of, {point.wrong} are wrong: no threshold keeps local and"
        f" wrong answers within {settings.risk:.1%} of {'all calls' if cascade.contract == 'A' else 'local ones'} and"
        f" still answers {settings.least_coverage:.0%}."
    )
