"""Coordinates for the report's two drawings: coverage against risk, and the path of the evidence.

Pure geometry in a box of WIDTH by HEIGHT; the template draws it as inline SVG. Not covered: colours, text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.prove.cascade import Cascade
from freehold.prove.decide import Paired
from freehold.prove.tables import curve_points

WIDTH, HEIGHT = 640.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 20.0, 12.0, 34.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis: where it is and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines as SVG point lists, a level line, and perhaps a marked point."""

    lines: tuple[str, ...]
    level: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marked: tuple[float, float] | None
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True, slots=True)
class _Axes:
    x_max: float
    y_min: float
    y_max: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (WIDTH - _LEFT - _RIGHT) * x / self.x_max
        down = min(max((self.y_max - y) / (self.y_max - self.y_min), 0.0), 1.0)
        return round(across, 1), round(_TOP + (HEIGHT - _TOP - _BOTTOM) * down, 1)

    def line(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in (self.place(*point) for point in points))


def cascade_plot(cascade: Cascade, *, risk: float) -> Plot | None:
    """Share answered locally (x) against the share local and wrong (y): the bound, then what was seen."""
    points = curve_points(cascade)
    if not points:
        return None
    n = cascade.n
    tallest = max(min(1.0, max(point.upper for point in points)), risk * 1.5)
    axes = _Axes(1.0, 0.0, min(tallest * 1.05, max(risk * 6, 0.3)))
    chosen = cascade.chosen
    return Plot(
        lines=(
            axes.line([(p.local / n, p.upper) for p in points]),
            axes.line([(0.0, 0.0), *((p.local / n, p.wrong / n) for p in points)]),
        ),
        level=axes.place(0, risk)[1],
        x_ticks=tuple(Tick(at=axes.place(x / 5, 0)[0], label=f"{x * 20}%") for x in range(6)),
        y_ticks=tuple(Tick(at=axes.place(0, y)[1], label=f"{y:.0%}") for y in _steps(axes.y_max)),
        marked=axes.place(chosen.local / n, chosen.upper) if chosen else None,
    )


def evidence_plot(paired: Paired) -> Plot | None:
    """Users bet on (x) against the evidence ln K (y), with the goal as the level."""
    path = paired.log_wealth
    if not path:
        return None
    step = max(1, math.ceil(len(path) / 300))
    places = sorted({*range(0, len(path), step), len(path) - 1})
    goal = paired.log_goal
    lowest = max(min(0.0, *path), -2 * goal)
    axes = _Axes(float(len(path)), lowest - 0.2, max(goal * 1.2, min(max(path), goal * 2)))
    decided = paired.decided_at
    return Plot(
        lines=(axes.line([(0.0, 0.0), *((i + 1.0, path[i]) for i in places)]),),
        level=axes.place(0, goal)[1],
        x_ticks=tuple(Tick(at=axes.place(x, 0)[0], label=f"{x:,.0f}") for x in _quarters(len(path))),
        y_ticks=tuple(Tick(at=axes.place(0, y)[1], label=f"{math.exp(y):.3g}") for y in (0.0, goal / 2, goal)),
        marked=axes.place(decided, path[decided - 1]) if decided else None,
    )


def _steps(highest: float) -> list[float]:
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if highest / s <= 6), 0.25)
    return [i * step for i in range(int(highest / step) + 1)]


def _quarters(n: int) -> list[int]:
    return sorted({0, *(round(n * q / 4) for q in range(1, 5))})
