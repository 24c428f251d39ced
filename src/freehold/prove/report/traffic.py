"""What the held-out calls were, in words: asked or left alone, known or not, and what the proof cannot speak about.

Told from the evidence alone; nothing is said by verdicts of earlier versions, which do not know it. Not covered: the
figures (`prove.population`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from freehold.model.evidence.calls import ReasonFigures
from freehold.model.evidence.evidence import Evidence
from freehold.prove.report.words import one_line, share

WORDS: Mapping[str, str] = MappingProxyType(
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

UNSPOKEN: Mapping[str, str] = MappingProxyType(
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


def rows(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """What the held-out calls were, as (what, how many) for a table; none where all of them are alike."""
    aside, left = evidence.aside, evidence.left_alone
    if not (aside or left):
        return ()
    found = [("asked, and what was wanted is known", f"{(evidence.calls or 0) - _sum(aside) - _sum(left):,}")]
    for row in aside:
        local = f" ({row.local:,} local: wrong)" if row.local else ""
        found.append((f"asked, but {_words(row)}", f"{row.calls:,}{local}"))
    return (*found, *((f"not asked: {_words(row)}", f"{row.calls:,}") for row in left))


def aside_told(evidence: Evidence) -> str:
    """How many held-out calls got no answer that could be wanted, and what follows there; empty where none did."""
    aside = evidence.aside
    if not aside:
        return ""
    told = ", ".join(f"{row.calls:,} {_words(row)}" for row in aside)
    local = sum(row.local for row in aside)
    used = f" It would have answered {local:,} of them all the same." if local else " It would have left all of them."
    return (
        f"To {_sum(aside):,} of the held-out calls the provider gave no answer that could be wanted ({told}). The owned"
        f" model has to leave these alone; where it would not, it counts as wrong.{used}"
    )


def left_told(evidence: Evidence) -> str:
    """About how many held-out calls no owned model is asked; empty where about all it is."""
    left = evidence.left_alone
    told = ", ".join(f"{row.calls:,} {_words(row)}" for row in left)
    if not left:
        return "Requests that the model was not made for: images, other prompts, more text than it can read."
    return f"Requests about which the model is not asked: {told}. They are counted in every share of all calls."


def unspoken_told(evidence: Evidence) -> str:
    """What share of the traffic of its time the proof cannot speak about, and why; empty without such."""
    lost, of_all = evidence.unspoken, evidence.unspoken_share
    if not lost or of_all is None:
        return ""
    whole = (evidence.calls or 0) + _sum(lost)
    told = ", ".join(f"{share(row.calls / whole)} {UNSPOKEN.get(row.name, one_line(row.name))}" for row in lost)
    return f"Anything about {share(of_all)} of the calls of the same time: {told}."


def repeats_told(evidence: Evidence) -> str:
    """How many held-out calls ask what was learnt; empty where none does."""
    n, learnt = (evidence.calls or 0), evidence.learnt_inputs
    if not learnt:
        return ""
    return (
        f"{learnt:,} of {n:,} held-out calls ask, word for word or nearly, what the model learnt from: this traffic"
        f" repeats itself. Of inputs that are new the proof speaks by the other {max(0, n - learnt):,} alone."
    )


def _words(row: ReasonFigures) -> str:
    return WORDS.get(row.name, one_line(row.name))


def _sum(rows_of: tuple[ReasonFigures, ...]) -> int:
    return sum(row.calls for row in rows_of)
