"""What a report says against itself: what could go wrong and how it is caught, and what stays.

Told from the evidence alone. Not covered: what is not shown (`prove.report.limitations`), the good news
(`prove.report.summary`), statistics (`prove.report.methods`).
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.model.evidence.answers import SideFigures
from freehold.model.evidence.decision import ComparedFigures, PoweredFigures
from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report.basis import basis
from freehold.prove.report.traffic import left_told, repeats_told
from freehold.prove.report.words import (
    in_hundred,
    in_points,
    interval,
    level,
    listed,
    number,
    odds,
    one_line,
    percent,
    rounded,
    share,
)

Words = Callable[[object], str]
_LONG_DAYS = 14.0
_UNSEEN = {"json": "are not valid JSON", "tools": "are not valid JSON"}


def is_b(evidence: Evidence) -> bool:
    """Whether the contract bounds the share of local answers that are wrong."""
    return evidence.contract == "B"


def is_newer(evidence: Evidence) -> bool:
    """Whether all held-out calls are newer than what was learnt from; verdicts of earlier versions do not say."""
    return evidence.used_calls.is_newer is not False


def is_compared(evidence: Evidence) -> bool:
    """Whether people's comparisons decide on replacing the provider as a whole, and no scores."""
    return evidence.judged is not None and (evidence.is_agreement is True or evidence.kind == "text")


def is_by_people(evidence: Evidence) -> bool:
    """Whether a move of the whole rests on what people preferred."""
    is_certified = evidence.judged is not None and evidence.judged.is_certified
    return is_compared(evidence) and evidence.outcome.scope == "whole" and is_certified


def local_calls(verdict: Verdict, evidence: Evidence) -> int:
    """How many held-out calls the owned model would have answered."""
    return round((verdict.coverage or 0.0) * (evidence.calls or 0))


def promise(verdict: Verdict, evidence: Evidence) -> str:
    """The contract in plain words, with its error rate over all proofs of the task."""
    settings = evidence.settings
    if evidence.outcome.scope == "whole":
        points = in_points(verdict.margin)
        what = f"The owned model's share of {basis(evidence).answers} is at most {points} points below the provider's."
        if is_by_people(evidence):
            what = f"People prefer the provider's answer at most {points} points more often than the owned one."
        chance = settings.alpha
    elif is_b(evidence):
        what = f"At most {in_hundred(verdict.risk)} of the owned model's answers are wrong{_wrong_means(evidence)}."
        chance = settings.delta
    else:
        what = (
            f"At most {in_hundred(verdict.risk)} calls get a wrong answer from the owned model{_wrong_means(evidence)}."
        )
        chance = settings.delta
    return (
        f"{what} A model that breaks this is let through at most {odds(chance)}, over all proofs of the task together."
    )


def _wrong_means(evidence: Evidence) -> str:
    return " (wrong: unlike the provider's)" if evidence.is_agreement else ""


def notices(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    """What must be known before anything else is read."""
    found = [_of_baseline(verdict, side) for side in evidence.baselines if side.decision == "move"]
    if evidence.facts.is_provider_simulated:
        found.append("The provider is simulated: its answers, latency and prices stand for no real product.")
    training = evidence.facts.undertraining
    if training is not None and (training.is_too_little or verdict.decision != "move"):
        found.append(training.words)
    used = evidence.used_calls
    n, before, trained = (used.calls or 0), used.looked_at_before, used.of_trained_users
    if before:
        found.append(
            f"{before:,} of {n:,} held-out calls were looked at by earlier proofs of this task. The error rate allows"
            " for that only where model and settings were not fitted to them; --fresh leaves them out."
        )
    if repeats := repeats_told(evidence):
        found.append(repeats)
    if not is_newer(evidence):
        found.append(
            "By their clock the held-out calls are not newer than those that were trained and tuned on: what this shows"
            " of calls to come rests on the order in which they were recorded."
        )
    if trained:
        found.append(
            f"{trained:,} of {n:,} held-out calls are of users or sessions that the model was trained on: so few others"
            " are left. The proof is for traffic with such users in it."
        )
    return (*found, *_of_judge(evidence))


def risks(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    """What could go wrong, and how it would be caught."""
    if verdict.decision != "move":
        return ()
    sentences = [promise(verdict, evidence), _seen(evidence)]
    sentences.append(_audits(verdict, evidence))
    invalid = _UNSEEN.get(evidence.kind, "are empty")
    sentences.append(
        f"Answers that {invalid}, refuse, or are slow are counted on every call; too many take the route back, too."
    )
    sentences.append(f"“freehold back {evidence.task}” returns everything to the provider at once.")
    return tuple(sentence for sentence in sentences if sentence)


def _seen(evidence: Evidence) -> str:
    """What the promise is about, as it was among the held-out calls."""
    if evidence.outcome.scope != "whole":
        chosen, found = evidence.cascade.chosen, evidence.cascade.wrong_share_interval
        if chosen is None or chosen.wrong is None:
            return ""
        n = chosen.local if is_b(evidence) else evidence.calls
        what = (
            "of the model's own answers were wrong"
            if is_b(evidence)
            else "held-out calls would have got a wrong answer"
        )
        within = f" (95%: {share(found[0])} to {share(found[1])})" if found else ""
        return f"Seen: {number(chosen.wrong)} of {number(n)} {what}{within}."
    judged = evidence.judged
    if judged is not None and is_by_people(evidence):
        return (
            f"Seen: of {number(judged.n)} pairs people preferred the owned answer in"
            f" {number(judged.owned_better)} and the provider's in"
            f" {number(judged.provider_better)}."
        )
    provider, owned = evidence.provider, evidence.owned
    return (
        f"Seen: right in {share(owned.share)} {interval(owned.low, owned.high)} of"
        f" {number(owned.n)} held-out calls, the provider in {share(provider.share)}"
        f" {interval(provider.low, provider.high)}."
    )


def stays(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    """What the provider goes on answering."""
    if verdict.decision != "move":
        return ()
    n, threshold = (evidence.calls or 0), verdict.threshold or 0.0
    kept = n - local_calls(verdict, evidence)
    why = (
        [f"of which the model is not sure enough (a confidence under {level(threshold)})"] if threshold >= 0.001 else []
    )
    if verdict.withheld:
        names = listed([slice_name(name) for name in verdict.withheld])
        why.append(f"in slices where the model was wrong too often ({names})")
    why.append("to which its answer cannot be used")
    return (
        f"Calls {', or '.join(why)}: {f'{kept:,}' if kept else 'none'} of {n:,} held-out calls.",
        left_told(evidence),
    )


def slice_name(name: str) -> str:
    """A slice as people say it: `label:refund` is label refund."""
    return one_line(name.replace(":", " ", 1))


def _audits(verdict: Verdict, evidence: Evidence) -> str:
    """How harm is noticed, how soon, and what it has cost by then."""
    rate = evidence.facts.audit_rate or 0.0
    if not rate:
        return "No audits are planned, so that a change would not be noticed: set an audit rate."
    audited = evidence.savings.audited_per_day
    a_day = f", about {rounded(audited)} a day," if audited is not None else ""
    audits = "are audited: the provider is asked too, and both are compared."
    sentence = f"{percent(rate)} of the owned model's answers{a_day} {audits}"
    back, differing = evidence.rollback, evidence.borne.count if evidence.borne else 0
    if differing and back is None:
        return (
            f"{sentence} Nearly all answers differ, which tells nothing. No audit takes this route back: let people"
            " compare answers again now and then (freehold label)."
        )
    if back is None or back.turned_to is None or back.calls is None or back.wrong is None:
        return sentence
    turned, days = back.turned_to, back.days
    of = "answers" if is_b(evidence) else "calls"
    if differing:
        local = verdict.coverage if is_b(evidence) else 1.0
        now = share((evidence.unlike or 0.0) / (local or 1.0))
        told = f"its answers come to differ from the provider's in {share(turned)} of {of} ({now} did among the"
        told += " held-out ones, not all of them for the worse)"
        harm = "such answers"
    elif is_b(evidence):
        told, harm = f"{in_hundred(turned)} of its answers come to be wrong", "wrong answers"
    else:
        told, harm = f"{in_hundred(turned)} calls come to get a wrong answer from it", "wrong answers"
    after = "" if days is None else f" ({_lasting(days)})"
    sooner = " A larger route.audit_rate makes that sooner." if days is not None and days > _LONG_DAYS else ""
    return (
        f"{sentence} Should {told}, everything goes back to the provider by itself within about {rounded(back.calls)}"
        f" calls{after}, after some {rounded(back.wrong)} {harm}.{sooner}"
    )


def _lasting(days: float) -> str:
    if days < 1 / 24:
        return "within the hour"
    if days < 2:
        hours = round(24 * days)
        return "about an hour" if hours <= 1 else f"about {hours} hours"
    return f"about {rounded(days)} days"


def _of_baseline(verdict: Verdict, side: SideFigures) -> str:
    answered, name = side.coverage or 0.0, one_line(side.name)
    if is_enough(answered, verdict.coverage):
        return (
            f"This task needs no language model: the baseline “{name}” passes the same proof"
            f" and answers {answered:.0%} of the calls."
        )
    return (
        f"{answered:.0%} of the calls need no language model: for them the baseline “{name}” passes the same proof."
        f" The owned model answers {verdict.coverage or 0:.0%}."
    )


def is_enough(baseline: float | None, owned: float | None) -> bool:
    """Whether a baseline that passes takes over nearly as much as the owned model does."""
    return (baseline or 0.0) >= 0.9 * (owned or 0.0)


def _of_judge(evidence: Evidence) -> list[str]:
    """What a judge helped, said before anybody counts on it."""
    judged = evidence.judged
    if judged is None or not judged.judge or not judged.judged:
        return []
    name, pairs, unreadable = one_line(judged.judge), judged.judged, judged.unreadable
    no_opinion = f", {unreadable:,} of them without an opinion that can be read" if unreadable else ""
    return [f"A judge, “{name}”, compared {pairs:,} pairs{no_opinion}. {_entered(judged)} {_helped(judged)}"]


def _entered(judged: ComparedFigures) -> str:
    if not judged.is_aided:
        why = one_line(judged.why_alone)
        return f"Its scores did not enter the test.{f' {why}.' if why else ''}"
    least = judged.least_labels
    if judged.by_people < least:
        return f"Its scores enter the test once people have compared {least:,} pairs."
    return "Its scores entered the test."


def _helped(judged: ComparedFigures) -> str:
    powered = judged.powered or PoweredFigures()
    rho, left, labels = powered.rho, judged.variance_left, judged.by_people
    if rho is None or left is None:
        return (
            "How far people agree with it is unknown: too few pairs have been compared by both, or one of both said the"
            " same of all."
        )
    variance = f"leaves {left:.0%} of the variance of people's labels to them at best (1 - rho squared)"
    if rho <= 0:
        return f"It {variance}: people do not agree with it (rho {rho:+.2f}), so it helped nothing."
    worth = powered.worth
    weight = "" if worth is None else f": with it, {labels:,} labels say about as much as {worth:,.0f} without"
    return f"It {variance}{weight}."
