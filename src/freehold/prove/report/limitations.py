"""What a report says that nobody should take its verdict for.

Told from the evidence alone. Not covered: what could go wrong (`prove.report.risks`).
"""

from __future__ import annotations

from freehold.model.verdict import Verdict
from freehold.prove.report.basis import AGREEMENT, MIXED, agreed_alone, basis
from freehold.prove.report.risks import is_by_people, slice_name
from freehold.prove.report.sheet import Sheet
from freehold.prove.report.traffic import unspoken_told
from freehold.prove.report.words import UNKNOWN, interval, listed, number, percent, share, span


def limitations(verdict: Verdict, evidence: Sheet) -> tuple[str, ...]:
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
    if lost := unspoken_told(evidence):
        sentences.append(lost)
    users, busiest = evidence.count("users"), evidence.count("busiest_user_calls")
    if users * busiest > evidence.count("calls") > 0:
        sentences.append(
            f"How users fare who make more calls than any of these {users:,}: each of them counts alike, and the"
            f" busiest made {busiest:,} of the {evidence.count('calls'):,} calls."
        )
    names = [slice_name(row.text("name")) for row in evidence.rows("slices") if row.text("state") == "open"]
    if names:
        sentences.append(f"Slices with too few calls to say: {listed(names)}.")
    if verdict.attempt > 1:
        sentences.append(
            f"This is proof {verdict.attempt:,} of the task. All of them share one budget of error, of which it may"
            f" spend {percent(verdict.level)}: each further try asks for more calls."
        )
    return tuple(sentences)


def _of_margin(noise: Sheet) -> str:
    margin = noise.number("proposed_margin")
    return "" if margin is None else f" A margin under {percent(margin)} asks for more than the provider keeps itself."
