"""What live evidence sets on a route while it holds, and what running gateways follow.

Not covered: how evidence becomes these figures (`freehold.watch`), where they are kept (`store`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from freehold.core.route import Route


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
