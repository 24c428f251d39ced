"""The report's charts with one row per side, slice or metric: a dot, its interval, and perhaps a limit.

A row's drawing is as wide as its place, so that names stay readable on a telephone. Not covered: layout
(`templates/parts.html.j2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freehold.prove.report.sheet import Sheet
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


def sides(evidence: Sheet) -> Dots | None:
    """Both sides and the baselines: the share of right (or agreeing) answers with 95% intervals."""
    axis = share_axis(1.0, "", pieces=5)
    rows = []
    for place, side in enumerate(evidence.rows("sides")):
        decision, covered = side.text("decision"), side.number("coverage")
        moved = f" {share(covered)}" if decision == "move" and covered is not None else ""
        row = _row(side, axis, "share", style="own" if place == 1 else "plain")
        rows.append(_named(row, side.text("name"), f"{decision}{moved}"))
    return _dots(rows, axis)


def fields(evidence: Sheet) -> Dots | None:
    """Agreement on each JSON field, worst first, with 95% intervals."""
    axis = share_axis(1.0, "", pieces=5)
    return _dots([_row(row, axis, "share", style="own") for row in evidence.rows("fields")], axis)


def agreement(evidence: Sheet) -> Dots | None:
    """The share of right (or agreeing) answers in each slice, with intervals that hold for all slices at once."""
    axis = share_axis(1.0, "", pieces=5)
    rows = []
    for row in evidence.rows("slices"):
        if row.count("n"):
            ends = {"low": row.number("share_low"), "high": row.number("share_high")}
            drawn = Sheet({"share": row.number("share"), "n": row.number("n"), **ends})
            rows.append(_named(_row(drawn, axis, "share", style="own"), _slice_name(row), ""))
    return _dots(rows, axis)


def slices(evidence: Sheet) -> Dots | None:
    """Calls answered locally and wrong in each slice, with the bounds that its state rests on and the limit."""
    found = [row for row in evidence.rows("slices") if row.count("n")]
    limit = evidence.number("slice_limit")
    lowest = min((row.number("low") or 0.0 for row in found), default=0.0)
    tallest = max((row.number("high") or 0.0 for row in found), default=0.0)
    axis = span_axis(lowest, min(1.0, max(1.05 * tallest, 1.5 * (limit or 0.0))))
    rows = []
    for row in found:
        state = "withheld" if row.has("withheld") else row.text("state")
        drawn = _row(row, axis, "", value=_lost(row), style=state, limit=limit)
        rows.append(_named(drawn, _slice_name(row), state))
    return _dots(rows, axis, limit=limit, limit_name=f"limit {percent(limit)}")


def noise(evidence: Sheet) -> Dots | None:
    """The rented model's agreement with itself beside the owned model's agreement with it."""
    found = evidence.at("noise") if evidence.has("noise") else evidence.at("facts", "noise")
    n = found.number("n")
    if not n or found.number("agreement") is None:
        return None
    axis = share_axis(1.0, "", pieces=5)
    rented = Sheet({"name": "provider with itself", "share": found.at("agreement").value, "n": n, **_ends(found, "")})
    owned = Sheet(
        {
            "name": "owned with provider",
            "share": found.at("owned_agreement").value,
            "n": found.number("owned_n") or n,
            **_ends(found, "owned_"),
        }
    )
    rows = [_row(rented, axis, "share", style="plain")]
    if owned.number("share") is not None:
        rows.append(_row(owned, axis, "share", style="own"))
    return _dots(rows, axis)


def preferred(evidence: Sheet) -> Dots | None:
    """What people preferred, with the margin; beside it a judge's word, and both together, which decide nothing."""
    judged, powered = evidence.at("judged"), evidence.at("judged", "powered")
    margin = judged.number("margin") or evidence.number("settings", "margin") or 0.0
    if not judged.number("n") or judged.number("difference") is None:
        return None
    found = [_opinion("people", judged, "difference", "", judged.number("n"))]
    if judged.number("judge_mean") is not None:
        found.append(_opinion("the judge alone", judged, "judge_mean", "judge_", judged.number("judged")))
    if powered.number("mean") is not None:
        found.append(_opinion("people and judge (PPI++)", powered, "mean", "", judged.number("by_people")))
    axis = _around_zero(found, margin)
    state = "✓ shown" if judged.flag("is_certified") else "○ not shown"
    rows = [
        _named(
            _row(row, axis, "difference", style="plain" if place else "own", limit=-margin, is_signed=True),
            row.text("name"),
            "" if place else state,
        )
        for place, row in enumerate(found)
    ]
    return _dots(rows, axis, limit=-margin, limit_name=f"margin {points(-margin)}")


def metrics(evidence: Sheet) -> Dots | None:
    """Each metric's paired difference with its interval; the margin is the limit."""
    found = evidence.rows("metrics")
    margin = evidence.number("settings", "margin") or 0.0
    axis = _around_zero(found, margin)
    rows = []
    for row in found:
        is_certified = row.flag("is_certified")
        drawn = _row(row, axis, "difference", style="kept" if is_certified else "open", limit=-margin, is_signed=True)
        rows.append(_named(drawn, row.text("name"), "✓ shown" if is_certified else "○ not shown"))
    return _dots(rows, axis, limit=-margin, limit_name=f"margin {points(-margin)}")


def _row(
    row: Sheet,
    axis: Axis,
    key: str,
    *,
    style: str,
    value: float | None = None,
    limit: float | None = None,
    is_signed: bool = False,
) -> Row:
    middle = row.number(key) if value is None else value
    low, high = row.number("low"), row.number("high")
    words = interval(low, high, is_signed=is_signed)
    figure = points(middle) if is_signed else share(middle)
    svg = ""
    if middle is not None:
        ends = (middle if low is None else low, middle if high is None else high)
        known = style if style in _STYLES else "plain"
        svg = track(ends[0], middle, ends[1], axis=axis, style=known, limit=limit, says=f"{figure} {words}")
    name = one_line(row.text("name"))
    return Row(name=name, svg=svg, figure=figure, interval=words, n=number(row.number("n")), style=style)


def _opinion(name: str, found: Sheet, key: str, prefix: str, n: float | None) -> Sheet:
    return Sheet({"name": name, "difference": found.number(key), "n": n, **_ends(found, prefix)})


def _around_zero(rows: Sequence[Sheet], margin: float) -> Axis:
    """An axis of differences with 0 in the middle that holds all intervals and twice the margin."""
    ends = [value for row in rows for value in (row.number("low"), row.number("high")) if value is not None]
    reach = min(1.0, 1.1 * max(2 * margin, *map(abs, ends))) if ends else 1.0
    return span_axis(-reach, reach)


def _lost(row: Sheet) -> float:
    lost = row.number("lost")
    return row.count("wrong") / row.count("n") if lost is None else lost


def _slice_name(row: Sheet) -> str:
    return row.text("name").replace(":", " ", 1)


def _named(row: Row, name: str, state: str) -> Row:
    return Row(
        name=one_line(name),
        svg=row.svg,
        figure=row.figure,
        interval=row.interval,
        n=row.n,
        state=_STATES.get(state, one_line(state)),
        style=row.style,
    )


def _dots(rows: Sequence[Row], axis: Axis, *, limit: float | None = None, limit_name: str = "") -> Dots | None:
    if not rows:
        return None
    return Dots(rows=tuple(rows), scale=scale(axis, limit=limit, limit_name=limit_name))


def _ends(found: Sheet, prefix: str) -> dict[str, float | None]:
    return {"low": found.number(f"{prefix}low"), "high": found.number(f"{prefix}high")}
