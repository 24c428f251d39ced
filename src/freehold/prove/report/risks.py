"""What a report says against itself: what could go wrong and how it is caught, and what stays.

Told from the evidence alone. Not covered: what is not shown (`prove.report.limitations`), the good news
(`prove.report.summary`), statistics (`prove.report.methods`).
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.model.verdict import Verdict
from freehold.prove.report.basis import basis
from freehold.prove.report.sheet import Sheet
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


def is_b(evidence: Sheet) -> bool:
    """Whether the contract bounds the share of local answers that are wrong."""
    return evidence.text("contract") == "B"


def is_newer(evidence: Sheet) -> bool:
    """Whether all held-out calls are newer than what was learnt from; verdicts of earlier versions do not say."""
    return evidence.at("used", "is_newer").value is not False


def is_by_people(evidence: Sheet) -> bool:
    """Whether a move of the whole rests on what people preferred."""
    decides = evidence.flag("is_agreement") or evidence.text("kind") == "text"
    return decides and evidence.text("outcome", "scope") == "whole" and evidence.flag("judged", "is_certified")


def local_calls(verdict: Verdict, evidence: Sheet) -> int:
    """How many held-out calls the owned model would have answered."""
    return round((verdict.coverage or 0.0) * evidence.count("calls"))


def promise(verdict: Verdict, evidence: Sheet) -> str:
    """The contract in plain words, with its error rate over all proofs of the task."""
    settings = evidence.at("settings")
    if evidence.text("outcome", "scope") == "whole":
        points = in_points(verdict.margin)
        what = f"The owned model's share of {basis(evidence).answers} is at most {points} points below the provider's."
        if is_by_people(evidence):
            what = f"People prefer the provider's answer at most {points} points more often than the owned one."
        chance = settings.number("alpha")
    elif is_b(evidence):
        what = f"At most {in_hundred(verdict.risk)} of the owned model's answers are wrong{_wrong_means(evidence)}."
        chance = settings.number("delta")
    else:
        what = (
            f"At most {in_hundred(verdict.risk)} calls get a wrong answer from the owned model{_wrong_means(evidence)}."
        )
        chance = settings.number("delta")
    return (
        f"{what} A model that breaks this is let through at most {odds(chance)}, over all proofs of the task together."
    )


def _wrong_means(evidence: Sheet) -> str:
    return " (wrong: unlike the provider's)" if evidence.flag("is_agreement") else ""


def notices(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
    """What must be known before anything else is read."""
    found = [_of_baseline(verdict, side) for side in evidence.rows("sides")[2:] if side.text("decision") == "move"]
    if evidence.flag("facts", "is_provider_simulated"):
        found.append("The provider is simulated: its answers, latency and prices stand for no real product.")
    training = evidence.at("facts", "training")
    if training.flag("is_too_little") or (training.has() and verdict.decision != "move"):
        found.append(training.text("words"))
    used = evidence.at("used")
    n, before, trained = used.count("calls"), used.count("looked_at_before"), used.count("of_trained_users")
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


def risks(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
    """What could go wrong, and how it would be caught."""
    if verdict.decision != "move":
        return ()
    sentences = [promise(verdict, evidence), _seen(evidence)]
    sentences.append(_audits(verdict, evidence))
    invalid = _UNSEEN.get(evidence.text("kind"), "are empty")
    sentences.append(
        f"Answers that {invalid}, refuse, or are slow are counted on every call; too many take the route back, too."
    )
    sentences.append(f"“freehold back {evidence.text('task')}” returns everything to the provider at once.")
    return tuple(sentence for sentence in sentences if sentence)


def _seen(evidence: Sheet) -> str:
    """What the promise is about, as it was among the held-out calls."""
    if evidence.text("outcome", "scope") != "whole":
        wrong, found = evidence.number("cascade", "chosen", "wrong"), evidence.at("cascade", "wrong_share_interval")
        if wrong is None:
            return ""
        n = evidence.number("cascade", "chosen", "local") if is_b(evidence) else evidence.number("calls")
        what = (
            "of the model's own answers were wrong"
            if is_b(evidence)
            else "held-out calls would have got a wrong answer"
        )
        return f"Seen: {number(wrong)} of {number(n)} {what}{_at(found.number(0), found.number(1))}."
    if is_by_people(evidence):
        judged = evidence.at("judged")
        return (
            f"Seen: of {number(judged.number('n'))} pairs people preferred the owned answer in"
            f" {number(judged.number('owned_better'))} and the provider's in"
            f" {number(judged.number('provider_better'))}."
        )
    provider, owned = evidence.at("sides", 0), evidence.at("sides", 1)
    return (
        f"Seen: right in {share(owned.number('share'))} {interval(owned.number('low'), owned.number('high'))} of"
        f" {number(owned.number('n'))} held-out calls, the provider in {share(provider.number('share'))}"
        f" {interval(provider.number('low'), provider.number('high'))}."
    )


def _at(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" (95%: {share(low)} to {share(high)})"


def stays(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
    """What the provider goes on answering."""
    if verdict.decision != "move":
        return ()
    n, threshold = evidence.count("calls"), verdict.threshold or 0.0
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


def _audits(verdict: Verdict, evidence: Sheet) -> str:
    """How harm is noticed, how soon, and what it has cost by then."""
    rate = evidence.number("facts", "audit_rate") or 0.0
    if not rate:
        return "No audits are planned, so that a change would not be noticed: set an audit rate."
    audited = evidence.number("savings", "audited_per_day")
    a_day = f", about {rounded(audited)} a day," if audited is not None else ""
    audits = "are audited: the provider is asked too, and both are compared."
    sentence = f"{percent(rate)} of the owned model's answers{a_day} {audits}"
    back = evidence.at("rollback")
    turned, calls, wrong, days = (back.number(name) for name in ("turned_to", "calls", "wrong", "days"))
    unlike = evidence.at("borne")
    if unlike.count("count") and not back.has():
        return (
            f"{sentence} Nearly all answers differ, which tells nothing. No audit takes this route back: let people"
            " compare answers again now and then (freehold label)."
        )
    if turned is None or calls is None or wrong is None:
        return sentence
    of = "answers" if is_b(evidence) else "calls"
    if unlike.count("count"):
        local = verdict.coverage if is_b(evidence) else 1.0
        now = share((evidence.number("unlike") or 0.0) / (local or 1.0))
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
        f"{sentence} Should {told}, everything goes back to the provider by itself within about {rounded(calls)}"
        f" calls{after}, after some {rounded(wrong)} {harm}.{sooner}"
    )


def _lasting(days: float) -> str:
    if days < 1 / 24:
        return "within the hour"
    if days < 2:
        hours = round(24 * days)
        return "about an hour" if hours <= 1 else f"about {hours} hours"
    return f"about {rounded(days)} days"


def _of_baseline(verdict: Verdict, side: Sheet) -> str:
    answered, name = side.number("coverage") or 0.0, one_line(side.text("name"))
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


def _of_judge(evidence: Sheet) -> list[str]:
    """What a judge helped, said before anybody counts on it."""
    judged = evidence.at("judged")
    if not judged.text("judge") or not judged.count("judged"):
        return []
    name, pairs, unreadable = one_line(judged.text("judge")), judged.count("judged"), judged.count("unreadable")
    no_opinion = f", {unreadable:,} of them without an opinion that can be read" if unreadable else ""
    return [f"A judge, “{name}”, compared {pairs:,} pairs{no_opinion}. {_entered(judged)} {_helped(judged)}"]


def _entered(judged: Sheet) -> str:
    if not judged.flag("is_aided"):
        why = one_line(judged.text("why_alone"))
        return f"Its scores did not enter the test.{f' {why}.' if why else ''}"
    least = judged.count("least_labels")
    if judged.count("by_people") < least:
        return f"Its scores enter the test once people have compared {least:,} pairs."
    return "Its scores entered the test."


def _helped(judged: Sheet) -> str:
    rho, left, labels = judged.number("powered", "rho"), judged.number("variance_left"), judged.count("by_people")
    if rho is None or left is None:
        return (
            "How far people agree with it is unknown: too few pairs have been compared by both, or one of both said the"
            " same of all."
        )
    variance = f"leaves {left:.0%} of the variance of people's labels to them at best (1 - rho squared)"
    if rho <= 0:
        return f"It {variance}: people do not agree with it (rho {rho:+.2f}), so it helped nothing."
    worth = judged.number("powered", "worth")
    weight = "" if worth is None else f": with it, {labels:,} labels say about as much as {worth:,.0f} without"
    return f"It {variance}{weight}."
