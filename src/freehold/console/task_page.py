"""What the page of one task shows: how its ramp went, how the evidence stands, its verdicts, every change of its route.

Not covered: endpoints (`console.pages`), the evidence itself (`watch.run.monitor_status`), calls and money
(`freehold status`).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from freehold.model import Route, Verdict
from freehold.pipeline.overview import TaskOverview
from freehold.pipeline.workspace import Workspace
from freehold.watch.run.monitor_status import Evidence, RampProgress

WIDTH, HEIGHT = 440.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 28.0, 40.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick of an axis: where it stands in the drawing, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RampDrawing:
    """The share of calls that the cascade decided, by pairs compared; `line` are the points of an SVG polyline."""

    line: str
    across: tuple[Mark, ...]
    down: tuple[Mark, ...]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One detector; `part` is how far its evidence has come on a log scale, from 0 to 1 where it takes action."""

    name: str
    part: float
    evidence: str
    patience: str
    tolerated: str
    observed: str
    has_alarmed: bool


def of_task(workspace: Workspace, view: TaskOverview) -> dict[str, object]:
    """The values of the template `task.html`."""
    ramp = view.standing.ramp if view.standing else None
    return {
        "view": view,
        "ramp": ramp_drawing(ramp) if ramp else None,
        "gauges": gauges(view),
        "verdicts": verdict_rows(workspace.store.registry.verdicts(view.task.id)),
        "routes": route_rows(workspace.store.registry.route_history(view.task.id)),
    }


def ramp_drawing(ramp: RampProgress) -> RampDrawing | None:
    """The ramp as it went; the share stays what it is until the next point. None before the first pair."""
    if ramp.pairs < 1:
        return None
    points: list[tuple[float, float]] = []
    for pairs, share in (*ramp.history, (ramp.pairs, ramp.share)):
        points += [(pairs, points[-1][1])] if points else []
        points.append((pairs, share))
    line = " ".join(f"{_across(x, ramp.pairs):g},{_down(y):g}" for x, y in points)
    mean = "unknown" if ramp.mean is None else f"{100 * ramp.mean:+.1f} points on average"
    return RampDrawing(
        line=line,
        across=tuple(Mark(_across(x, ramp.pairs), f"{x:,}") for x in sorted({0, ramp.pairs // 2, ramp.pairs})),
        down=tuple(Mark(_down(share), f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
        says=f"{ramp.share:.0%} of the calls after {ramp.pairs:,} pairs. The difference to the provider is {mean}; its"
        f" lower bound is {100 * ramp.low:+.1f} points, and all calls are moved once that is {-100 * ramp.harm:+.1f}.",
    )


def gauge(evidence: Evidence) -> Gauge:
    """How far one detector has come."""
    reached = max(evidence.evidence, 0.0) if math.isfinite(evidence.evidence) else evidence.patience
    part = math.log1p(reached) / math.log1p(evidence.patience) if evidence.patience > 0 else 0.0
    return Gauge(
        name=evidence.name,
        part=min(1.0, part),
        evidence=f"{reached:,.3g}" if reached < 1000 else f"{reached:,.0f}",
        patience=f"{evidence.patience:,.0f}",
        tolerated=f"{evidence.tolerated:.1%}",
        observed=f"{evidence.observed:,}",
        has_alarmed=evidence.has_alarmed,
    )


def verdict_rows(verdicts: list[Verdict]) -> list[dict[str, str]]:
    """Every verdict of the task, newest first."""
    return [
        {
            "id": verdict.id,
            "when": when(verdict.created_at),
            "decision": verdict.decision,
            "words": verdict.words,
            "local": f"{verdict.coverage:.0%}" if verdict.decision == "move" and verdict.coverage is not None else "-",
            "attempt": f"{verdict.attempt:,}",
            "model": verdict.model_id,
        }
        for verdict in verdicts
    ]


def route_rows(routes: list[Route]) -> list[dict[str, str]]:
    """Every change of the route, newest first."""
    return [
        {
            "version": f"{route.version:,}",
            "when": when(route.created_at),
            "kind": route.kind,
            "by": route.decided_by,
            "why": route.reason or "-",
        }
        for route in routes
    ]


def gauges(view: TaskOverview) -> list[Gauge]:
    """All detectors of the route, the nearest to action first."""
    found = [gauge(evidence) for evidence in view.standing.evidence] if view.standing else []
    return sorted(found, key=lambda one: -one.part)


def when(stamp: float) -> str:
    """A moment on this machine's clock, or `-` for none."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(stamp)) if stamp > 0 else "-"
    except (OverflowError, OSError, ValueError):
        return "-"


def _across(pairs: float, most: int) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * pairs / most, 1)


def _down(share: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(max(share, 0.0), 1.0), 1)
