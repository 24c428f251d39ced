"""Says what a detector found in words and figures, for whoever asks why a route was taken back.

Not covered: reasons for stale evidence (`watch.staleness`).
"""

from __future__ import annotations

from freehold.model.verdict import Contract
from freehold.watch.detector import Detector, recent_harm
from freehold.watch.observation import RollBack

SLICE = "slice:"
_WHAT = {
    "validity": ("local answers could not be read", "of local answers"),
    "refusals": ("local answers were refusals", "of local answers"),
    "latency": ("local answers were slow", "of local answers"),
    "feedback": ("local answers got bad feedback", "of local answers"),
}


def roll_back(d: Detector, contract: Contract) -> RollBack:
    """The decision that an alarmed detector stands for."""
    harm, count = recent_harm(d)
    return RollBack(
        detector=d.name,
        reason=f"{_found(d, contract, harm, count)}; evidence {evidence_words(d)}",
        evidence=d.evidence,
        patience=d.patience,
        tolerated=d.tolerated,
        observed=d.observed,
        recent_harm=harm,
        recent_count=count,
    )


def slice_words(d: Detector) -> str:
    """Why a slice is withheld. Example: `label:refund: 14 of the last 31 audited answers were wrong, ...`."""
    harm, count = recent_harm(d)
    name = d.name.removeprefix(SLICE)
    found = f"{name}: {harm:.3g} of the last {count} audited answers were wrong, where {d.tolerated:.1%} may be"
    return f"{found}; evidence {evidence_words(d)}"


def evidence_words(d: Detector) -> str:
    """The evidence beside what it takes. Example: `12 of 73,000`."""
    return f"{_short(d.evidence)} of {d.patience:,.0f}"


def _found(d: Detector, contract: Contract, harm: float, count: int) -> str:
    match d.name:
        case "contract":
            whole = "of all requests" if contract == "A" else "of local answers"
            found = f"{harm:.3g} of the last {count} audited answers were wrong"
            return f"{found}, where {d.tolerated:.1%} {whole} may be (contract {contract})"
        case "harm":
            worse = 100 * harm / max(count, 1)
            return (
                f"{worse:.0f} points worse than the provider in the last {count} pairs, {100 * d.tolerated:.3g} allowed"
            )
        case _:
            what, whole = _WHAT[d.name]
            return f"{harm:.0f} of the last {count} {what}, where {d.tolerated:.1%} {whole} may"


def _short(evidence: float) -> str:
    return f"{evidence:,.0f}" if evidence < 1e9 else f"{evidence:.1e}"
