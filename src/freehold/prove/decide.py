"""The rules that turn evidence into `move`, `hold` or `need N more`.

In this order; the first that applies decides:

1. need  Under 30 proof calls nothing is decided; asked for are as many as a model without an error needs.
2. hold  There is nothing to prove: no answer of the owned model is usable, or all calls want the same answer.
3. move  (whole) Both sides can be wrong (there are corrections, or the provider falls short of a metric), the owned
         model is right in at least one of ten calls (no worse than a provider that is always wrong is any answer), and
         the paired test certifies for every metric asked for that the owned model alone is no worse than the provider
         by more than `margin` (at `alpha`). Every usable answer is used. Where people compared answers of a task
         without corrections, or of free text, the same test on what they preferred takes the place of agreement with a
         wanted answer (`prove.judge`), and of the provider's mistakes; every other metric must certify as before. A
         judge may sharpen it and never stands alone.
4. move  (cascade) The contract is proven at (`risk`, `delta`) for a threshold whose coverage, with what is withheld
         left out, is at its lower bound at least `least_coverage`. Under contract A that is never under twice the risk:
         a model that is always wrong may still answer a share `risk` of the calls without breaking the contract, and
         must not be moved for it. For the same reason at least three in four of the answers above the threshold must
         have been right.
5. need  The test on comparisons is under way: people have not decided all of its pairs, and it is not lost.
6. need  At the shares seen so far, a number of calls within reach (at most 2,000 or four times those already there)
         would satisfy rule 4, or rule 3 where both sides can be wrong, in the task's next proof (`prove.plan`).
7. hold  Otherwise.

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

Not covered: the tests themselves (`prove.stats.betting`, `prove.stats.cascade`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from freehold.model.verdict import Decision, NeedOf
from freehold.prove.labels.judge import Compared
from freehold.prove.plan import LEAST_CALLS, Seen, calls_for_cascade, calls_for_whole, is_mostly_right, spread
from freehold.prove.settings import ProofSettings
from freehold.prove.stats.cascade import Cascade, CurvePoint, lower_bound
from freehold.text.confidence import LEAST_CONFIDENCE

REACH_CALLS = 2000
REACH_TIMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The paired comparison of the owned model alone with the provider under one metric; `users` were bet on.

    `metrics` is how many must pass, of which this is one. `discordance` is the mean square of the calls' differences:
    for yes/no metrics the share of calls that differ. `running_low` and `running_high` bound the mean over the users
    also where it changed from one to the next. `tango_z` is None where the test does not apply: to graded metrics and
    to users with several calls.
    """

    metric: str = "exact"
    metrics: int = 1
    n: int
    users: int
    difference: float
    low: float
    high: float
    running_low: float
    running_high: float
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
    """What the rules say; `scope` names the statement that a move rests on, `reason` says why in one sentence.

    `need_of` says what `need` counts: further held-out calls, or pairs that people have to compare.
    """

    decision: Decision
    reason: str
    scope: Literal["whole", "cascade", "none"] = "none"
    need: int | None = None
    need_of: NeedOf = "calls"
    threshold: float | None = None
    coverage: float | None = None


def decide(
    paired: Paired,
    cascade: Cascade,
    *,
    can_replace: bool,
    distinct_targets: int,
    settings: ProofSettings,
    planned: ProofSettings,
    compared: Compared | None = None,
    besides: Sequence[Paired] = (),
) -> Outcome:
    """Apply the rules of this module to one set of answers; `planned` is what the task's next proof may spend.

    `compared` is given where comparisons decide rule 3, `besides` are the metrics that must certify with them.
    """
    n = cascade.n
    usable = cascade.curve[-1].local if cascade.curve else 0
    if n < LEAST_CALLS:
        all_right = calls_for_cascade([(n, 0)], seen_so_far(paired), planned, is_by_user=cascade.is_by_user)
        least = max(LEAST_CALLS, all_right or LEAST_CALLS)
        return Outcome(decision="need", need=least - n, reason=f"{n} held-out calls are too few to decide on.")
    if not usable:
        return Outcome(decision="hold", reason=f"None of {n} answers of the owned model can be used.")
    if distinct_targets <= 1:
        reason = f"All {n} held-out calls want the same answer: a fixed reply does, no model is needed."
        return Outcome(decision="hold", reason=reason)
    if _is_whole(compared, besides) if compared else can_replace and paired.is_certified:
        return _whole(usable / n, settings, by="by comparisons " if compared else "")
    if cascade.chosen and _is_worth_having(cascade.chosen, n, settings):
        return Outcome(
            decision="move",
            scope="cascade",
            threshold=cascade.threshold,
            coverage=cascade.coverage,
            reason=f"It is shown that at most {settings.risk:.1%} of {_bounded(cascade)}.",
        )
    if compared and compared.is_open:
        return Outcome(decision="need", need_of="labels", need=compared.to_label, reason=_why_labels(compared))
    need = calls_needed(paired, cascade, can_replace=can_replace, settings=planned)
    if need is not None and need <= max(REACH_CALLS, REACH_TIMES * n):
        reason = f"After {n} held-out calls the answers look good enough, but it is not shown."
        return Outcome(decision="need", need=need, reason=reason)
    reason = _why_not_preferred(compared, besides) if compared else _why_hold(cascade, settings)
    return Outcome(decision="hold", reason=reason)


def _whole(coverage: float, settings: ProofSettings, *, by: str) -> Outcome:
    reason = (
        f"It is shown {by}that the owned model alone is at most {100 * settings.margin:.1f} points below the provider."
    )
    return Outcome(decision="move", scope="whole", threshold=LEAST_CONFIDENCE, coverage=coverage, reason=reason)


def _is_whole(compared: Compared, besides: Sequence[Paired]) -> bool:
    return compared.is_certified and all(pair.is_certified for pair in besides)


def _is_worth_having(point: CurvePoint, n: int, settings: ProofSettings) -> bool:
    covered = lower_bound(point.local, n, settings.delta) >= settings.least_coverage
    return covered and is_mostly_right(point.wrong, point.local)


def calls_needed(paired: Paired, cascade: Cascade, *, can_replace: bool, settings: ProofSettings) -> int | None:
    """How many more calls would prove a move at the shares seen so far; None where no number would."""
    n = cascade.n
    points = spread([(point.local, point.wrong) for point in cascade.curve])
    seen = seen_so_far(paired)
    plans = [calls_for_cascade(points, seen, settings, is_by_user=cascade.is_by_user)]
    if can_replace:
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


def _why_labels(compared: Compared) -> str:
    given = compared.by_people + compared.behind_gap
    done = f"People have compared {given:,} pairs of the {given + compared.to_label:,} that differ."
    if compared.behind_gap:
        done += f" {compared.behind_gap:,} of these count once a pair before them is decided, too."
    if compared.is_aided and compared.by_people < compared.least_labels:
        return f"{done} A judge alone shows nothing: its scores count from {compared.least_labels} of these on."
    return f"{done} {_why_judge(compared)}" if compared.to_judge else done


def _why_judge(compared: Compared) -> str:
    return (
        f"The judge {compared.judge!r} has not compared {compared.to_judge:,} of its pairs yet, and comparisons decide"
        " nothing until it has: prove again to go on, or without it, as another attempt."
    )


def _why_not_preferred(compared: Compared, besides: Sequence[Paired]) -> str:
    """What is missing where comparisons were to decide, and cannot any more."""
    failed = [pair.metric for pair in besides if not pair.is_certified]
    if compared.is_certified and failed:
        return f"By comparisons the owned model is good enough, but it is not shown under {', '.join(failed)}."
    if compared.to_judge:
        return _why_judge(compared)
    low, high = 100 * compared.low, 100 * compared.high
    return (
        f"People preferred the owned answer in {compared.owned_better:,} of {compared.n:,} pairs and the provider's in"
        f" {compared.provider_better:,}: {100 * (compared.difference or 0.0):+.1f} [{low:+.1f}, {high:+.1f}] points. It"
        f" is not shown that the owned model alone is at most {100 * compared.margin:.1f} points below."
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
