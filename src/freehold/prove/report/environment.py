"""The templates of a report: an environment that makes harmless whatever a template puts out, and escapes it in HTML.

A name that the evidence does not have is an error, never an empty place. Not covered: what is put in
(`prove.report.report`, `prove.report.sentences`).
"""

from __future__ import annotations

import json
import textwrap
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from freehold.model.evidence.terms import SettingsFigures
from freehold.prove.report import words
from freehold.prove.report.reasons import reason, unspoken_reason

if TYPE_CHECKING:
    from jinja2 import Environment

_LONGEST_FACT = 200
_LONGEST_TEXT = 4000
_TEXT_WIDTH = 80


@cache
def environment() -> Environment:
    """The environment of all templates of this package; HTML is escaped, and text is not."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("freehold.prove.report"),
        autoescape=lambda name: name is not None and ".html" in name,  # noqa: S701 - off for text alone
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for figure in (
        *(words.share, words.percent, words.points, words.in_points, words.in_hundred, words.interval, words.level),
        *(words.amount, words.number, words.count, words.rounded, words.whole_percent, words.money, words.odds),
        *(words.milliseconds, words.day, words.span, words.lasting, words.listed, words.slice_name, words.line),
        *(reason, unspoken_reason),
    ):
        found.filters[figure.__name__] = figure
    found.filters.update(one_line=_name, pad=_pad, wrap=_wrap, fact=_fact, asked=_asked)
    return found


def _harmless(value: object) -> object:
    """Every text that a template puts out, but for what is drawn or escaped already (`Markup` is no plain `str`)."""
    return words.visible(words.clip(value, _LONGEST_TEXT)) if type(value) is str else value


def _name(value: object) -> str:
    return words.one_line(str(value))


def _fact(value: object) -> str:
    """A fact on one line."""
    return words.one_line(_spelt(value), _LONGEST_FACT) or words.UNKNOWN


def _asked(settings: SettingsFigures) -> list[tuple[str, object]]:
    """Settings by name; what was left empty was not asked for."""
    found = msgspec.structs.asdict(settings)
    return [(name, "none" if value in ("", ()) else value) for name, value in found.items()]


def _spelt(value: object) -> str:
    match value:
        case None:
            return words.UNKNOWN
        case bool():
            return "yes" if value else "no"
        case float():
            return words.amount(value)
        case dict() | list() | tuple():
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
