"""The bottom of a report, for those who check it: design, hypotheses, levels, the statement, data, references.

Told from the evidence alone. Not covered: the sentences at the top (`prove.report.summary`), layout (`templates/`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.evidence.decision import ComparedFigures
from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report.assumptions import assumptions, missing
from freehold.prove.report.basis import basis
from freehold.prove.report.multiplicity import multiplicity
from freehold.prove.report.references import Reference, references
from freehold.prove.report.risks import is_b, is_by_people, is_newer
from freehold.prove.report.words import (
    amount,
    day,
    in_points,
    interval,
    level,
    number,
    one_line,
    percent,
    points,
    share,
)

Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One thing that was tested: of which quantity, what would be wrong, what is claimed, how, and what came of it."""

    name: str
    estimand: str
    null: str
    alternative: str
    test: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a statistician asks of a proof."""

    claim: str
    design: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    multiplicity: tuple[str, ...]
    levels: tuple[Row, ...]
    data: tuple[Row, ...]
    missing: tuple[str, ...]
    assumptions: tuple[str, ...]
    references: tuple[Reference, ...]


def state(verdict: Verdict, evidence: Evidence) -> Statement:
    """Put a verdict's statistics into words."""
    hypotheses = [_alone(evidence), _contract(evidence)]
    if evidence.slices:
        hypotheses.append(_slices(evidence))
    if evidence.judged is not None:
        hypotheses.append(_people(evidence, evidence.judged))
    return Statement(
        claim=_claim(verdict, evidence),
        design=_design(evidence),
        hypotheses=tuple(hypotheses),
        multiplicity=multiplicity(verdict, evidence),
        levels=_levels(verdict, evidence),
        data=_data(verdict, evidence),
        missing=missing(evidence),
        assumptions=assumptions(evidence),
        references=references(evidence),
    )


def _claim(verdict: Verdict, evidence: Evidence) -> str:
    """The one statement that a move rests on, with its error rate."""
    spent, scope = evidence.spent, evidence.outcome.scope
    if verdict.decision != "move":
        return "Nothing is claimed. A verdict other than move has no error rate: it changes nothing."
    if scope == "whole":
        what = f"the owned model's mean score is at most {in_points(verdict.margin)} points below the provider's"
        if is_by_people(evidence):
            what = (
                f"the mean of what people prefer is at most {in_points(verdict.margin)} points on the provider's side"
            )
        chance = spent.alpha
    elif is_b(evidence):
        what = f"of the answers given locally a share of at most {percent(verdict.risk)} is wrong"
        chance = spent.delta
    else:
        what = f"a share of at most {percent(verdict.risk)} of all calls is answered locally and wrong"
        chance = spent.delta
    return (
        f"For traffic like the held-out calls, {what}. Were that not so, calls drawn like these would have led to this"
        f" move with a probability of at most {amount(chance)}."
    )


def _design(evidence: Evidence) -> tuple[str, ...]:
    n, users = (evidence.calls or 0), (evidence.users or 0)
    wanted = {
        "agreement": "the provider's own answers",
        "mixed": "the corrected answers where there are any, else the provider's own",
        "known": "what people said was wanted",
    }[basis(evidence).name]
    names = [one_line(row.name) for row in evidence.metrics] or ["exact"]
    metrics = f"metric {names[0]}" if len(names) == 1 else f"metrics {', '.join(names)}, all of which must pass"
    by_user = (
        "Each user made one call, so calls are the units."
        if users == n
        else f"Units are the {users:,} users or sessions: calls of one user may depend on each other, and each user"
        " counts alike, however many calls are theirs."
    )
    when = "are newer than" if is_newer(evidence) else "are by their clock not newer than"
    return (
        f"Paired: the owned model answered the same {n:,} held-out calls that the provider had answered. Both are held"
        f" against {wanted}, by {metrics}.",
        by_user,
        *_population(evidence),
        f"The held-out calls {when} the calls trained on; neither training, nor the choice of a checkpoint, nor"
        " the confidence head has seen them. The head was fitted, and the slices cut, on another split (dev).",
        f"The order of users was drawn by seed {number(evidence.settings.seed)}. The evidence may be"
        " looked at after each of them, and this proof may be run again, without a larger error.",
    )


def _population(evidence: Evidence) -> tuple[str, ...]:
    """What the units stand for, where the dataset says it."""
    n, scored = (evidence.calls or 0), (evidence.scored_calls or 0)
    if not evidence.kinds:
        return ()
    told = "All answered calls of their time are held out, whatever the provider answered, as often as an input came."
    if scored < n:
        told += (
            f" What was wanted is known of {scored:,} of them. In the other {n - scored:,} the provider counts as"
            " right, a local answer as wrong, and a call that is left to the provider as no difference."
        )
    return (told,)


def _alone(evidence: Evidence) -> Hypothesis:
    paired, margin = evidence.paired, percent(evidence.settings.margin)
    found = f"{points(paired.difference)} {interval(paired.low, paired.high, is_signed=True)}"
    shown = f"shown after {number(paired.decided_at)} of {number(paired.users)}" if paired.is_certified else "not shown"
    z = paired.tango_z
    check = (
        f" Cross-check, for a fixed sample of yes/no answers: Tango's z = {z:+.2f} against the margin."
        if z is not None
        else " Tango's cross-check does not apply to these units."
    )
    metrics = paired.metrics
    which = f" The metric furthest from it, of {metrics:,}: {one_line(paired.metric)}." if metrics > 1 else ""
    return Hypothesis(
        name="The owned model alone",
        estimand="E[D], the mean over users: D is the owned score less the provider's, averaged over a user's calls",
        null=f"E[D] ≤ −{margin}",
        alternative=f"E[D] > −{margin}",
        test=f"betting, target-recalculating, planned for {number(paired.users)} units; shown once the"
        f" evidence is 1/α = {amount(_inverse(evidence.spent.alpha))}, at any look",
        result=f"{shown}; difference {found} points, n={number(paired.n)}.{which}{check}",
    )


def _contract(evidence: Evidence) -> Hypothesis:
    risk, delta = percent(evidence.settings.risk), amount(evidence.spent.delta)
    if is_b(evidence):
        bounded, of = "P(wrong | confidence ≥ τ)", "local answers that are wrong"
        how = (
            f"exact binomial at δ = {delta}; thresholds τ fixed on dev, tested from the one that does best there until"
            " the first that fails"
        )
    else:
        bounded, of = "P(confidence ≥ τ and wrong)", "all calls that are answered locally and wrong"
        how = (
            f"Clopper and Pearson's upper bound at 1 − {delta}, for τ and every stricter threshold; the share falls as"
            " τ rises, so that one level serves all"
        )
    served = "on the calls outside withheld slices: " if evidence.withheld else ""
    return Hypothesis(
        name=f"Contract {evidence.contract or 'A'}",
        estimand=f"{bounded}, the share of {of}",
        null=f"{bounded} > {risk}",
        alternative=f"{bounded} ≤ {risk}",
        test=f"{served}{how}{_by_user(evidence)}",
        result=_threshold(evidence),
    )


def _by_user(evidence: Evidence) -> str:
    """What is asked besides where users made several calls, and where some made more than others."""
    if not evidence.cascade.is_by_user:
        return ""
    alike = "; users made several calls, so betting on users, each of whom counts alike, must certify it as well"
    if (evidence.users or 0) * (evidence.busiest_user_calls or 0) <= (evidence.calls or 0):
        return alike
    return f"{alike}; and as some made more than others, calls are taken for what they are worth by their design effect"


def _threshold(evidence: Evidence) -> str:
    cascade = evidence.cascade
    chosen = cascade.chosen
    if chosen is None:
        return "not shown for any threshold"
    return (
        f"shown for τ = {level(cascade.threshold)}: {number(chosen.wrong)} wrong among"
        f" {number(chosen.local)} local answers of {number(evidence.calls)} calls, upper bound"
        f" {share(chosen.upper)}; coverage at least {share(cascade.coverage_at_least)}"
        f" (asked for: {percent(cascade.least_coverage)})"
    )


def _slices(evidence: Evidence) -> Hypothesis:
    rows, limit = evidence.slices, percent(evidence.slice_limit)
    counts = {state: sum(row.state == state for row in rows) for state in ("kept", "broken", "open")}
    what, how = "P(local and wrong | slice), at the threshold that is served", "Clopper and Pearson's bounds"
    if evidence.outcome.scope == "whole":
        what = "P(the provider alone is right | slice) − P(the owned model alone is right | slice), of local calls"
        how = "differences of Clopper and Pearson's bounds, half of the level each,"
    return Hypothesis(
        name=f"Each of {len(rows):,} slices",
        estimand=what,
        null=f"it is > {limit}; for a broken slice, ≤ {limit}",
        alternative="kept: within the limit; broken: beyond it; open: neither is shown",
        test=f"{how} at δ/{len(rows):,}, so that all states hold together",
        result=", ".join(f"{number(count)} {state}" for state, count in counts.items()),
    )


def _people(evidence: Evidence, judged: ComparedFigures) -> Hypothesis:
    margin = percent(judged.margin or evidence.settings.margin)
    found = interval(judged.low, judged.high, is_signed=True)
    shown = "shown" if judged.is_certified else "not shown"
    result = f"{shown}; no comparison counts yet"
    if judged.difference is not None:
        result = (
            f"{shown}; {number(judged.by_people)} pairs compared by people, difference"
            f" {points(judged.difference)} {found} points"
        )
    return Hypothesis(
        name="Preferred by people",
        estimand="E[D], the mean over users of one drawn call: D is 1 where people prefer the owned answer, −1 where"
        " the provider's, 0 where neither",
        null=f"E[D] ≤ −{margin}",
        alternative=f"E[D] > −{margin}",
        test="the same bets on blind comparisons in a drawn order"
        + ("; the judge's scores sharpen them (prediction-powered)" if judged.is_aided else ""),
        result=result + _judge_beside(judged),
    )


def _judge_beside(judged: ComparedFigures) -> str:
    """What the judge says by itself, and what is left of it where people correct it."""
    own, powered = judged.judge_mean, judged.powered
    if own is None or powered is None or powered.mean is None:
        return ""
    corrected, low, high, rho = powered.mean, powered.low, powered.high, powered.rho
    return (
        f"; the judge alone {points(own)}, corrected by people {points(corrected)}"
        f" {interval(low, high, is_signed=True)} points" + ("" if rho is None else f", correlation {amount(rho)}")
    )


def _levels(verdict: Verdict, evidence: Evidence) -> tuple[Row, ...]:
    asked, spent = evidence.settings, evidence.spent
    return (
        ("α, over all proofs of the task", amount(asked.alpha)),
        ("δ, over all proofs of the task", amount(asked.delta)),
        ("this proof's number", f"{verdict.attempt:,}"),
        ("share it may spend", percent(verdict.level)),
        ("α spent by it", amount(spent.alpha)),
        ("δ spent by it", amount(spent.delta)),
    )


def _data(verdict: Verdict, evidence: Evidence) -> tuple[Row, ...]:
    used = evidence.used_calls
    calls = number(used.calls or evidence.calls)
    return (
        ("held-out calls used up", calls),
        ("of users or sessions", number(evidence.users)),
        ("first of them", day(used.first_at)),
        ("last of them", day(used.last_at)),
        ("looked at by earlier proofs", number(used.looked_at_before)),
        ("digest of their ids", used.digest or "unknown"),
        ("dataset", verdict.dataset_hash),
    )


def _inverse(value: float | None) -> float | None:
    return None if not value else 1 / value
