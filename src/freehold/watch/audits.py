"""How many local answers are audited, and what an audit weighs.

    q = min(1, q_0 s max(1, M / 30))        M the evidence of harm, s > 1 while the proof is stale
    v = k / q                                k <= q for every request alike (`watch.detector`)

Valid because q is set from what was seen before and holds for later requests only; it cuts the harm done until an
alarm, not the number of audits. Checkable: q_0 = .05 and M = 300 give .5.

Not covered: throwing the coin (`gateway`), the budget in dollars.
"""

from __future__ import annotations

from freehold.watch import state

CALM = 30.0
"""Evidence up to here is what an unchanged model shows now and then, and raises nothing."""


def audit_rate(base: float, evidence: float, *, stale_factor: float = 1.0) -> float:
    """The share of local answers to audit from now on; ValueError for a base outside [0, 1] or negative evidence."""
    state.within(base, 0, 1, "the audit rate")
    if state.as_number(evidence, "evidence") < 0 or state.as_number(stale_factor, "the stale factor") < 1:
        raise ValueError(f"evidence {evidence!r} or stale factor {stale_factor!r} is too small")
    return min(1.0, base * stale_factor * max(1.0, evidence / CALM))


def weight_of(propensity: float, least: float) -> float:
    """least / propensity, in (0, 1]; ValueError unless 0 < least <= propensity <= 1."""
    known = state.as_number(propensity, "the propensity")
    floor = state.as_number(least, "the least propensity")
    if not 0 < floor <= known <= 1:
        raise ValueError(f"propensity {propensity!r} with least {least!r}: wanted 0 < least <= propensity <= 1")
    return floor / known
