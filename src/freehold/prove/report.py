"""Writes the report of a proof three times: text, JSON, and one HTML page that needs nothing else.

The page loads nothing from anywhere and runs no script; text from calls is escaped. Files are replaced whole, the JSON
last, so that a report with JSON is complete. Not covered: computing what is shown (`prove.evidence`, `prove.story`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from freehold.core.scoring import JsonValue
from freehold.core.verdict import Verdict
from freehold.errors import StateError
from freehold.prove.plot import Plot
from freehold.prove.story import Story, money

if TYPE_CHECKING:
    from jinja2 import Environment

_LONGEST_TEXT = 1200


def write_reports(
    verdict: Verdict, evidence: Mapping[str, JsonValue], story: Story, plots: Mapping[str, Plot | None], out_dir: Path
) -> Verdict:
    """Write report.html, report.txt and report.json; the verdict comes back with its evidence."""
    whole = replace(verdict, evidence=dict(evidence))
    pages = {
        "report.html": render("report.html.j2", whole, story, plots),
        "report.txt": render("report.txt.j2", whole, story, plots),
        "report.json": json.dumps({**asdict(whole), "words": whole.words}, ensure_ascii=False, indent=1) + "\n",
    }
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            _replace(out_dir / name, page)
    except OSError as error:
        raise StateError(
            f"The report could not be written to {str(out_dir)!r}: {error.strerror}.",
            hint="Free space, then prove again.",
        ) from error
    return whole


def render(template: str, verdict: Verdict, story: Story, plots: Mapping[str, Plot | None]) -> str:
    """One report as text; `template` is a file of this package's `templates`."""
    page = _environment().get_template(template)
    return page.render(verdict=verdict, e=verdict.evidence, story=story, plots=plots)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("freehold.prove"),
        autoescape=lambda name: name is not None and ".html" in name,  # noqa: S701 - off for the text report alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        share=_share, points=_points, money=money, clip=_clip, day=_day, number=_number, pad=_pad, level=_level
    )
    return environment


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f}%"


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:+.1f}"


def _level(value: float | None) -> str:
    """A confidence or probability."""
    return "none" if value is None else f"{value:.3f}" if value >= 0.001 else "any"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"


def _pad(value: object, width: int) -> str:
    """Left-aligned for a positive width, right-aligned for a negative one."""
    return f"{value!s:<{width}}" if width > 0 else f"{value!s:>{-width}}"


def _clip(text: str) -> str:
    """A long text cut, with how much is left out."""
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]} … ({len(text) - _LONGEST_TEXT:,} more characters)"


def _day(unix_s: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _replace(path: Path, text: str) -> None:
    """Write beside the file, force to disk, then take its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
