"""How the evidence on a route stands: share, audits, each detector, the ramp, and why it is stale or was taken back.

Figures as the watch keeps them, and the same in words. Not covered: watching (`watch.run.monitor`), what calls cost and
how long they took (`route.run.move`).
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

from freehold.model.live import as_of_now
from freehold.model.route import Route
from freehold.pipeline.workspace import Workspace
from freehold.route import SLICES, TEMPLATE
from freehold.store import WatchRow
from freehold.watch import SLICE, Detector, Watch, evidence_words, live_of
from freehold.watch.run.monitor_state import read_kept
from freehold.watch.run.prompt_replacement import said_beside

NAMES = {
    "contract": "harm",
    "harm": "harm in pairs",
    "validity": "invalid answers",
    "refusals": "refusals",
    "latency": "slowness",
    "feedback": "bad ratings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One detector: its evidence, the patience at which it takes the route back, and what it bears and has seen."""

    detector: str
    evidence: float
    patience: float
    tolerated: float
    observed: int
    has_alarmed: bool
    words: str

    @property
    def name(self) -> str:
        """The detector as people say it: `slice:label:refund` is slice label refund."""
        return self.detector.replace(":", " ", 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RampProgress:
    """How far a ramp is: pairs compared, their mean difference, its lower bound, and the share that follows."""

    pairs: int
    mean: float | None
    low: float
    share: float
    harm: float
    history: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorStatus:
    """How one version of a route stands; of a route that was taken back, how it stood then."""

    route_version: int
    share: float
    audit_rate: float
    stale: tuple[str, ...]
    calls: int
    local: int
    audited: int
    missing: int
    unusable: int
    unreadable: int
    restarts: int
    evidence: tuple[Evidence, ...]
    ramp: RampProgress | None

    @property
    def words(self) -> str:
        """The most evidence there is, in words. Example: `evidence of harm 12 of 73,000`."""
        if not self.evidence:
            return "nothing is watched: the route has no contract"
        return max(self.evidence, key=lambda e: e.evidence / e.patience).words

    def plain(self) -> dict[str, object]:
        """The standing as JSON-able values."""
        return asdict(self)


def monitor_status_of(workspace: Workspace, route: Route, row: WatchRow | None = None) -> MonitorStatus | None:
    """How a route stands, or stood when the watch took it back; None where nothing was watched yet.

    `row` is the watch's row where it was read already.
    """
    version = route.version - 1 if is_taken_back(route) else route.version
    document = (row or workspace.store.watches.get(route.task_id)).document
    kept = read_kept(document) if document.get("route_version") == version else None
    if kept is None:
        return None
    watch, now = kept.watch, time.time()
    live = live_of(watch, now=now, also=said_beside(workspace.store, route, document, now))
    return MonitorStatus(
        route_version=version,
        share=live.share,
        audit_rate=live.audit_rate,
        stale=live.stale,
        calls=watch.calls,
        local=watch.local,
        audited=watch.audited,
        missing=watch.missing,
        unusable=watch.unusable,
        unreadable=kept.unreadable,
        restarts=kept.restarts,
        evidence=tuple(_evidence(detector) for detector in watch.detectors),
        ramp=_progress(watch),
    )


def is_taken_back(route: Route) -> bool:
    """Whether evidence, and no person, returned this task to the provider."""
    return route.kind == "rented" and route.decided_by == "rollback"


def _named(detector: str) -> str:
    if detector.startswith(SLICE):
        return f"harm in {detector.removeprefix(SLICE)}"
    return NAMES.get(detector, detector)


def route_words(route: Route, standing: MonitorStatus | None) -> str:
    """The route as it is now, in two words. Example: `canary 33%`."""
    if route.kind != "canary":
        return "rolled back" if is_taken_back(route) else route.kind
    share = standing.share if standing is not None else as_of_now(route, None)[1]
    return f"canary {share:.0%}"


def remarks(route: Route, standing: MonitorStatus | None) -> list[str]:
    """What there is to say about a route beside its figures, one line each."""
    if is_taken_back(route):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(route.created_at))
        return [f"rolled back {when}: {route.reason}"]
    if route.kind == "rented":
        return []
    if standing is None:
        return ["not watched yet"]
    if route.decided_by == SLICES:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(route.created_at))
        return [f"withheld {when}: {route.reason}", *remarks(replace(route, decided_by=""), standing)]
    if route.decided_by == TEMPLATE:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(route.created_at))
        return [f"template relearned {when}: {route.reason}", *remarks(replace(route, decided_by=""), standing)]
    lines = [f"{standing.words}; audits {standing.audit_rate:.1%} of local answers"]
    if standing.ramp is not None:
        ramp = standing.ramp
        mean = "none yet" if ramp.mean is None else f"{ramp.mean:+.1%} on average"
        lines.append(
            f"ramp {ramp.share:.0%} after {ramp.pairs:,} pairs: difference {mean}, at least {ramp.low:+.1%};"
            f" 100% at {-ramp.harm:+.1%}"
        )
    if standing.missing or standing.unreadable:
        lines.append(f"{standing.missing:,} audits are missing, {standing.unreadable:,} answers could not be compared")
    if standing.restarts:
        lines.append(f"evidence began anew {standing.restarts} times: a clock went back, or what was kept was damaged")
    return lines + [f"stale: {reason}" for reason in standing.stale]


def _evidence(detector: Detector) -> Evidence:
    return Evidence(
        detector=detector.name,
        evidence=detector.evidence,
        patience=detector.patience,
        tolerated=detector.tolerated,
        observed=detector.observed,
        has_alarmed=detector.alarm,
        words=f"evidence of {_named(detector.name)} {evidence_words(detector)}",
    )


def _progress(watch: Watch) -> RampProgress | None:
    ramp = watch.ramp
    if ramp is None:
        return None
    return RampProgress(
        pairs=ramp.pairs, mean=ramp.mean, low=ramp.low, share=ramp.share, harm=ramp.harm, history=ramp.history
    )
