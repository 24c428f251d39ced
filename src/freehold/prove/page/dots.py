"""The report's charts with one row per side, slice or metric: a dot, its interval, and perhaps a limit.

A row's drawing is as wide as its place, so that names stay readable on a telephone. Not covered: layout
(`templates/parts.html.j2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freehold.prove.page.sheet import Sheet
from freehold.prove.page.svg import Axis, scale, share_axis, track
from freehold.prove.page.words import interval, number, one_line, points, share

_STATES = {"kept": "✓ kept", "broken": "✕ broken", "open": "○ open"}


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
    rows = [
        _row(side, axis, "share", style="own" if place == 1 else "plain")
        for place, side in enumerate(evidence.rows("sides"))
    ]
    return _dots(rows, axis)


def agreement(evidence: Sheet) -> Dots | None:
    """Agreement in each part of the traffic, with intervals that hold for all parts at once."""
    axis = share_axis(1.0, "", pieces=5)
    rows = [_row(row, axis, "share", style="own") for row in evidence.rows("agreement_by", "rows")]
    return _dots(rows, axis)


def slices(evidence: Sheet) -> Dots | None:
    """Calls answered locally and wrong in each slice, with the bounds that its state rests on and the limit."""
    found = evidence.rows("slices")
    limit = evidence.number("slice_risk") or evidence.number("settings", "slice_risk")
    limit = limit or 2 * (evidence.number("settings", "risk") or 0.0) or None
    tallest = max((row.number("high") or 0.0 for row in found), default=0.0)
    axis = share_axis(min(1.0, max(1.05 * tallest, 1.5 * (limit or 0.0))), "", pieces=5)
    rows = []
    for row in found:
        local_wrong = (row.number("wrong") or 0.0) / max(row.number("n") or 1.0, 1.0)
        state = row.text("state")
        shown = _row(row, axis, "", value=local_wrong, style=state if state in _STATES else "plain", limit=limit)
        kind, name = row.text("kind"), row.text("name")
        whole = name if not kind or name.startswith(f"{kind}:") else f"{kind}: {name}"
        rows.append(_named(shown, whole.replace(":", ": ", 1) if ": " not in whole else whole, state))
    return _dots(rows, axis, limit=limit, limit_name=f"limit {share(limit)}")


def noise(evidence: Sheet) -> Dots | None:
    """The rented model's agreement with itself beside the owned model's agreement with it."""
    found = evidence.at("noise")
    n = found.number("n")
    if not n or found.number("agreement") is None:
        return None
    axis = share_axis(1.0, "", pieces=5)
    rented = Sheet({"name": "provider with itself", "share": found.at("agreement").value, "n": n, **_ends(found, "")})
    owned = Sheet(
        {"name": "owned with provider", "share": found.at("owned_agreement").value, "n": n, **_ends(found, "owned_")}
    )
    return _dots([_row(rented, axis, "share", style="plain"), _row(owned, axis, "share", style="own")], axis)


def metrics(evidence: Sheet) -> Dots | None:
    """Each metric's paired difference with its interval; the margin is the limit."""
    found = evidence.rows("metrics")
    margin = evidence.number("settings", "margin") or 0.0
    ends = [value for row in found for value in (row.number("low"), row.number("high")) if value is not None]
    reach = min(1.0, 1.1 * max(2 * margin, *map(abs, ends))) if ends else 1.0
    ticks = ((-reach, points(-reach)), (0.0, "0"), (reach, points(reach)))
    axis = Axis(-reach, reach, ticks, "")
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
        svg = track(ends[0], middle, ends[1], axis=axis, style=style, limit=limit, says=f"{figure} {words}")
    name = one_line(row.text("name"))
    return Row(name=name, svg=svg, figure=figure, interval=words, n=number(row.number("n")), style=style)


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
