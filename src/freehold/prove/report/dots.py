"""The report's charts with one row per side, slice or metric: a dot, its interval, and perhaps a limit.

A row's drawing is as wide as its place, so that names stay readable on a telephone. Not covered: layout
(`templates/parts.html.j2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freehold.model.evidence.answers import SliceFigures
from freehold.model.evidence.evidence import Evidence
from freehold.prove.report.svg import Axis, scale, share_axis, span_axis, track
from freehold.prove.report.words import interval, number, one_line, percent, points, share

_STATES = {"kept": "✓ kept", "broken": "✕ broken", "open": "○ open", "withheld": "■ withheld"}
_STYLES = {"own", "plain", *_STATES}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, its drawing, its figure and interval in words, n, and a state in words (empty: none)."""

    name: str
    svg: str
    figure: str
    interval: str
    n: str
    state: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Dots:
    """A chart of rows above one scale."""

    rows: tuple[Row, ...]
    scale: str


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one row shows: a value with its interval, of `n` calls; None is unknown."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: float | None


def sides(evidence: Evidence) -> Dots | None:
    """Both sides and the baselines: the share of right (or agreeing) answers with 95% intervals."""
    axis = share_axis(1.0, "", pieces=5)
    rows = []
    for place, side in enumerate(evidence.sides):
        moved = f" {share(side.coverage)}" if side.decision == "move" and side.coverage is not None else ""
        measured = _Measured(side.name, side.share, side.low, side.high, side.n)
        state = f"{side.decision}{moved}"
        rows.append(_row(measured, axis, style="own" if place == 1 else "plain", state=state))
    return _dots(rows, axis)


def fields(evidence: Evidence) -> Dots | None:
    """Agreement on each JSON field, worst first, with 95% intervals."""
    axis = share_axis(1.0, "", pieces=5)
    found = [_Measured(row.name, row.share, row.low, row.high, row.n) for row in evidence.fields]
    return _dots([_row(row, axis, style="own") for row in found], axis)


def agreement(evidence: Evidence) -> Dots | None:
    """The share of right (or agreeing) answers in each slice, with intervals that hold for all slices at once."""
    axis = share_axis(1.0, "", pieces=5)
    rows = []
    for row in evidence.slices:
        if row.n:
            measured = _Measured(_slice_name(row), row.share, row.share_low, row.share_high, row.n)
            rows.append(_row(measured, axis, style="own"))
    return _dots(rows, axis)


def slices(evidence: Evidence) -> Dots | None:
    """Calls answered locally and wrong in each slice, with the bounds that its state rests on and the limit."""
    found = [row for row in evidence.slices if row.n]
    limit = evidence.slice_limit
    lowest = min((row.low or 0.0 for row in found), default=0.0)
    tallest = max((row.high or 0.0 for row in found), default=0.0)
    axis = span_axis(lowest, min(1.0, max(1.05 * tallest, 1.5 * (limit or 0.0))))
    rows = []
    for row in found:
        state = "withheld" if row.withheld else row.state
        measured = _Measured(_slice_name(row), _lost(row), row.low, row.high, row.n)
        rows.append(_row(measured, axis, style=state, state=state, limit=limit))
    return _dots(rows, axis, limit=limit, limit_name=f"limit {percent(limit)}")


def noise(evidence: Evidence) -> Dots | None:
    """The rented model's agreement with itself beside the owned model's agreement with it."""
    found = evidence.self_consistency
    if not found.n or found.agreement is None:
        return None
    axis = share_axis(1.0, "", pieces=5)
    rented = _Measured("provider with itself", found.agreement, found.low, found.high, found.n)
    rows = [_row(rented, axis, style="plain")]
    if found.owned_agreement is not None:
        n = found.owned_n or found.n
        owned = _Measured("owned with provider", found.owned_agreement, found.owned_low, found.owned_high, n)
        rows.append(_row(owned, axis, style="own"))
    return _dots(rows, axis)


def preferred(evidence: Evidence) -> Dots | None:
    """What people preferred, with the margin; beside it a judge's word, and both together, which decide nothing."""
    judged = evidence.judged
    if judged is None or not judged.n or judged.difference is None:
        return None
    margin, powered = judged.margin or evidence.settings.margin or 0.0, judged.powered
    found = [_Measured("people", judged.difference, judged.low, judged.high, judged.n)]
    if judged.judge_mean is not None:
        ends = judged.judge_low, judged.judge_high
        found.append(_Measured("the judge alone", judged.judge_mean, *ends, judged.judged))
    if powered is not None and powered.mean is not None:
        name = "people and judge (PPI++)"
        found.append(_Measured(name, powered.mean, powered.low, powered.high, judged.by_people))
    axis = _around_zero(found, margin)
    state = "✓ shown" if judged.is_certified else "○ not shown"
    rows = [
        _row(row, axis, style="plain" if place else "own", state="" if place else state, limit=-margin, is_signed=True)
        for place, row in enumerate(found)
    ]
    return _dots(rows, axis, limit=-margin, limit_name=f"margin {points(-margin)}")


def metrics(evidence: Evidence) -> Dots | None:
    """Each metric's paired difference with its interval; the margin is the limit."""
    margin = evidence.settings.margin or 0.0
    found = [_Measured(row.name, row.difference, row.low, row.high, row.n) for row in evidence.metrics]
    axis = _around_zero(found, margin)
    rows = []
    for row, measured in zip(evidence.metrics, found, strict=True):
        style, state = ("kept", "✓ shown") if row.is_certified else ("open", "○ not shown")
        rows.append(_row(measured, axis, style=style, state=state, limit=-margin, is_signed=True))
    return _dots(rows, axis, limit=-margin, limit_name=f"margin {points(-margin)}")


def _row(
    row: _Measured,
    axis: Axis,
    *,
    style: str,
    state: str = "",
    limit: float | None = None,
    is_signed: bool = False,
) -> Row:
    low, middle, high = row.low, row.value, row.high
    words = interval(low, high, is_signed=is_signed)
    figure = points(middle) if is_signed else share(middle)
    svg = ""
    if middle is not None:
        ends = (middle if low is None else low, middle if high is None else high)
        known = style if style in _STYLES else "plain"
        svg = track(ends[0], middle, ends[1], axis=axis, style=known, limit=limit, says=f"{figure} {words}")
    return Row(
        name=one_line(row.name),
        svg=svg,
        figure=figure,
        interval=words,
        n=number(row.n),
        state=_STATES.get(state, one_line(state)),
        style=style,
    )


def _around_zero(rows: Sequence[_Measured], margin: float) -> Axis:
    """An axis of differences with 0 in the middle that holds all intervals and twice the margin."""
    ends = [value for row in rows for value in (row.low, row.high) if value is not None]
    reach = min(1.0, 1.1 * max(2 * margin, *map(abs, ends))) if ends else 1.0
    return span_axis(-reach, reach)


def _lost(row: SliceFigures) -> float:
    return row.wrong / (row.n or 1) if row.lost is None else row.lost


def _slice_name(row: SliceFigures) -> str:
    return row.name.replace(":", " ", 1)


def _dots(rows: Sequence[Row], axis: Axis, *, limit: float | None = None, limit_name: str = "") -> Dots | None:
    if not rows:
        return None
    return Dots(rows=tuple(rows), scale=scale(axis, limit=limit, limit_name=limit_name))
