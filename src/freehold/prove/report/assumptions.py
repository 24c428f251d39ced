"""What a proof assumes and what is missing in it, in words for those who check it.

Not covered: the hypotheses and their tests (`prove.report.methods`).
"""

from __future__ import annotations

from freehold.model.evidence.decision import PairedFigures
from freehold.model.evidence.evidence import Evidence
from freehold.prove.report.basis import basis
from freehold.prove.report.words import interval, number, one_line, share


def missing(evidence: Evidence) -> tuple[str, ...]:
    """What is missing in a proof, and how it entered; one sentence each."""
    found = [
        f"{row.missing:,} of {(row.n or 0):,} calls have no score under {one_line(row.name)}: they"
        " entered as the worst case."
        for row in evidence.metrics
        if row.missing
    ]
    left_out = evidence.used_calls.left_out
    found += [f"{number(count)} held-out calls were left out: {one_line(why)}." for why, count in left_out.items()]
    owned = evidence.owned.valid
    if owned is not None and owned < 1:
        found.append(
            f"{share(1 - owned)} of the owned answers cannot be used; they count as wrong, and are never local."
        )
    return tuple(found) or ("Nothing: every held-out call has both answers and a score.",)


def assumptions(evidence: Evidence) -> tuple[str, ...]:
    """What the statement's error rate rests on, one sentence each."""
    wanted = {
        "agreement": "that the provider is right",
        "mixed": "that the corrections are right, and the provider where there is none",
        "known": "that what people said is right",
    }[basis(evidence).name]
    return (
        "Users or sessions were drawn alike and independently. Calls of one user may depend on each other.",
        "Traffic goes on as in the time of the held-out calls. Audits look for the opposite after the move."
        + _running(evidence.paired),
        f"What is wanted is known: {wanted}.",
        "No earlier proof's calls were used to choose this model, its settings or its metrics.",
    )


def _running(paired: PairedFigures) -> str:
    """What is known of the difference where it changed while the held-out calls came."""
    low, high = paired.running_low, paired.running_high
    if low is None or high is None:
        return ""
    return (
        " Where the difference changed while those came, its mean over them was still within"
        f" {interval(low, high, is_signed=True)} points, at every look (95%, empirical Bernstein)."
    )
