"""The bounds that a route is watched against: what its verdict promised and expected, and what the settings bear.

Fixed when a version of a route is first seen, and kept with its evidence. Also, which tasks are the same one with an
edited prompt. Not covered: the watch itself (`watch`).
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.model.route import Route
from freehold.model.task import Task
from freehold.route import least_audit_rate
from freehold.settings import Settings
from freehold.sort import is_edited
from freehold.text.prompts.template import Template
from freehold.watch import Plan, tolerated_share

_MOST_SHARE = 0.99


def plan_of(route: Route, settings: Settings) -> Plan:
    """The plan for a route; `settings` are those of its task.

    Pairs of a canary are held against the proven risk, too: what is shown to be worse on calls that the provider
    answered need not be tried on more. A shadow shows how a ramp would go.
    """
    number = settings.number
    harm = {"canary": route.harm or number("route.harm"), "shadow": number("route.harm")}.get(route.kind)
    risk = _risk(route)
    return Plan(
        contract=route.contract,
        risk=risk,
        margin=risk if route.kind == "canary" else None,
        invalid=tolerated_share(route.baseline.invalid_share or 0.0, least=number("watch.invalid_share")),
        refused=tolerated_share(route.baseline.refusal_share or 0.0, least=number("watch.refusal_share")),
        slow=None if slow_ms(route, settings) is None else number("watch.slow_share"),
        bad=number("watch.unhappy_share") if number("watch.feedback_wait_s") > 0 else None,
        base_rate=least_audit_rate(route),
        patience=number("watch.patience"),
        call_patience=number("watch.call_patience"),
        harm=harm,
        alpha=number("prove.alpha"),
        evidence_at=evidence_at(route),
        valid_days=number("watch.valid_days") or None,
        models=route.baseline.models,
        fingerprints=route.baseline.fingerprints,
        slices=() if route.kind == "shadow" else _slices(route),
    )


def evidence_at(route: Route) -> float:
    """When the newest call came that the proof behind a route rests on."""
    newest = route.baseline.newest_call_at
    return proven_at(route) if newest is None else newest


def slow_ms(route: Route, settings: Settings) -> float | None:
    """From when on an owned answer is slow; None where nothing says so."""
    own = settings.number("watch.slow_ms")
    if own:
        return own
    seen_ms = route.baseline.owned_p95_ms
    return seen_ms * settings.number("watch.slow_factor") if seen_ms else None


def edited(route: Route, tasks: Sequence[Task]) -> tuple[str, ...]:
    """The tasks that came up after the proof with a prompt that is an edited version of the one that was proven."""
    template = Template.from_json(route.template)
    return tuple(task.id for task in came_later(route, tasks) if is_edited(template, task.template))


def came_later(route: Route, tasks: Sequence[Task]) -> list[Task]:
    """The other tasks whose first call came after the proof."""
    return [task for task in tasks if task.id != route.task_id and task.created_at > proven_at(route)]


def _risk(route: Route) -> float | None:
    """The share of audited calls that may be unlike the provider's; None where that can tell nothing.

    A model was shown to be no worse while it differed from the provider in some share of the calls
    (`prove.tolerated_disagreement`): that share is no alarm, and where nearly all answers differ, as in free text,
    there is none to be had from audits.
    """
    if route.risk is None or route.risk <= 0:
        return None
    differing = route.baseline.differing_share
    risk = route.risk + (differing or 0.0)
    if risk > _MOST_SHARE and differing is not None:
        return None
    return min(risk, _MOST_SHARE)


def proven_at(route: Route) -> float:
    """When the proof behind a route was made; of one whose verdict does not say, when the route was put."""
    return route.created_at if route.baseline.created_at is None else route.baseline.created_at


def _slices(route: Route) -> tuple[tuple[str, float], ...]:
    """The slices that the proof judged and that are answered locally, each with what it may bear."""
    shares = [(name, share) for name, share in route.baseline.slices.items() if name not in route.withheld]
    return tuple((name, share) for name, share in shares if 0 < share < 1)
