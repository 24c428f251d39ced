"""Where a text says a date, a time or an id: what will read differently tomorrow although nothing was changed.

`spots` finds them in any language and script: dates and times in numbers (`text.dates.date_numbers`), names of months
and weekdays with the numbers beside them (28 de mayo de 2026), and ids. A number that only stands in a sentence ("at
most 5 words", "within 30 days") is none of these. A short form that is an ordinary word elsewhere ("mar", "set") needs
more beside it than a name does.

`is_date` and `is_id` say whether a text is nothing but such a value. All of it takes time in proportion to the text.

Not covered: dates in words without a month ("the twenty-eighth"), counters, names: what varies over calls shows them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from freehold.text.dates.calendar_words import (
    AFTER,
    BEFORE,
    JOINING,
    NAME,
    ORDINARY,
    SHORT,
    STEM_CHARS,
    UNSPACED,
    WEEKDAY,
    CalendarWords,
    calendar_words,
)
from freehold.text.dates.date_numbers import eastern_dates, ids, numeric_dates
from freehold.text.dates.date_parts import DATE, ID, NUMBER, WORD, Item, Reading, Spot, lowered

MOST_CHARS = 200_000
"""Longer texts are not looked at."""
LONGEST_VALUE = 120
"""A text of more characters is no date and no id."""

_LONGEST_REMEMBERED = 32_768
_ORDINAL = re.compile(r"-?[^\W\d_]{1,3}(?![^\W\d_])|[ªº°]")
_IN_WORD = re.compile("(?<=[\u0400-\u04ff])['\u2019](?=[\u0400-\u04ff])")
"""An apostrophe that is a letter, as in the Ukrainian word for Friday; CLDR writes it as U+02BC."""
_VIETNAMESE = re.compile(r"\b(?:thứ (?:hai|ba|tư|năm|sáu|bảy)|chủ nhật)\b")
_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "twenty": 20, "thirtieth": 30, "thirty": 30,
    "primo": 1, "primero": 1, "primeiro": 1, "premier": 1, "ersten": 1,
}  # fmt: skip
"""Words for days beside a month: May the twenty-eighth is the 20 and the 8."""
_VOWELS = frozenset("aeiouyąęěůаеиоуыюяіїєъ")
_ATTACHED = frozenset("בהלמושכ" + "وبلف")
"""Letters that Hebrew and Arabic write before a word, as its first."""


def spots(text: str) -> Sequence[Spot]:
    """The dates and ids in a text, in order; they do not overlap."""
    if len(text) > MOST_CHARS:
        return ()
    return _remembered_spots(text) if len(text) <= _LONGEST_REMEMBERED else _spots(text)


@lru_cache(maxsize=512)
def _remembered_spots(text: str) -> tuple[Spot, ...]:
    return _spots(text)


def _spots(text: str) -> tuple[Spot, ...]:
    items = _items(text)
    return tuple(Reading(text, items).spots()) if items else ()


def is_date(text: str) -> bool:
    """Whether the text says a date or a time and nothing else."""
    if not text or len(text) > LONGEST_VALUE or "\n" in text:
        return False
    items = _items(text)
    if not items:
        return False
    means, rest = calendar_words().means, list(text)
    for item in items:
        rest[item.start : item.end] = " " * (item.end - item.start)
    left = "".join(rest)
    return all(means.get(word, 0) & JOINING for word in WORD.findall(lowered(left)))


def is_id(text: str) -> bool:
    """Whether the text is one word with a digit in it, as ids, counters and numbers are."""
    return 0 < len(text) <= LONGEST_VALUE and not any(map(str.isspace, text)) and any(map(str.isdecimal, text))


def _items(text: str) -> list[Item]:
    """Everything in the text that can be part of a date, but for joining words, in order, without overlaps."""
    held = [Item(start, end, DATE) for start, end in numeric_dates(text)]
    held += [Item(start, end, ID) for start, end in ids(text)]
    words = calendar_words()
    if not text.isascii() and _IS_UNSPACED.search(text):
        held += [Item(start, end, DATE) for start, end in eastern_dates(text)]
        names = words.unspaced.finditer(text)
        held += [Item(m.start(), m.end(), words.means[m[0]], word=m[0]) for m in names]
    low = _IN_WORD.sub("\u02bc", lowered(text))
    if "thứ" in low or "chủ" in low:
        held += [Item(match.start(), match.end(), DATE) for match in _VIETNAMESE.finditer(low)]
    held.sort()
    found = {word: what for word in set(WORD.findall(low)) if (what := _meaning(word, words))}
    if not found and not held:
        return []
    matches = [match for match in WORD.finditer(low) if match[0] in found]
    return _merged(text, low, held, matches, found)


def _meaning(word: str, words: CalendarWords) -> int:
    """What a word of a text can be; a number is one, too."""
    what = words.means.get(word, 0)
    if what:
        is_joining = what & JOINING and not what & (NAME | SHORT | ORDINARY | BEFORE | AFTER)
        return 0 if is_joining else what
    return NUMBER if word[0].isdecimal() or word in _ORDINALS else _inflected(word, words)


def _merged(
    text: str, low: str, held: Sequence[Item], matches: Sequence[re.Match[str]], found: Mapping[str, int]
) -> list[Item]:
    """What is `held`, with the numbers and words between."""
    items: list[Item] = []
    position, end = 0, 0
    for match in matches:
        start, what = match.start(), found[match[0]]
        while position < len(held) and held[position].start < match.end():
            if held[position].start >= end:
                items.append(held[position])
                end = held[position].end
            position += 1
        if start < end:
            continue
        if match[0] in _ORDINALS:
            end = match.end()
            items.append(Item(start, end, NUMBER, _ORDINALS[match[0]], word=match[0]))
        elif what == NUMBER:
            end = _end_of_number(low, match.end())
            items.append(Item(start, end, NUMBER, _value(match[0])))
        else:
            end = match.end()
            items.append(Item(start, end, what, word=match[0], is_capital=text[start] != low[start]))
    for item in held[position:]:
        if item.start >= end:
            items.append(item)
            end = item.end
    return items


def _value(digits: str) -> int:
    return int(digits) if len(digits) <= 4 else 10_000


def _end_of_number(low: str, end: int) -> int:
    """Where a number ends with what is written onto it: 28th, 1er, 28-го."""
    ending = _ORDINAL.match(low, end)
    if ending is None or _IS_UNSPACED.search(ending[0]):
        return end
    is_name = calendar_words().means.get(ending[0].lstrip("-"), 0) & (NAME | SHORT | ORDINARY)
    return end if is_name else ending.end()


def _inflected(word: str, words: CalendarWords) -> int:
    """What a word is that is a long name with an ending (toukokuussa), or with an attached letter before it."""
    if len(word) > STEM_CHARS and word[:STEM_CHARS] in words.stems:
        for cut in (1, 2, 3):
            if words.means.get(word[:-cut], 0) & NAME and len(word) - cut >= STEM_CHARS:
                return NAME
    if word[-1] in _VOWELS and word[:-1] in words.declined:
        return NAME | WEEKDAY
    if word[0] in _ATTACHED:
        return words.means.get(word[1:], 0) & (NAME | SHORT | WEEKDAY)
    return 0
