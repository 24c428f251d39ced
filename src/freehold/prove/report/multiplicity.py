"""What a proof tests more than once, and what keeps its error rates all the same, in sentences.

Not covered: the corrections themselves (`prove.attempts`, `prove.stats.cascade`, `prove.stats.contract_b`,
`prove.slices`).
"""

from __future__ import annotations

from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report.words import amount


def multiplicity(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    """One sentence for each kind of repetition that there was."""
    asked, metrics = evidence.settings, evidence.paired.metrics
    both = (asked.alpha or 0.0) + (asked.delta or 0.0)
    found = [
        f"Proofs of the task: the k-th may spend 2 / (4k² − 1) of α and of δ; over all k that adds up to one. This is"
        f" proof {verdict.attempt:,}.",
        "Looks: the bets hold at every look, so that none is charged for.",
        "Thresholds: fixed or ordered without the held-out calls, or monotone; one level serves all of them.",
        f"Statements: the model alone (α) and the cascade (δ) are two, and a verdict makes one. Whoever counts a wrong"
        f" move of either kind has at most α + δ = {amount(both)}.",
    ]
    if metrics > 1:
        found.append(f"Metrics: all {metrics:,} must pass, which needs no correction and costs power.")
    if slices := len(evidence.slices):
        found.append(f"Slices: {slices:,}, at δ/{slices:,} each (Bonferroni); they may overlap.")
    if evidence.baselines:
        found.append("Baselines go through the same proof as a check; nothing moves to them, and no level is shared.")
    found.append("The intervals of tables and pictures are 95% each, by themselves, where nothing else is said.")
    return tuple(found)
