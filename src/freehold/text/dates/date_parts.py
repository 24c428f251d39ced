"""Which of the numbers and words of a text make dates, by what stands beside them.

A name of a month or weekday is a date by itself, and takes the day and the year beside it along; a short form counts
beside those alone; "week" counts with its number. What stands between may be spaces, a mark or joining words ("de").
Example: in `28 de mayo de 2026, 5 words` the first three numbers and words are one date, and 5 is none.

Not covered: finding the numbers and words (`text.dates.dates`), what words can mean (`text.dates.calendar_words`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from freehold.text.dates.calendar_words import (
    AFTER,
    BEFORE,
    CAPITAL,
    JOINING,
    NAME,
    ORDINARY,
    PERIOD,
    SHORT,
    TINY,
    WEEKDAY,
    calendar_words,
)

Kind = Literal["date", "id"]
DATE, NUMBER, ID = 1 << 20, 1 << 21, 1 << 22
MARKS = r"!-/:-@\[-`{-~\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u060c\u061b\u061f\u06d4\u0964\u0965\u1361-\u1368"
"""Marks that end a word, as members of a class in a pattern."""
WORD = re.compile(rf"\d+|[^\s\d{MARKS}\u200e-\u206f\u3001-\u3003\u3008-\u3020\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40]+")
_SPACE = r"[^\S\n]"
_BETWEEN = re.compile(rf"(?:{_SPACE}|[,./:·\-–—'’()\[\]،、|\u200e\u200f]){{0,4}}")
_MOST_BETWEEN = 24
_BREAK = re.compile(r"[^\W\d_]{4}[.!?]\s|[;。！？\"*#]")
_MONTHLIKE = frozenset(
    {"ago", "dom", "fri", "mar", "mag", "may", "march", "mon", "nov", "sat", "sun", "thu", "tue", "wed"}
)
"""Short forms that are ordinary words, and mean the calendar where a capital and a day go with them."""
_ALONE = frozenset({"may", "march"})
_SHORT_CHARS = 4
_DAYS, _WEEKS, _LEAST_YEAR, _MOST_YEAR = 31, 53, 1300, 2700


@dataclass(frozen=True, slots=True)
class Spot:
    """A stretch of a text that says a date or an id."""

    start: int
    end: int
    kind: Kind


class Item(NamedTuple):
    """A number (`value`), a word that can belong to a date, or a date in numbers; `what` are bits."""

    start: int
    end: int
    what: int
    value: int = 0
    word: str = ""
    is_capital: bool = False

    @property
    def is_day(self) -> bool:
        """Whether it is a number that can be a day."""
        return self.what == NUMBER and 1 <= self.value <= _DAYS

    @property
    def has_case(self) -> bool:
        """Whether it is a word of a script with capitals."""
        return self.word.upper() != self.word

    @property
    def is_year(self) -> bool:
        """Whether it is a number that can be a year, in one calendar or another."""
        return self.what == NUMBER and _LEAST_YEAR <= self.value <= _MOST_YEAR


def lowered(text: str) -> str:
    """The text in lower case, of the same length."""
    text = text.replace("İ", "i")
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


class Reading:
    """Finds out which items of a text belong to dates."""

    def __init__(self, text: str, items: Sequence[Item]) -> None:
        self._text = text
        self._items = items
        self._is_chosen = [bool(item.what & (DATE | ID | NAME)) for item in items]
        self._links = [self._link(i) for i in range(len(items) - 1)]

    def spots(self) -> list[Spot]:
        """The dates and ids, neighbours joined."""
        self._choose_short_forms()
        self._choose_short_forms()  # now also beside those
        self._choose_numbers()
        self._choose_short_forms()
        self._choose_clock()
        for i, item in enumerate(self._items):
            is_small = item.what & (TINY | PERIOD) or (item.what & CAPITAL and item.is_capital)
            if is_small and not self._is_chosen[i]:
                self._is_chosen[i] = any(self._is_small_part(i, j) for j in self._beside(i, 2))
        return self._joined()

    def _is_small_part(self, i: int, j: int) -> bool:
        """Whether a word of one or two letters belongs to what is beside it: Do 28. Mai, 10:15 a. m."""
        item = self._items[i]
        if not self._is_sure(j) or (self._links[min(i, j)] == 2 and not item.what & PERIOD):
            return False
        is_before_day = j > i and self._items[j].what == NUMBER
        return bool(item.what & PERIOD) or item.is_capital or is_before_day or not item.has_case

    def _choose_clock(self) -> None:
        """Times with a dot, 10.15, beside a date."""
        items = self._items
        for i in range(len(items) - 1):
            first, second = items[i], items[i + 1]
            is_pair = first.what == second.what == NUMBER and self._text[first.end : second.start] == "."
            if not is_pair or first.value > 24 or second.value > 59 or second.end - second.start != 2:
                continue
            around = [j for j in (*self._beside(i, 2), *self._beside(i + 1, 2)) if j not in (i, i + 1)]
            if any(self._is_sure(j) for j in around):
                self._is_chosen[i] = self._is_chosen[i + 1] = True

    def _link(self, i: int) -> int:
        """What stands between an item and the next: 1 for no word, 2 for joining words alone, 0 for anything else."""
        between = self._text[self._items[i].end : self._items[i + 1].start]
        if _BETWEEN.fullmatch(between):
            return 1
        if len(between) > _MOST_BETWEEN or "\n" in between:
            return 0
        means = calendar_words().means
        is_joined = all(means.get(word, 0) & JOINING for word in WORD.findall(lowered(between)))
        return 2 if is_joined and not _BREAK.search(between) else 0

    def _beside(self, i: int, most: int) -> list[int]:
        """The items right before and after, with no word between, or (`most` 2) joining words."""
        found = [i - 1] if i > 0 and 0 < self._links[i - 1] <= most else []
        return [*found, i + 1] if i < len(self._links) and 0 < self._links[i] <= most else found

    def _is_sure(self, i: int) -> bool:
        """Whether an item is chosen and no id."""
        return self._is_chosen[i] and not self._items[i].what & ID

    def _choose_short_forms(self) -> None:
        for i, item in enumerate(self._items):
            if item.what & (SHORT | ORDINARY) and not self._is_chosen[i]:
                self._is_chosen[i] = self._is_ordinary_meant(i) if item.what & ORDINARY else self._is_short_meant(i)

    def _is_short_meant(self, i: int) -> bool:
        """Whether a short form means a month or weekday here: beside a day, a year, a date, another part of a name."""
        items = self._items
        for j in self._beside(i, 2):
            is_other_part = items[j].what & SHORT and not items[j].what & ORDINARY and self._links[min(i, j)] == 1
            if self._is_sure(j) or items[j].is_year or is_other_part or (items[j].is_day and self._goes_with(i, j)):
                return True
        return False

    def _is_ordinary_meant(self, i: int) -> bool:
        """The same for one that is a common word elsewhere; it needs a capital, a year after it, or `de` and a day."""
        item, items = self._items[i], self._items
        for j in self._beside(i, 2):
            if j > i and (items[j].is_year or (items[j].what & DATE and item.is_capital)):
                return True
            if items[j].is_day and self._links[min(i, j)] == 2:
                return True
            if j > i and self._is_sure(j) and items[j].what == NUMBER:
                return True
            is_monthlike = item.word in _MONTHLIKE and item.is_capital
            if is_monthlike and (self._is_sure(j) or (items[j].is_day and self._goes_with(i, j))):
                return True
        return item.word in _ALONE and item.is_capital and self._is_in_sentence(item.start)

    def _is_in_sentence(self, start: int) -> bool:
        """Whether a capital there is not owed to the beginning of a sentence."""
        before = self._text[max(0, start - 3) : start].rstrip(" \"'“„«(*")
        return before != "" and before[-1] not in ".!?\n"

    def _goes_with(self, name: int, number: int) -> bool:
        """Whether a number beside a name or short form is of the same date, by what stands between them."""
        first, last = self._items[min(name, number)], self._items[max(name, number)]
        between = self._text[first.end : last.start]
        if number < name:
            return "," not in between and not (self._items[number].word and "." in between)
        if "," in between:
            return self._items[number].is_year or self._items[name].what & WEEKDAY != 0
        is_short = not self._items[name].what & NAME or len(self._items[name].word) <= _SHORT_CHARS
        return ". " not in between or is_short or self._items[number].is_year

    def _choose_numbers(self) -> None:
        """Days and years beside months, weeks beside their word, months and years beside days."""
        items, chosen = self._items, self._is_chosen
        for i, item in enumerate(items):
            if item.what & (BEFORE | AFTER) and not chosen[i]:
                self._choose_week(i)
        names = NAME | SHORT | ORDINARY | BEFORE
        for i in [i for i, item in enumerate(items) if chosen[i] and item.what & names]:
            for j in self._beside(i, 1 if items[i].what & WEEKDAY else 2):
                is_short_year = items[j].what == NUMBER and j > i > 0 and chosen[i - 1] and items[j].value <= 99
                if (items[j].is_day or items[j].is_year or is_short_year) and self._goes_with(i, j):
                    chosen[j] = True
        for i, item in enumerate(items):
            if item.what == NUMBER and not chosen[i]:
                chosen[i] = any(self._continues(j, i) for j in self._beside(i, 2))

    def _continues(self, known: int, number: int) -> bool:
        """Whether a number goes on with a date that ends or begins with the number or word beside it."""
        items = self._items
        if not self._is_sure(known):
            return False
        if items[number].is_year:
            return not items[known].is_year
        between = self._text[items[min(known, number)].end : items[max(known, number)].start]
        return items[known].what == NUMBER and items[number].is_day and between in (".", "/", "-")

    def _choose_week(self, i: int) -> None:
        """Choose "week" with its number: week 22, 2. Woche; two weeks are no date."""
        items = self._items
        for j in self._beside(i, 1):
            is_week = items[j].what == NUMBER and 1 <= items[j].value <= _WEEKS
            is_after = j > i and items[i].what & BEFORE
            if is_week and (is_after or (j < i and items[i].what & AFTER and self._is_ordinal(j, i))):
                self._is_chosen[i] = self._is_chosen[j] = True

    def _is_ordinal(self, number: int, word: int) -> bool:
        found = self._items[number]
        written = self._text[found.start : found.end]
        return not written.isdecimal() or "." in self._text[found.end : self._items[word].start]

    def _joined(self) -> list[Spot]:
        found: list[Spot] = []
        last = -1
        for i, item in enumerate(self._items):
            if not self._is_chosen[i]:
                continue
            kind: Kind = "id" if item.what & ID else "date"
            if found and found[-1].kind == kind == "date" and last == i - 1 and self._links[last]:
                found[-1] = Spot(found[-1].start, item.end, kind)
            else:
                found.append(Spot(item.start, item.end, kind))
            last = i
        return found
