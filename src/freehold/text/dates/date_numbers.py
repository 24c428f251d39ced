"""Dates, times and ids that are told by how their numbers are written, in the digits of any script.

2026-05-28, 28.05.2026, 5/28/26, 28.V.2026, 2026-05, 05/28, 28.05., 10:15, 3 pm, 10h15, 2026-W22, 2026-148, Q2 2026,
2Q26, FY26, 20260528, Unix time in seconds or parts of them, 2026年5月28日, 令和8年, 5월 28일; UUIDs, digests in
hexadecimal digits and other long words of mixed letters and digits.

Of a day and a month without a year one has to begin with 0: 10/12 may be a share.

Not covered: names of months (`text.dates.dates`), and plain numbers, which may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_MARKS = r"[\u200e\u200f]?"
_SEPARATOR = rf"{_MARKS}( ?[-/.] ?){_MARKS}"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d{2}", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|CES?T|EES?T|WES?T|[ECMP][SD]T|BST|IST|JST|MSK)\b)?(?:\s?[+-]\d{2}:?\d{2}\b)?"
_NUMERIC = re.compile(
    rf"(?<![\d.])(?P<year>\d{{4}}){_SEPARATOR}(?P<month>\d{{1,2}}){_MARKS}\2{_MARKS}(?P<day>\d{{1,2}})(?:T{_CLOCK})?{_ZONE}(?!\.?\d)"
    rf"|(?<![\d.])(?P<one>\d{{1,2}}){_SEPARATOR}(?P<other>\d{{1,2}}){_MARKS}\6{_MARKS}(?:\d{{4}}|\d{{2}})(?!\.?\d)"
    r"|(?<![\d.])\d{1,2}\. \d{1,2}\. (?:\d{4}|\d{2})(?!\d)|(?<![\d.])(?:\d{4}|\d{2})\. \d{1,2}\. \d{1,2}(?!\d)"
    r"|(?<!\d)\d{1,2}[./ -](?:I{1,3}|IV|VI{0,3}|IX|XI{0,2})[./ -]\d{4}(?!\d)"
    r"|(?<!\d)\d{4}-?W\d{2}(?:-?\d)?(?!\d)"
    rf"|(?<!\d)(?:(?<!\d:)|(?<=\d{{4}}:))(?P<hour>\d{{1,2}}):[0-5]\d(?::\d{{2}}(?:[.,]\d{{1,9}})?)?(?![\d:])(?:\s?[AaPp]\.?\s?[Mm]\b)?{_ZONE}"
    r"|(?<![\d.])(?:0?[1-9]|1[0-2])\s?[AaPp]\.?\s?[Mm]\b|(?<!\d)[0-2]?\d ?[hH] ?[0-5]\d\b"
    r"|(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[T_-]?\d{4,6}Z?)?(?!\d)"
    r"|(?<![\d.])(?:1[5-9]|20)\d{8}(?:\d{3}|\d{6}|\d{9}|\.\d{1,9})?(?!\d)"
    r"|(?<!\d)\d{4}[ -]?[QTHSK][1-4](?!\d)|(?<![\d.])[1-4][QT] ?(?:20)?\d{2}(?!\d)"
    rf"|(?<!\d){_YEAR}(?P<bar>[_| ]){_MONTH}(?P=bar){_DAY}(?!\d)"
    rf"|(?<![\d./-]){_YEAR}[-/]{_MONTH}(?![\d/-])|(?<![\d./-])(?:{_MONTH}[./-]|[1-9][/-]){_YEAR}(?![./-]?\d)"
    rf"|(?<![\d./-]){_YEAR}-(?:[0-2]\d\d|3[0-6]\d)(?![\d-])|(?<![\d./-])1[01]\d([/-]){_MONTH}[/-]{_DAY}(?!\d)"
    rf"|(?<![\d./-])(?=0|../0)(?:{_MONTH}/{_DAY}|{_DAY}/{_MONTH})(?![\d./-]*\d)(?!/)"
    rf"|(?<![\d./-]){_DAY}\.{_MONTH}\.(?!\d)|(?<!\d){_DAY}(?:[01]\d|2[0-3])[0-5]\dZ\b"
    r"|(?<![\d.,:])(?:[01]?\d|2[0-4])\s?(?:Uhr\b|o['’]clock\b)"
)
_LETTERED = re.compile(
    r"(?<![^\W_])[QTHSK][1-4][ /’'-]{0,3}(?:FY ?)?(?:20\d{2}|\d{2})(?!\d)|(?<![^\W_])[FC]Y ?[’']?(?:\d{4}|\d{2})(?!\d)"
)
_LETTERS_BEFORE, _MOST_LETTERS = "QTHSKFCY ’'", 4
_DIGITS = re.compile(r"\d+")
_COUNT = r"(?:\d{1,4}|[〇零一二三四五六七八九十]{1,4})"
_EASTERN = re.compile(
    rf"(?:\d{{4}}|(?:令和|平成|昭和|民國|民国|西元|公元)\s?{_COUNT}|[〇零一二三四五六七八九]{{4}})\s?[年년]"
    rf"(?:\s?{_COUNT}\s?[月월](?:\s?{_COUNT}\s?[日号號일])?)?|{_COUNT}\s?[月월](?![間间])(?:\s?{_COUNT}\s?[日号號일](?![間间]))?"
    r"|第?\s?\d{1,2}\s?[週周](?![間间])|\d{1,2}\s?[時时點点시]\s?\d{1,2}\s?[分분](?:\s?\d{1,2}\s?[秒초])?"
    r"|(?:[上下]午|早上|晚上|中午|凌晨|午[前後]|오[전후])\s?\d{1,2}\s?[时時點点시](?![間间간])[半整반]?|\d{1,2}\s?[时時點点시][半반]"
    r"|\d{1,2}\s?[时時시](?![間间간])|第\s?[一二三四1-4]\s?(?:季度|四半期)|[1-4]\s?분기"
    r"|\d{1,2}/\d{1,2}(?=\s?[(（]\s?[月火水木金土日월화수목금토일](?:曜日?|요일)?\s?[)）])"
)
_EASTERN_DAY = re.compile(
    r"\s?[(（]\s?[月火水木金土日월화수목금토일一二三四五六](?:曜日?|요일)?\s?[)）]|\s?(?:星期|周|週|礼拜|禮拜)[一二三四五六日天]"
)
_LONG_WORD = re.compile(r"(?<![0-9A-Za-z-])(?=[A-Za-z-]{0,63}\d)[0-9A-Za-z-]{7,64}(?![0-9A-Za-z-])")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{7,}")
_TRACE = re.compile(r"(?:[0-9a-f]{2}-)?[0-9a-f]{16,32}-[0-9a-f]{16}(?:-[0-9a-f]{1,2})?")
_BASE64 = re.compile(r"(?<![0-9A-Za-z+/=])(?=[A-Za-z+/]{0,63}\d)[0-9A-Za-z+/]{10,86}={1,2}(?![0-9A-Za-z+/=])")
_LEAST_MIXED, _LEAST_RANDOM, _SWITCH_SHARE = 12, 16, 0.45
"""From what length on a word with several digits is an id, and one whose letters and digits change as by chance."""

Stretch = tuple[int, int]


def numeric_dates(text: str) -> Iterator[Stretch]:
    """Where dates and times in numbers stand."""
    end = 0
    for digits in _DIGITS.finditer(text):
        start = digits.start()
        if start < end:
            continue
        match = _NUMERIC.match(text, start) or _after_letters(text, start)
        if match is not None and _can_be_one(match):
            end = match.end()
            yield match.span()


def eastern_dates(text: str) -> Iterator[Stretch]:
    """Where dates stand whose numbers are followed by Chinese, Japanese or Korean words for year, month and day."""
    end = 0
    for match in _EASTERN.finditer(text):
        day = _EASTERN_DAY.match(text, match.end())
        end = day.end() if day else match.end()
        yield match.start(), end
    for match in _EASTERN_DAY.finditer(text):
        if match[0].strip()[0] not in "(（":
            yield match.span()


def ids(text: str) -> Iterator[Stretch]:
    """Where UUIDs, hexadecimal digests, Base64 and long words of mixed letters and digits stand."""
    if "=" in text:
        yield from (match.span() for match in _BASE64.finditer(text))
    for match in _LONG_WORD.finditer(text):
        word = match[0]
        if _UUID.fullmatch(word) or _HEX.fullmatch(word) or _TRACE.fullmatch(word) or _is_mixed(word):
            yield match.span()


def _after_letters(text: str, start: int) -> re.Match[str] | None:
    """A quarter or a fiscal year, whose letters stand before the number."""
    begin = start
    while begin > 0 and start - begin < _MOST_LETTERS and text[begin - 1] in _LETTERS_BEFORE:
        begin -= 1
        if found := _LETTERED.match(text, begin):
            return found
    return None


def _can_be_one(match: re.Match[str]) -> bool:
    if match.re is _LETTERED:
        return True
    if match["year"]:
        return 1 <= int(match["month"]) <= 12 and 1 <= int(match["day"]) <= 31
    if match["one"]:
        one, other = int(match["one"]), int(match["other"])
        return 1 <= one <= 31 and 1 <= other <= 31 and min(one, other) <= 12
    return not match["hour"] or int(match["hour"]) <= 24


def _is_mixed(word: str) -> bool:
    digits = sum(map(str.isdigit, word))
    if len(word) >= _LEAST_MIXED and "-" not in word and digits >= 3 and len(word) - digits >= 3:
        return True
    kinds = [(char.isdigit(), char.isupper()) for char in word]
    switches = sum(one != other for one, other in pairwise(kinds))
    return len(word) >= _LEAST_RANDOM and word.count("-") <= 1 and switches >= _SWITCH_SHARE * len(word)
