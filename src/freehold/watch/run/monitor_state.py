"""What is kept of a watch between two rounds: the evidence, how far the record was read for it, what receipts tell.

Not covered: reading the record and acting on the evidence (`watch.run.monitor`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from freehold.errors import StateError
from freehold.model.live import Live, at_first, is_news
from freehold.model.route import Route
from freehold.route import RAMP, SLICES, TEMPLATE
from freehold.settings import Settings
from freehold.store import Place, Store, WatchStep
from freehold.watch import Watch, new_watch, with_evidence, with_staleness
from freehold.watch.run.bounds import plan_of, proven_at


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorState:
    """A watch with where it is: `cursor` the last call folded, `rated` the last whose time for ratings is over.

    `strays` is the last of the calls that were found to be the task's only after they had been answered.

    `unreadable` counts answers that could not be compared, `restarts` how often evidence had to begin anew.
    """

    watch: Watch
    cursor: Place
    rated: Place
    strays: Place
    unreadable: int = 0
    restarts: int = 0

    def to_json(self) -> dict[str, object]:
        """What is written down; `read_kept` reads it."""
        return {
            "route_version": self.watch.route_version,
            "cursor": list(self.cursor),
            "rated": list(self.rated),
            "strays": list(self.strays),
            "unreadable": self.unreadable,
            "restarts": self.restarts,
            "watch": self.watch.to_json(),
        }


def read_kept(document: Mapping[str, object]) -> MonitorState | None:
    """What was kept of a watch; None where it cannot be read."""
    try:
        watch = document.get("watch")
        return MonitorState(
            watch=Watch.from_json(watch if isinstance(watch, dict) else {}),
            cursor=msgspec.convert(document.get("cursor"), tuple[float, str]),
            rated=msgspec.convert(document.get("rated"), tuple[float, str]),
            strays=msgspec.convert(document.get("strays"), tuple[float, str]),
            unreadable=_whole(document.get("unreadable")),
            restarts=_whole(document.get("restarts")),
        )
    except (StateError, msgspec.ValidationError):
        return None


def begun(store: Store, route: Route, settings: Settings) -> Watch:
    """The watch of a version of a route before its first call, with what is to be kept of what is watched now."""
    fresh = new_watch(route.task_id, route.version, plan_of(route, settings), sketch=route.baseline.inputs)
    document = store.watches.get(route.task_id).document
    kept = read_kept(document)
    if kept is None:
        return fresh
    version = kept.watch.route_version
    if route.decided_by in (SLICES, RAMP, TEMPLATE) and version == route.version - 1:
        return with_evidence(kept.watch, fresh)
    before = [one for one in store.registry.route_history(route.task_id) if one.version == version]
    is_same = any(one.verdict_id and one.verdict_id == route.verdict_id for one in before)
    return with_staleness(kept.watch, fresh) if is_same else fresh


def said_by_probes(document: Mapping[str, object], route: Route) -> tuple[str, ...]:
    """Why probes of the provider make the proof behind a route stale; nothing where they came before that proof."""
    probes = document.get("probes")
    found = probes if isinstance(probes, dict) else {}
    why, asked_at = found.get("changed"), found.get("asked_at")
    if not isinstance(why, str) or not why or not isinstance(asked_at, float):
        return ()
    return (why,) if asked_at > proven_at(route) else ()


def last_told(document: Mapping[str, object], route: Route) -> Live:
    """What receipts tell of a route so far: what was put, or what its watch last told."""
    try:
        told = msgspec.convert(document.get("told"), Live)
    except msgspec.ValidationError:
        return at_first(route)
    return told if (told.task_id, told.route_version) == (route.task_id, route.version) else at_first(route)


def step_of(watch: Watch, route: Route, told: Live, now: Live) -> WatchStep | None:
    """What receipts are to tell of a watch now, with its figures; None where it is no news."""
    if not is_news(told, now):
        return None
    seen = {
        "calls": watch.calls,
        "local": watch.local,
        "audited": watch.audited,
        "missing": watch.missing,
        "detectors": [{"name": d.name, "evidence": d.evidence, "patience": d.patience} for d in watch.detectors],
        "ramp": {"pairs": watch.ramp.pairs, "low": watch.ramp.low} if watch.ramp else None,
    }
    return WatchStep(route=route, told=told, now=now, seen=seen)


def restarts_of(document: Mapping[str, object]) -> int:
    """How often the evidence had begun anew, also of a watch that cannot be read."""
    return _whole(document.get("restarts"))


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
