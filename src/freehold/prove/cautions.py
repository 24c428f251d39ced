"""What a report says against itself: what could go wrong and how it is caught, what stays, what is not shown.

Told from the evidence alone. Not covered: the good news (`prove.story`), statistics (`prove.statement`).
"""

from __future__ import annotations

from collections.abc import Callable

from freehold.core.verdict import Verdict
from freehold.prove.page.basis import AGREEMENT, MIXED, agreed_alone, basis
from freehold.prove.page.sheet import Sheet
from freehold.prove.page.words import (
    UNKNOWN,
    in_hundred,
    in_points,
    interval,
    level,
    number,
    odds,
    one_line,
    percent,
    share,
    span,
)

Words = Callable[[object], str]
_MOST_NAMES = 6
_UNSEEN = {"json": "are not valid JSON", "tools": "are not valid JSON"}


def is_b(evidence: Sheet) -> bool:
    """Whether the contract bounds the share of local answers that are wrong."""
    return evidence.text("contract") == "B"


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
        what = f"At most {in_hundred(verdict.risk)} of the answers given locally are wrong."
        chance = settings.number("delta")
    else:
        what = f"At most {in_hundred(verdict.risk)} calls are answered locally and wrong."
        chance = settings.number("delta")
    return f"{what} The proofs of this task, all together, are wrong about that at most {odds(chance)}."


def notices(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
    """What must be known before anything else is read."""
    found = [_of_baseline(verdict, side) for side in evidence.rows("sides")[2:] if side.text("decision") == "move"]
    if evidence.flag("facts", "is_provider_simulated"):
        found.append("The provider is simulated: its answers, latency and prices stand for no real product.")
    used = evidence.at("used")
    n, before, trained = used.count("calls"), used.count("looked_at_before"), used.count("of_trained_users")
    if before:
        found.append(
            f"{before:,} of {n:,} held-out calls were looked at by earlier proofs of this task. The error rate allows"
            " for that only where model and settings were not fitted to them; --fresh leaves them out."
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
    sentences = [promise(verdict, evidence)]
    wrong = evidence.number("cascade", "chosen", "wrong")
    if evidence.text("outcome", "scope") == "cascade" and wrong is not None:
        sentences.append(
            f"Seen: {number(wrong)} of {number(evidence.number('calls'))} held-out calls would have been answered"
            " locally and wrong."
        )
    sentences.append(_audits(evidence))
    invalid = _UNSEEN.get(evidence.text("kind"), "are empty")
    sentences.append(f"Local answers that {invalid}, refuse, or are slow are counted on every call, without audits.")
    sentences.append(f"“freehold back {evidence.text('task')}” returns everything to the provider at once.")
    return tuple(sentences)


def stays(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
    """What the provider goes on answering."""
    if verdict.decision != "move":
        return ()
    n, threshold = evidence.count("calls"), verdict.threshold or 0.0
    kept = n - local_calls(verdict, evidence)
    unsure = f"has a confidence under {level(threshold)}, or cannot" if threshold >= 0.001 else "cannot"
    sentences = [f"Calls whose local answer {unsure} be used: {kept:,} of {n:,} held-out calls."]
    if verdict.withheld:
        sentences[0] = sentences[0].replace("used:", "used, or lies in a withheld slice:")
        names = _listed([slice_name(name) for name in verdict.withheld])
        sentences.append(f"All calls of the slices in which the model was wrong too often: {names}.")
    sentences.append("Requests that the model was not made for: images, other prompts, more text than it can read.")
    return tuple(sentences)


def unshown(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
    """What nobody should take this verdict for."""
    sentences = []
    if is_by_people(evidence):
        sentences.append("That the answers are true: it is about which of two answers people prefer.")
    elif basis(evidence) is AGREEMENT:
        sentences.append(
            "That the answers are true. No call here was corrected, so “right” means “agrees with the provider”. Where"
            " the provider is wrong, a model that agrees with it is wrong too."
        )
    elif basis(evidence) is MIXED:
        sentences += agreed_alone(evidence)
    if rejected := evidence.count("rejected_calls"):
        sentences.append(
            f"What was wanted where an answer was rated bad ({rejected:,} of the calls): both sides"
            " count as wrong there, whatever the owned model answered."
        )
    noise = evidence.at("noise") if evidence.has("noise") else evidence.at("facts", "noise")
    if noise.number("agreement") is not None:
        sentences.append(
            f"The provider, asked again, agrees with itself in {share(noise.number('agreement'))}"
            f" {interval(noise.number('low'), noise.number('high'))} of {number(noise.number('n'))} calls. Disagreement"
            f" within that is its own noise.{_of_margin(noise)}"
        )
    when = span(evidence.at("used", "first_at").value, evidence.at("used", "last_at").value)
    held_out = "those held out" if when == UNKNOWN else f"the held-out ones, {when}"
    sentences.append(f"Anything about other traffic: the proof is for calls like {held_out}.")
    names = [slice_name(row.text("name")) for row in evidence.rows("slices") if row.text("state") == "open"]
    if names:
        sentences.append(f"Slices with too few calls to say: {_listed(names)}.")
    if verdict.attempt > 1:
        sentences.append(
            f"This is proof {verdict.attempt:,} of the task. All of them share one budget of error, of which it may"
            f" spend {percent(verdict.level)}: each further try asks for more calls."
        )
    return tuple(sentences)


def _of_margin(noise: Sheet) -> str:
    margin = noise.number("proposed_margin")
    return "" if margin is None else f" A margin under {percent(margin)} asks for more than the provider keeps itself."


def slice_name(name: str) -> str:
    """A slice as people say it: `label:refund` is label refund."""
    return one_line(name.replace(":", " ", 1))


def _audits(evidence: Sheet) -> str:
    rate = evidence.number("facts", "audit_rate") or 0.0
    if not rate:
        return "No audits are planned, so that a change would not be noticed: set an audit rate."
    audited = evidence.number("savings", "audited_per_day")
    a_day = f", about {number(audited)} a day," if audited is not None else ""
    if evidence.text("kind") == "text" and evidence.text("outcome", "scope") == "whole":
        return (
            f"{percent(rate)} of local answers{a_day} are audited, which tells of free text only that it differs. No"
            " audit takes this route back: let people compare answers again now and then (freehold label)."
        )
    sentence = f"{percent(rate)} of local answers{a_day} are audited: the provider is asked too, and both compared."
    back = evidence.at("rollback")
    turned, audits, days = back.number("turned_to"), back.number("audits"), back.number("days")
    if turned is None or audits is None:
        return sentence
    after = "" if days is None else f" ({_lasting(days)})"
    whose = "local answers" if is_b(evidence) else "calls"
    return (
        f"{sentence} Should {in_hundred(turned)} {whose} come to be wrong and local, the route goes back by itself"
        f" after about {number(audits)} audits{after}."
    )


def _lasting(days: float) -> str:
    if days < 1 / 24:
        return "within the hour"
    if days < 2:
        return f"about {number(24 * days)} hours"
    return f"about {number(days)} days"


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


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else shown
