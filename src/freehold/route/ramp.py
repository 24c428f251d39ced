"""Routes on the way to a cascade and back from one: shadows, canaries, their end, and rollback.

Not covered: how large a canary's share is and when it is done (`freehold.watch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from freehold.errors import DataError, UsageError
from freehold.model.model_card import ModelCard
from freehold.model.route import Route
from freehold.model.verdict import Verdict
from freehold.route.proposal import as_share, back

SLICES = "slices"
"""Who decides where evidence against some slices alone changes a route."""
RAMP = "ramp"
"""Who decides where a canary becomes a cascade."""
TEMPLATE = "template"
"""Who decides where requests stopped fitting for the sake of a value alone, and the template was widened for them."""
LEAST_CANARY_AUDITS = 0.5
"""A canary is there to be looked at: at least this share of its local answers is audited, and its ramp is so much
faster. The cascade that it becomes is audited at the rate that its route says."""


def shadow(
    old: Route,
    *,
    model: ModelCard,
    verdict: Verdict | None,
    output_kind: str,
    template: Mapping[str, Any],
    shadow_rate: float,
    created_at: float,
    max_output_tokens: int = 512,
) -> Route:
    """The route on which the provider answers everything and the owned model is compared, as the version after `old`.

    `verdict` is the newest on this model, whatever it says: its head gives the confidence, its threshold says what a
    cascade would have answered. DataError unless the model's parity was checked.
    """
    if not model.parity.get("is_ok"):
        reason = model.parity.get("reason") or "parity was never checked"
        raise DataError(f"Model {model.id} cannot be compared: {reason}.", hint="Train it again: freehold train TASK")
    if as_share("shadow rate", shadow_rate) == 0.0:
        raise UsageError("A shadow rate of 0 compares nothing.", hint="1.0 compares every call.")
    return Route(
        task_id=old.task_id,
        version=old.version + 1,
        kind="shadow",
        model_id=model.id,
        model_path=model.path,
        model_sha256=model.served_sha256,
        verdict_id=verdict.id if verdict else None,
        threshold=verdict.threshold if verdict else None,
        output_kind=output_kind,
        head=dict(verdict.head) if verdict else {},
        template=dict(template),
        risk=verdict.risk if verdict else None,
        contract=verdict.contract if verdict else "A",
        withheld=verdict.withheld if verdict else (),
        expected=dict(verdict.expected) if verdict else {},
        shadow_rate=shadow_rate,
        max_output_tokens=max_output_tokens,
        reason=f"shadow of model {model.id}",
        created_at=created_at,
    )


def canary(cascade: Route, *, harm: float, shadow_rate: float) -> Route:
    """The canary that begins at a share of nearly nothing and becomes this cascade; `harm` bounds excess failures."""
    if not 0.0 < harm <= 1.0:
        raise UsageError(f"The harm is {harm!r}, which is no share above 0.", hint="0.02 allows 2 in 100.")
    as_share("shadow rate", shadow_rate)
    return replace(cascade, kind="canary", harm=harm, shadow_rate=shadow_rate)


def least_audit_rate(route: Route) -> float:
    """The share of local answers that is audited whatever the evidence."""
    return max(route.audit_rate, LEAST_CANARY_AUDITS) if route.kind == "canary" else route.audit_rate


def ramped(route: Route, *, created_at: float, reason: str) -> Route:
    """The cascade that a canary becomes, as the next version."""
    return replace(
        route,
        version=route.version + 1,
        kind="cascade",
        shadow_rate=0.0,
        decided_by=RAMP,
        reason=reason,
        created_at=created_at,
    )


def withholding(route: Route, slices: Sequence[str], *, created_at: float, reason: str) -> Route:
    """The same route with more slices left to the provider, as the next version."""
    return replace(
        route,
        version=route.version + 1,
        withheld=tuple(dict.fromkeys((*route.withheld, *slices))),
        decided_by=SLICES,
        reason=reason,
        created_at=created_at,
    )


def relearnt(route: Route, template: Mapping[str, Any], *, created_at: float, reason: str) -> Route:
    """The same route with a template that takes out a value more, as the next version."""
    return replace(
        route,
        version=route.version + 1,
        template=dict(template),
        decided_by=TEMPLATE,
        reason=reason,
        created_at=created_at,
    )


def rolled_back(route: Route, *, created_at: float, reason: str) -> Route:
    """The route that evidence of harm makes of any other, as the next version."""
    return replace(back(route, created_at=created_at, reason=reason), decided_by="rollback")
