"""Figures as words, and text of calls made harmless to read.

Whatever is not a finite number reads "unknown". Not covered: sentences (`prove.report.sentences`), escaping for HTML
(the templates do it, and `prove.report.svg` for what it draws).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

UNKNOWN = "unknown"
_LONGEST_NAME = 60
_MOST_NAMES = 6
_JOINERS = "\u200c\u200d"
_ONES = ("", "once", "twice", "three times", "four times", "five times")
_ODDS = {5: "five", 10: "ten", 20: "twenty", 50: "fifty", 100: "a hundred"}


def finite(value: object) -> float | None:
    """The value as a float; None for whatever is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def share(value: object) -> str:
    """A share as a percentage: 0.925 is 92.5%."""
    number = finite(value)
    return UNKNOWN if number is None else f"{100 * number:.1f}%"


def percent(value: object) -> str:
    """A share that people set, without needless digits: 0.05 is 5%, 0.025 is 2.5%."""
    number = finite(value)
    return UNKNOWN if number is None else f"{100 * number:.3g}%"


def points(value: object) -> str:
    """A difference of shares in points, with its sign."""
    number = finite(value)
    return UNKNOWN if number is None else f"{100 * number:+.1f}"


def in_points(value: object) -> str:
    """A share that people set, as points without a sign: 0.02 is 2."""
    number = finite(value)
    return UNKNOWN if number is None else f"{100 * number:.3g}"


def interval(low: object, high: object, *, is_signed: bool = False) -> str:
    """Two shares as an interval in points: [85.6, 91.7]."""
    first, last = finite(low), finite(high)
    if first is None or last is None:
        return UNKNOWN
    return f"[{100 * first:+.1f}, {100 * last:+.1f}]" if is_signed else f"[{100 * first:.1f}, {100 * last:.1f}]"


def level(value: object) -> str:
    """A confidence or probability."""
    number = finite(value)
    return "none" if number is None else f"{number:.3f}" if number >= 0.001 else "any"


def amount(value: object) -> str:
    """A small number with the digits that matter: 0.0392, 0.1."""
    number = finite(value)
    return UNKNOWN if number is None else f"{number:.3g}"


def number(value: object) -> str:
    """A whole number with thousands parted."""
    figure = finite(value)
    return UNKNOWN if figure is None else f"{figure:,.0f}"


def count(value: object) -> str:
    """A whole number with thousands parted; none counts as 0."""
    return number(0.0 if value is None else value)


def whole_percent(value: object) -> str:
    """A share as a whole percentage; none counts as 0."""
    figure = finite(0.0 if value is None else value)
    return UNKNOWN if figure is None else f"{figure:.0%}"


def lasting(days: object) -> str:
    """A time in days as people say it: within the hour, about 3 hours, about 2 days."""
    figure = finite(days)
    if figure is None:
        return UNKNOWN
    if figure < 1 / 24:
        return "within the hour"
    if figure < 2:
        hours = round(24 * figure)
        return "about an hour" if hours <= 1 else f"about {hours} hours"
    return f"about {rounded(figure)} days"


def rounded(value: object) -> str:
    """About how many, with two digits that count: 2,433 is 2,400."""
    figure = finite(value)
    if figure is None:
        return UNKNOWN
    return f"{float(f'{figure:.2g}'):,.0f}" if abs(figure) >= 10 else f"{figure:.2g}"


def money(value: object) -> str:
    """Dollars with as many digits as matter; unknown where there is no figure."""
    usd = finite(value)
    if usd is None:
        return UNKNOWN
    if usd == 0 or abs(usd) >= 0.995:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(abs(usd)))}f}"


def milliseconds(value: object) -> str:
    """A latency: 99 ms, 3.8 s."""
    figure = finite(value)
    if figure is None:
        return UNKNOWN
    return f"{figure:,.0f} ms" if figure < 1000 else f"{figure / 1000:,.1f} s"


def in_hundred(value: object) -> str:
    """A share as people say it: 0.05 is "5 in 100", 0.002 is "2 in 1,000"."""
    number = finite(value)
    if number is None:
        return UNKNOWN
    base = 100 if number >= 0.01 or number == 0 else 1000 if number >= 0.001 else 100_000
    return f"{base * number:.3g} in {base:,}"


def odds(value: object) -> str:
    """A chance as people say it: 0.1 is "once in ten", 0.3 is "three times in ten"."""
    number = finite(value)
    if number is None or number <= 0:
        return UNKNOWN
    whole = round(1 / number)
    if abs(1 / number - whole) < 0.01 * whole:
        return f"once in {_ODDS.get(whole, f'{whole:,}')}"
    tenths = round(10 * number)
    if tenths < len(_ONES) and abs(10 * number - tenths) < 1e-9:
        return f"{_ONES[tenths]} in ten"
    return f"{in_hundred(number).replace(' in ', ' times in ')}"


def day(unix_s: object) -> str:
    """A moment in UTC; unknown for one that no calendar has."""
    seconds = finite(unix_s)
    try:
        return UNKNOWN if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return UNKNOWN


def span(first: object, last: object) -> str:
    """From one moment to another; one moment where both read alike, unknown where either is."""
    begin, end = day(first), day(last)
    if UNKNOWN in (begin, end):
        return UNKNOWN
    return f"of {begin}" if begin == end else f"from {begin} to {end}"


def visible(text: str) -> str:
    """The text with everything that hides, reorders or steers written out as its code point.

    Control and escape characters, bidirectional marks, zero-width characters and lone surrogates become ⟨U+202E⟩;
    line breaks and tabs stay, and so do joiners between letters that need them. Example: "a\\x1b[2Jb" gives
    "a⟨U+001B⟩[2Jb".
    """
    if text.isascii() and text.isprintable():
        return text
    plain = text.replace("\r\n", "\n")
    return "".join(c if _is_harmless(plain, i) else f"⟨U+{ord(c):04X}⟩" for i, c in enumerate(plain))


def one_line(text: str, longest: int = _LONGEST_NAME) -> str:
    """A name for a table: harmless, on one line, and cut where it is too long."""
    plain = visible(" ".join(text[: 4 * longest].split()))
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def line(text: str) -> str:
    """A text on one line, whole."""
    return " ".join(text.split())


def slice_name(name: str) -> str:
    """A slice as people say it: `label:refund` is label refund."""
    return one_line(name.replace(":", " ", 1))


def clip(text: str, longest: int, also: int = 0) -> str:
    """A long text cut, with how much is left out; `also` counts characters after it that are not here at all."""
    left_out = max(0, len(text) - longest) + also
    return f"{text[:longest]} … ({left_out:,} more characters)" if left_out else text


def _is_harmless(text: str, place: int) -> bool:
    character = text[place]
    if character in "\n\t" or character.isprintable():
        return True
    if character in _JOINERS:
        return _is_letter(text[place - 1 : place]) and _is_letter(text[place + 1 : place + 2])
    return unicodedata.category(character) == "Zs"


def _is_letter(character: str) -> bool:
    """Whether a joiner beside it can be meant: scripts and emoji beyond Latin."""
    return character > "\u0590" and character.isprintable()


def listed(names: Sequence[str]) -> str:
    """Some names; of more than a few the first, and how many more."""
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else shown
