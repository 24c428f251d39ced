"""The report's rows of figures with their intervals: sides and slices with a drawing, the others without one.

A row's drawing is a dot, its interval, and perhaps a limit, as wide as its place, so that names stay readable on a
telephone. Not covered: layout (`templates/parts.html.j2`).
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
    """One row: its name, its drawing, its figure and interval in words, n, and a state in words (empty: none).

    `beside` is a second figure with its interval.
    """

    name: str
    svg: str
    figure: str
    interval: str
    n: str
    state: str = ""
    style: str = ""
    beside: str = ""


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
    """Both sides and the baselines: the share of right (or agreeing) answers with 95% intervals.

    Where the provider was asked again, its agreement with itself stands below them (`noise`).
    """
    axis = share_axis(1.0, "", pieces=5)
    rows = []
    for place, side in enumerate(evidence.sides):
        moved = f" {share(side.coverage)}" if side.decision == "move" and side.coverage is not None else ""
        measured = _Measured(side.name, side.share, side.low, side.high, side.n)
        state = f"{side.decision}{moved}"
        rows.append(_row(measured, axis, style="own" if place == 1 else "plain", state=state))
    return _dots([*rows, *noise(evidence)], axis)


def noise(evidence: Evidence) -> tuple[Row, ...]:
    """The provider's agreement with itself, and beside it the owned model's with the provider."""
    found = evidence.self_consistency
    if not found.n or found.agreement is None:
        return ()
    axis = share_axis(1.0, "", pieces=5)
    rented = _Measured("provider with itself", found.agreement, found.low, found.high, found.n)
    rows = [_row(rented, axis, style="plain")]
    if found.owned_agreement is not None:
        n = found.owned_n or found.n
        owned = _Measured("owned with provider", found.owned_agreement, found.owned_low, found.owned_high, n)
        rows.append(_row(owned, axis, style="plain"))
    return tuple(rows)


def slices(evidence: Evidence) -> Dots | None:
    """Calls answered locally and wrong in each slice, with the bounds that its state rests on and the limit.

    Beside it the share of right (or agreeing) answers, whoever would have answered.
    """
    found = [row for row in evidence.slices if row.n]
    limit = evidence.slice_limit
    lowest = min((row.low or 0.0 for row in found), default=0.0)
    tallest = max((row.high or 0.0 for row in found), default=0.0)
    axis = span_axis(lowest, min(1.0, max(1.05 * tallest, 1.5 * (limit or 0.0))))
    rows = []
    for row in found:
        state = "withheld" if row.withheld else row.state
        measured = _Measured(_slice_name(row), _lost(row), row.low, row.high, row.n)
        right = f"{share(row.share)} {interval(row.share_low, row.share_high)}"
        rows.append(_row(measured, axis, style=state, state=state, limit=limit, beside=right))
    return _dots(rows, axis, limit=limit, limit_name=f"limit {percent(limit)}")


def fields(evidence: Evidence) -> tuple[Row, ...]:
    """Agreement on each JSON field, worst first, with 95% intervals; rows without a drawing."""
    return tuple(_row(_Measured(row.name, row.share, row.low, row.high, row.n)) for row in evidence.fields)


def preferred(evidence: Evidence) -> tuple[Row, ...]:
    """What people preferred; below it a judge's word, and both together, which decide nothing."""
    judged = evidence.judged
    if judged is None or not judged.n or judged.difference is None:
        return ()
    state = "✓ shown" if judged.is_certified else "○ not shown"
    people = _Measured("people", judged.difference, judged.low, judged.high, judged.n)
    rows = [_row(people, state=state, is_signed=True)]
    if judged.judge_mean is not None:
        ends = judged.judge_low, judged.judge_high
        rows.append(_row(_Measured("the judge alone", judged.judge_mean, *ends, judged.judged), is_signed=True))
    powered = judged.powered
    if powered is not None and powered.mean is not None:
        name = "people and judge (PPI++)"
        both = _Measured(name, powered.mean, powered.low, powered.high, judged.by_people)
        rows.append(_row(both, is_signed=True))
    return tuple(rows)


def metrics(evidence: Evidence) -> tuple[Row, ...]:
    """Each metric's paired difference with its interval, and whether it is within the margin."""
    rows = []
    for row in evidence.metrics:
        style, state = ("kept", "✓ shown") if row.is_certified else ("open", "○ not shown")
        measured = _Measured(row.name, row.difference, row.low, row.high, row.n)
        rows.append(_row(measured, style=style, state=state, is_signed=True))
    return tuple(rows)


def _row(
    row: _Measured,
    axis: Axis | None = None,
    *,
    style: str = "",
    state: str = "",
    limit: float | None = None,
    is_signed: bool = False,
    beside: str = "",
) -> Row:
    low, middle, high = row.low, row.value, row.high
    words = interval(low, high, is_signed=is_signed)
    figure = points(middle) if is_signed else share(middle)
    svg = ""
    if middle is not None and axis is not None:
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
        beside=beside,
    )


def _lost(row: SliceFigures) -> float:
    return row.wrong / (row.n or 1) if row.lost is None else row.lost


def _slice_name(row: SliceFigures) -> str:
    return row.name.replace(":", " ", 1)


def _dots(rows: Sequence[Row], axis: Axis, *, limit: float | None = None, limit_name: str = "") -> Dots | None:
    if not rows:
        return None
    return Dots(rows=tuple(rows), scale=scale(axis, limit=limit, limit_name=limit_name))
