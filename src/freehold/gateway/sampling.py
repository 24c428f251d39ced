"""What chance decides about a request of a moved task, before anybody is asked.

One coin says whether the cascade may answer (a canary's share), one whether an answer of the provider gets a shadow,
one whether a local answer is audited. All are tossed before any answer is known and kept as tags of the call, so that a
shadow or an audit that never came is known to be missing, and with the probability that it was to come.

Not covered: who acts on it (`gateway.app`), what is made of it (`freehold.watch`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from freehold.gateway.config import Assignment

COIN, AUDIT, AUDIT_RATE, SHADOW = "coin", "audit", "audit_rate", "shadow"
DUE, DROPPED = "due", "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toss:
    """What chance decided; `propensity` is the probability with which `is_local` came out as it did."""

    is_local: bool = True
    is_shadowed: bool = False
    is_audited: bool = False
    propensity: float = 1.0
    tags: dict[str, str] = field(default_factory=dict)


def toss(assignment: Assignment, draw: Callable[[], float]) -> Toss:
    """Decide about one request; `draw` gives random numbers in [0, 1)."""
    route = assignment.route
    is_local, propensity = route.kind != "shadow", 1.0
    tags = {AUDIT_RATE: f"{route.audit_rate:.6g}"} if is_local and route.audit_rate > 0 else {}
    if route.kind == "canary":
        is_local = draw() < assignment.share
        propensity = assignment.share if is_local else 1.0 - assignment.share
        tags[COIN] = "owned" if is_local else "rented"
    if is_local:
        is_audited = draw() < route.audit_rate
        tags |= {AUDIT: DUE} if is_audited else {}
        return Toss(is_audited=is_audited, propensity=propensity, tags=tags)
    tags |= assignment.new_prompt.tags if assignment.new_prompt is not None else {}
    is_shadowed = draw() < route.shadow_rate
    tags |= {SHADOW: DUE} if is_shadowed else {}
    return Toss(is_local=False, is_shadowed=is_shadowed, propensity=propensity, tags=tags)
