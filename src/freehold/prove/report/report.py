"""Writes the report of a proof three times, each from the verdict alone: text, JSON, and one HTML page.

The page loads nothing from anywhere and runs no script. Whatever stands in a call, an answer or a setting is made
harmless (`page.words.visible`) and escaped, by the environment itself, so that no template can forget it; what is too
much for a page is cut with a count. Files are replaced whole, the JSON last, so that a report with JSON is complete.

Not covered: figures (`prove.evidence`), sentences (`prove.report.summary`, `prove.report.methods`), pictures
(`prove.report.pictures`).
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from freehold.errors import StateError
from freehold.model.verdict import Verdict
from freehold.prove.report import differences, dots, pictures, traffic, words
from freehold.prove.report.basis import basis
from freehold.prove.report.methods import state
from freehold.prove.report.references import GLOSSARY
from freehold.prove.report.sheet import Sheet
from freehold.prove.report.summary import tell
from freehold.system.files import write_whole

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_SHOWN = 25
_MOST_SHOWN_CHARS = 400_000
_MOST_SHOWN_ROWS = 40
_LONGEST_FACT = 200
_LONGEST_TEXT = 4000
_TEXT_WIDTH = 80


def write_reports(verdict: Verdict, out_dir: Path) -> Verdict:
    """Write report.html, report.txt and report.json; the verdict comes back with its story in the evidence."""
    story = tell(verdict, Sheet(verdict.evidence))
    told = json.loads(json.dumps(asdict(story), ensure_ascii=False))
    whole = replace(verdict, evidence={**verdict.evidence, "story": told})
    pages = {
        "report.html": render("report.html.j2", whole),
        "report.txt": render("report.txt.j2", whole),
        "report.json": json.dumps({**asdict(whole), "words": whole.words}, ensure_ascii=False, indent=1) + "\n",
    }
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            write_whole(out_dir / name, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise StateError(
            f"The report could not be written to {str(out_dir)!r}: {error.strerror}.",
            hint="Free space, then prove again.",
        ) from error
    return whole


def render(template: str, verdict: Verdict) -> str:
    """One report as text; `template` is a file of this package's `templates`."""
    evidence = Sheet(verdict.evidence)
    page = _environment().get_template(template)
    return page.render(
        verdict=verdict,
        e=verdict.evidence,
        story=tell(verdict, evidence),
        statement=state(verdict, evidence),
        basis=basis(evidence),
        traffic=traffic.rows(evidence),
        glossary=GLOSSARY,
        pictures={
            "evidence": pictures.evidence_path(evidence),
            "judged": pictures.evidence_path(Sheet({"paired": evidence.at("judged").value}), who="pairs compared"),
            "risk": pictures.coverage_risk(evidence),
            "confidence": pictures.confidence(evidence),
            "ramp": pictures.ramp(evidence),
        },
        charts={
            "sides": dots.sides(evidence),
            "preferred": dots.preferred(evidence),
            "noise": dots.noise(evidence),
            "agreement": dots.agreement(evidence),
            "slices": dots.slices(evidence),
            "metrics": dots.metrics(evidence),
            "fields": dots.fields(evidence),
        },
        differences=_shown_differences(evidence),
        most_rows=_MOST_SHOWN_ROWS,
    )


def _shown_differences(evidence: Sheet) -> list[differences.SideBySide]:
    """The first differences, as many as a page bears; the others stand in the JSON."""
    shown: list[differences.SideBySide] = []
    chars = 0
    for row in evidence.rows("differences")[:_MOST_SHOWN]:
        chars += sum(len(words.visible(row.text(name))) for name in ("input", "wanted", "provider", "owned"))
        if shown and chars > _MOST_SHOWN_CHARS:
            break
        shown.append(differences.side_by_side(row))
    return shown


def _environment() -> Environment:
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    class Unknown(ChainableUndefined):
        """A figure that an older verdict, or one without this part, does not have."""

        def __str__(self) -> str:
            return words.UNKNOWN

    environment = Environment(
        loader=PackageLoader("freehold.prove.report"),
        autoescape=lambda name: name is not None and ".html" in name,  # noqa: S701 - off for the text report alone
        undefined=Unknown,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(share=words.share, percent=words.percent, points=words.points, interval=words.interval)
    environment.filters.update(level=words.level, amount=words.amount, number=words.number, money=words.money)
    environment.filters.update(milliseconds=words.milliseconds, day=words.day, one_line=_name)
    environment.filters.update(pad=_pad, wrap=_wrap, fact=_fact, asked=_asked)
    return environment


def _harmless(value: object) -> object:
    """Every text that a template puts out, but for what is drawn or escaped already (`Markup` is no plain `str`)."""
    return words.visible(words.clip(value, _LONGEST_TEXT)) if type(value) is str else value


def _name(value: object) -> str:
    return words.one_line(str(value))


def _fact(value: object) -> str:
    """A fact on one line."""
    return words.one_line(_spelt(value), _LONGEST_FACT) or words.UNKNOWN


def _asked(settings: object) -> list[tuple[str, object]]:
    """Settings by name; what was left empty was not asked for."""
    found = settings.items() if isinstance(settings, dict) else ()
    return [(str(name), "none" if value in ("", []) else value) for name, value in found]


def _spelt(value: object) -> str:
    match value:
        case None:
            return words.UNKNOWN
        case bool():
            return "yes" if value else "no"
        case float():
            return words.amount(value)
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _pad(value: object, width: int) -> str:
    """Left-aligned for a positive width, right-aligned for a negative one; cut to it."""
    text = words.one_line(str(value), abs(width) - (width > 0))
    return f"{text:<{width}}" if width > 0 else f"{text:>{-width}}"


def _wrap(text: object, indent: int = 2, first: str = "") -> str:
    """A sentence in lines of _TEXT_WIDTH, the first of which begins with `first`."""
    blank = " " * indent
    return textwrap.fill(
        words.visible(str(text)),
        _TEXT_WIDTH,
        initial_indent=first or blank,
        subsequent_indent=blank,
        break_on_hyphens=False,
    )
