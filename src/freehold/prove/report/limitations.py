"""What a report says that nobody should take its verdict for.

Told from the evidence alone. Not covered: what could go wrong (`prove.report.risks`).
"""

from __future__ import annotations

from freehold.model.evidence.answers import NoiseFigures
from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report.basis import AGREEMENT, MIXED, agreed_alone, basis
from freehold.prove.report.risks import is_by_people, slice_name
from freehold.prove.report.traffic import unspoken_told
from freehold.prove.report.words import UNKNOWN, interval, listed, number, percent, share, span


def limitations(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
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
    if rejected := evidence.rejected_calls:
        sentences.append(
            f"What was wanted where an answer was rated bad ({rejected:,} of the calls): both sides"
            " count as wrong there, whatever the owned model answered."
        )
    noise = evidence.self_consistency
    if noise.agreement is not None:
        sentences.append(
            f"The provider, asked again, agrees with itself in {share(noise.agreement)}"
            f" {interval(noise.low, noise.high)} of {number(noise.n)} calls. Disagreement"
            f" within that is its own noise.{_of_margin(noise)}"
        )
    when = span(evidence.used_calls.first_at, evidence.used_calls.last_at)
    held_out = "those held out" if when == UNKNOWN else f"the held-out ones, {when}"
    sentences.append(f"Anything about other traffic: the proof is for calls like {held_out}.")
    if lost := unspoken_told(evidence):
        sentences.append(lost)
    users, busiest = (evidence.users or 0), (evidence.busiest_user_calls or 0)
    if users * busiest > (evidence.calls or 0) > 0:
        sentences.append(
            f"How users fare who make more calls than any of these {users:,}: each of them counts alike, and the"
            f" busiest made {busiest:,} of the {(evidence.calls or 0):,} calls."
        )
    names = [slice_name(row.name) for row in evidence.slices if row.state == "open"]
    if names:
        sentences.append(f"Slices with too few calls to say: {listed(names)}.")
    if verdict.attempt > 1:
        sentences.append(
            f"This is proof {verdict.attempt:,} of the task. All of them share one budget of error, of which it may"
            f" spend {percent(verdict.level)}: each further try asks for more calls."
        )
    return tuple(sentences)


def _of_margin(noise: NoiseFigures) -> str:
    margin = noise.proposed_margin
    return "" if margin is None else f" A margin under {percent(margin)} asks for more than the provider keeps itself."
