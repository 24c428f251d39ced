"""What the sentences of a report turn on: what answers were held against, and which statement a move rests on.

    agreement   nobody said of any call what was wanted: an answer "agrees" with the provider's, no more
    mixed       people said it of some calls, by a correction or a bad rating: an answer is "as wanted"
    known       people said it of all calls: an answer is "right"

Told from the evidence alone. Not covered: the sentences (`templates/story.txt.j2`, `templates/checks.txt.j2`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Words for one basis: a heading, a column, what an answer does, which answers are meant, and the opposite."""

    name: str
    heading: str
    column: str
    verb: str
    answers: str
    otherwise: str


AGREEMENT = Basis(
    name="agreement",
    heading="Agreement with the provider",
    column="agrees",
    verb="agrees with the provider",
    answers="answers that agree",
    otherwise="differs",
)
MIXED = Basis(
    name="mixed",
    heading="Answers as wanted: as people said where they said it, else as the provider answered",
    column="wanted",
    verb="answers as wanted",
    answers="answers as wanted",
    otherwise="otherwise",
)
KNOWN = Basis(
    name="known",
    heading="Right answers, as people said",
    column="right",
    verb="is right",
    answers="right answers",
    otherwise="wrong",
)


def basis(evidence: Evidence) -> Basis:
    """The words for this evidence."""
    known, rejected = evidence.known_calls, evidence.rejected_calls
    if evidence.is_agreement and not known:
        return AGREEMENT
    scored = evidence.scored_calls or evidence.calls or 0
    return KNOWN if known + rejected >= scored else MIXED


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Yes and no, for the sentences.

    `is_whole`: a move rests on the owned model alone, `is_b`: the contract bounds the share of local answers that are
    wrong. `is_compared`: people's comparisons decide on replacing the provider as a whole, and no scores;
    `is_by_people`: they did. `is_for_people`: what is needed are comparisons. `is_newer`: all held-out calls are newer
    than what was learnt from, or nobody looked. `local_calls` are the held-out calls that the owned model would have
    answered.
    """

    is_whole: bool
    is_b: bool
    is_compared: bool
    is_by_people: bool
    is_for_people: bool
    is_newer: bool
    local_calls: int


def grounds(verdict: Verdict) -> Grounds:
    """What the sentences of this verdict turn on."""
    figures = verdict.figures
    judged, is_whole = figures.judged, figures.outcome.scope == "whole"
    is_compared = judged is not None and (figures.is_agreement is True or figures.kind == "text")
    return Grounds(
        is_whole=is_whole,
        is_b=figures.contract == "B",
        is_compared=is_compared,
        is_by_people=is_compared and is_whole and judged is not None and judged.is_certified,
        is_for_people=figures.outcome.need_of == "labels",
        is_newer=figures.used_calls.is_newer is not False,
        local_calls=round((verdict.coverage or 0.0) * (figures.calls or 0)),
    )


def is_enough(baseline: float | None, owned: float | None) -> bool:
    """Whether a baseline that passes takes over nearly as much as the owned model does."""
    return (baseline or 0.0) >= 0.9 * (owned or 0.0)
