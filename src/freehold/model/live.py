"""What live evidence sets on a route while it holds, what running gateways follow, and when that is worth a receipt.

Not covered: how evidence becomes these figures (`freehold.watch`), where they are kept (`store`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from freehold.model.route import Route

_SHARE_FACTOR = 2.0
_AUDIT_FACTOR = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The figures that hold for one version of a task's route now.

    `share` is the share of calls that the cascade may answer (1 but for a canary). `audit_rate` is that of the route or
    more. `stale` says in words why the evidence behind the route is no longer what it was; empty while it is.
    """

    task_id: str
    route_version: int
    share: float = 1.0
    audit_rate: float = 0.0
    stale: tuple[str, ...] = ()


def as_of_now(route: Route, live: Live | None) -> tuple[Route, float]:
    """The route with the audit rate of now, and the share of calls that may be answered locally.

    Figures of another version count for nothing: a canary begins at 0, every other route at 1.
    """
    first = 0.0 if route.kind == "canary" else 1.0
    if live is None or (live.task_id, live.route_version) != (route.task_id, route.version):
        return route, first
    return replace(route, audit_rate=max(route.audit_rate, live.audit_rate)), live.share


def at_first(route: Route) -> Live:
    """The figures of a version of a route before anything was seen of it."""
    share = (route.harm or 0.0) if route.kind == "canary" else 1.0
    return Live(task_id=route.task_id, route_version=route.version, share=share, audit_rate=route.audit_rate)


def is_news(told: Live, now: Live) -> bool:
    """Whether figures differ enough from those last told to get a receipt.

    Evidence moves with every call; a receipt for each step would bury those that matter. News is a ramp's share twice
    or half of what was told, an audit rate four times or a quarter of it (a good model has one in 300 audits or more,
    as simulated), and a stale proof's other reason. The end of a ramp is a version of the route and told as such.
    Example: a share of 2% is told again at 4%; 12% of 13% is no news.
    """
    is_ramped = now.share < 1 and _differs(told.share, now.share, factor=_SHARE_FACTOR)
    is_audited = _differs(told.audit_rate, now.audit_rate, factor=_AUDIT_FACTOR)
    return is_ramped or is_audited or _kinds(told.stale) != _kinds(now.stale)


def _differs(one: float, other: float, *, factor: float) -> bool:
    low, high = sorted((one, other))
    return high >= factor * low and high > low


def _kinds(reasons: tuple[str, ...]) -> set[str]:
    """What reasons are about, without their figures, which change from call to call."""
    return {reason.partition(":")[0] for reason in reasons}
