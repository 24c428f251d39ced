"""What the held-out calls were that are not like the others, and what became of those that a proof cannot speak about.

Not covered: the figures (`prove.population`), the sentences (`templates/story.txt.j2`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from freehold.model.evidence.calls import ReasonFigures
from freehold.model.evidence.evidence import Evidence
from freehold.prove.report.words import one_line

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "tool_calls": "answered with tool calls",
        "refusal": "refused by the provider",
        "cut_off": "cut off",
        "empty_answer": "answered with nothing",
        "off_schema": "answered against the schema of the request",
        "refused_by_client": "refused by the client, which asked again",
        "unknown_finish": "ended for a reason that nobody knows",
        "no_finish": "answered without a sign of an end",
        "invalid_json": "answered with no JSON",
        "not_a_label": "answered with no label",
        "invalid_correction": "corrected to something of another form",
        "not_plain": "no plain text (images, tool results)",
        "not_fitting": "of another prompt",
        "empty_input": "without an input of their own",
        "not_unicode": "with half a character in them",
        "unproven_kind": "of a kind of request that was hardly seen",
    }
)
"""What held-out calls were that are not like the others."""

_UNSPOKEN: Mapping[str, str] = MappingProxyType(
    {
        "failed": "failed",
        "error": "failed at the provider",
        "cut_off": "broke off",
        "unreadable": "are no longer there to read",
        "answered_locally": "were answered by an owned model and not audited",
        "group_crosses_split": "are of users, sessions or conversations that were learnt from",
        "trained on": "were learnt from",
        "nearly trained on": "ask nearly what was learnt",
        "older than the training cut-off": "are older than what was learnt last",
        "of users trained on": "are of users that were learnt from",
        "looked at by an earlier proof": "were looked at by an earlier proof",
    }
)
"""What became of the calls of which a proof cannot speak."""


def reason(name: str) -> str:
    """What a held-out call was, in words."""
    return _WORDS.get(name, one_line(name))


def unspoken_reason(name: str) -> str:
    """What became of a call that the proof cannot speak about, in words."""
    return _UNSPOKEN.get(name, one_line(name))


def rows(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """What the held-out calls were, as (what, how many) for a table; none where all of them are alike."""
    aside, left = evidence.aside, evidence.left_alone
    if not (aside or left):
        return ()
    found = [("asked, and what was wanted is known", f"{(evidence.calls or 0) - _sum(aside) - _sum(left):,}")]
    for row in aside:
        local = f" ({row.local:,} local: wrong)" if row.local else ""
        found.append((f"asked, but {reason(row.name)}", f"{row.calls:,}{local}"))
    return (*found, *((f"not asked: {reason(row.name)}", f"{row.calls:,}") for row in left))


def _sum(rows_of: Sequence[ReasonFigures]) -> int:
    return sum(row.calls for row in rows_of)
