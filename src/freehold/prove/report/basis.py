"""What both sides' answers were held against, and the words that a report may use for that.

    agreement   nobody said of any call what was wanted: an answer "agrees" with the provider's, no more
    mixed       people said it of some calls, by a correction or a bad rating: an answer is "as wanted"
    known       people said it of all calls: an answer is "right"

Told from the evidence alone. Not covered: other words of a report (`prove.report.summary`, `prove.report.risks`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.evidence.answers import PlainSide
from freehold.model.evidence.evidence import Evidence
from freehold.prove.report.words import interval, share


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


def agreed_alone(evidence: Evidence) -> tuple[str, ...]:
    """What is not known of the calls of which nobody said what was wanted, and how both sides did in the others."""
    rows = {row.of: row for row in evidence.apart}
    if "provider" not in rows:
        return ()
    rest = rows["provider"]
    sentence = (
        f"That the answers are right in the {(rest.n or 0):,} calls of which nobody said what was wanted. There the"
        f" owned model agrees with the provider in {_share(rest.owned)}, which says nothing of truth."
    )
    if "people" in rows:
        said = rows["people"]
        sentence += (
            f" In the {(said.n or 0):,} calls that people corrected it is right in {_share(said.owned)}, the"
            f" provider in {_share(said.provider)}."
        )
    return (sentence,)


def _share(side: PlainSide) -> str:
    return f"{share(side.share)} {interval(side.low, side.high)}"
