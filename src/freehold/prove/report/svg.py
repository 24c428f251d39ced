"""The parts that the report's pictures are drawn with: a frame with two axes, and one row of a dot chart.

Everything is an SVG string whose colours come from the page's style sheet, so that it follows light, dark and print.
Texts are made harmless and escaped here. Not covered: what is drawn (`prove.report.pictures`, `prove.report.dots`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from freehold.prove.report.words import one_line

WIDTH, HEIGHT = 440.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 12.0, 30.0, 42.0
_NEAR = 15.0
_LETTER = 8.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, what its lines mean (style class and words), and what it shows in one sentence."""

    svg: str
    legend: tuple[tuple[str, str], ...]
    says: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its ends, its ticks (place and label) and its name."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    name: str

    def part(self, value: float) -> float:
        """Where a value lies between the ends, from 0 to 1; outside values lie on the nearest end."""
        width = self.high - self.low
        return min(max((value - self.low) / width, 0.0), 1.0) if width > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A box with two axes; its methods give SVG elements, `picture` puts them together."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The point in the drawing."""
        across = _LEFT + (WIDTH - _LEFT - _RIGHT) * self.x.part(x)
        down = HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * self.y.part(y)
        return round(across, 1), round(down, 1)

    def line(self, points: Sequence[tuple[float, float]], style: str) -> str:
        """A line through points."""
        drawn = " ".join(f"{across:g},{down:g}" for across, down in (self.place(x, y) for x, y in points))
        return f'<polyline class="{style}" points="{drawn}"/>'

    def area(self, points: Sequence[tuple[float, float]], style: str) -> str:
        """The area between a line and the bottom."""
        if not points:
            return ""
        return self.shape([(points[0][0], self.y.low), *points, (points[-1][0], self.y.low)], style)

    def shape(self, closed: Sequence[tuple[float, float]], style: str) -> str:
        """The area inside a closed line."""
        drawn = " ".join(f"{across:g},{down:g}" for across, down in (self.place(x, y) for x, y in closed))
        return f'<polygon class="{style}" points="{drawn}"/>'

    def dot(self, point: tuple[float, float], style: str) -> str:
        """A point of a curve that has no other, of which a line would show nothing."""
        across, down = self.place(*point)
        return f'<circle class="{style}" cx="{across:g}" cy="{down:g}" r="4"/>'

    def level(self, y: float, name: str, *, is_left: bool = False) -> str:
        """A dashed line across with its name at the right, or the left, end: above it, or below it under the top."""
        left, down = self.place(self.x.low, y)
        over = down - 6 if down - 6 > _TOP + 8 else down + 15
        return (
            f'<line class="level" x1="{left:g}" x2="{WIDTH - _RIGHT:g}" y1="{down:g}" y2="{down:g}"/>'
            f'<text class="level-name" text-anchor="{"start" if is_left else "end"}"'
            f' x="{left + 4 if is_left else WIDTH - _RIGHT:g}" y="{over:g}">{_text(name)}</text>'
        )

    def mark(self, x: float, y: float, name: str, *, is_above: bool = False) -> str:
        """A ring around a point with its name beside it, a little above or below it, inside the frame."""
        across, down = self.place(x, y)
        is_left = across + 10 + _LETTER * len(name) > WIDTH - _RIGHT
        beside = across - 10 if is_left else across + 10
        return (
            f'<circle class="marked" cx="{across:g}" cy="{down:g}" r="5"/>'
            f'<text class="mark-name" text-anchor="{"end" if is_left else "start"}" x="{beside:g}"'
            f' y="{down - 9 if is_above else min(down + 17, HEIGHT - _BOTTOM - 4):g}">{_text(name)}</text>'
        )

    def picture(self, title: str, says: str, body: Sequence[str], *, legend: Sequence[tuple[str, str]]) -> Picture:
        """The whole drawing with axes, a title and a description for those who cannot see it."""
        drawn = "".join((*self._grid(), *body))
        svg = (
            f'<svg class="plot" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{_text(title)}">'
            f"<title>{_text(title)}</title><desc>{_text(says)}</desc>{drawn}</svg>"
        )
        return Picture(svg=svg, legend=tuple(legend), says=says)

    def _grid(self) -> list[str]:
        bottom = HEIGHT - _BOTTOM
        drawn = [f'<text class="axis" x="2" y="12">{_text(self.y.name)}</text>']
        for value, label in self.y.ticks:
            left, down = self.place(self.x.low, value)
            drawn.append(f'<line class="grid" x1="{left:g}" x2="{WIDTH - _RIGHT:g}" y1="{down:g}" y2="{down:g}"/>')
            drawn.append(
                f'<text class="tick" text-anchor="end" x="{left - 5:g}" y="{down + 4:g}">{_text(label)}</text>'
            )
        for value, label in self.x.ticks:
            across, _ = self.place(value, self.y.low)
            anchor = "end" if across > WIDTH - _RIGHT - 14 else "middle"
            at = f'x="{across:g}" y="{bottom + 16:g}"'
            drawn.append(f'<text class="tick" text-anchor="{anchor}" {at}>{_text(label)}</text>')
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        at = f'x="{middle:g}" y="{HEIGHT - 7:g}"'
        drawn.append(f'<text class="axis" text-anchor="middle" {at}>{_text(self.x.name)}</text>')
        return drawn

    def parted(self, ticks: Sequence[tuple[float, str]], *, keep: float) -> tuple[tuple[float, str], ...]:
        """The ticks of the upright axis without those too near to the one at `keep` to be read."""
        _, kept = self.place(self.x.low, keep)
        return tuple((v, t) for v, t in ticks if v == keep or abs(self.place(self.x.low, v)[1] - kept) >= _NEAR)


def share_axis(high: float, name: str, *, pieces: int = 6) -> Axis:
    """An axis of shares from 0 to about `high`, with round steps."""
    top = min(max(high, 0.001), 1.0)
    steps = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    step = next((size for size in steps if top / size <= pieces), 0.25)
    ticks = tuple((i * step, f"{100 * i * step:g}%") for i in range(int(top / step + 1e-9) + 1))
    return Axis(0.0, top, ticks, name)


def span_axis(low: float, high: float) -> Axis:
    """An axis of shares that may begin under 0."""
    if low >= 0:
        return share_axis(high, "", pieces=5)
    step = next((size for size in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if (high - low) / size <= 6), 0.5)
    first, last = math.floor(low / step), math.ceil(high / step)
    return Axis(
        first * step, last * step, tuple((i * step, f"{100 * i * step:g}%") for i in range(first, last + 1)), ""
    )


def count_axis(high: float, name: str, *, pieces: int = 5) -> Axis:
    """An axis of counts from 0 to `high`, with round steps."""
    top = max(high, 1.0)
    step = next(m * 10**e for e in range(12) for m in (1, 2, 5) if top / (m * 10**e) <= pieces)
    return Axis(0.0, top, tuple((float(i * step), f"{i * step:,}") for i in range(int(top / step) + 1)), name)


def track(low: float, middle: float, high: float, *, axis: Axis, style: str, limit: float | None, says: str) -> str:
    """One row of a dot chart, as wide as its place: an interval, a dot, and perhaps the limit as an upright line."""
    start, end, dot = (100 * axis.part(value) for value in (low, high, middle))
    upright = ""
    if limit is not None:
        at = f"{100 * axis.part(limit):.2f}%"
        upright = f'<line class="level" x1="{at}" x2="{at}" y1="0" y2="20"/>'
    return (
        f'<svg class="track {style}" width="100%" height="20" role="img" aria-label="{_text(says)}">'
        f'<line class="rail" x1="0" x2="100%" y1="10" y2="10"/>{upright}'
        f'<rect class="span" x="{start:.2f}%" y="6.5" width="{max(end - start, 0.3):.2f}%" height="7" rx="2"/>'
        f'<circle class="dot" cx="{dot:.2f}%" cy="10" r="4.5"/></svg>'
    )


def scale(axis: Axis, *, limit: float | None = None, limit_name: str = "") -> str:
    """The ticks under the rows of a dot chart, and the limit's name."""
    drawn = []
    for value, label in axis.ticks:
        at = 100 * axis.part(value)
        anchor = "start" if at < 4 else "end" if at > 96 else "middle"
        drawn.append(f'<text class="tick" text-anchor="{anchor}" x="{at:.2f}%" y="13">{_text(label)}</text>')
    if limit is not None:
        at = 100 * axis.part(limit)
        anchor = "start" if at < 30 else "end" if at > 70 else "middle"
        drawn.append(f'<text class="level-name" text-anchor="{anchor}" x="{at:.2f}%" y="29">{_text(limit_name)}</text>')
    height = 34 if limit is not None else 18
    return f'<svg class="scale" width="100%" height="{height}" aria-hidden="true">{"".join(drawn)}</svg>'


def _text(words: str) -> str:
    return escape(one_line(words, 400))
