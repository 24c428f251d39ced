"""Whether a date that a prompt says is that of the moment at which it was sent.

A prompt may say today's date and, in its rules, others. Those that are today's change; the others do not. A value is
today's when all that it says (day, month, year, weekday, week, Unix time) agrees with the calendar of that moment
somewhere on earth: the day before and the day after count as well.

Not covered: where dates stand (`text.dates.dates`), calendars whose months are not the Gregorian ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from freehold.text.dates.calendar_words import calendar_words

DAY_S = 86_400.0
_DAYS = 31
_CLOCK = re.compile(r"T?\d{1,2}[:hH]\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[+-]\d{2}:?\d{2}\b)?")
_COMPACT = re.compile(r"(?:19|20)\d{6}")
_UNIX = re.compile(r"(\d{10})(?:\d{3}|\d{6}|\d{9}|\.\d+)?")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\s\d,./:()\-–—'’]+")
_MOST_YEARS_AWAY = 543
"""The Buddhist calendar's years; those of Taiwan and of the present Japanese era are named below."""


def is_of(value: str, moment: float) -> bool | None:
    """Whether a date is that of this moment (Unix seconds); None where it says no day, week, month or year."""
    unix = _UNIX.fullmatch(value)
    if unix:
        return abs(int(unix[1]) - moment) <= 2 * DAY_S
    left = _CLOCK.sub(" ", value)
    numbers, words = [int(found) for found in _NUMBER.findall(left)], _WORD.findall(left.lower())
    named = calendar_words()
    months = [named.months[word] for word in words if word in named.months]
    weekdays = [named.weekdays[word] for word in words if word in named.weekdays]
    if not (numbers or months or weekdays):
        return None
    if compact := _COMPACT.fullmatch(left.strip()):
        numbers = [int(compact[0][:4]), int(compact[0][4:6]), int(compact[0][6:])]
    today = _date_of(moment)
    if today is None:
        return None
    return any(
        all(day.month in found for found in months)
        and all(day.isoweekday() in found for found in weekdays)
        and all(number in _numbers(day) for number in numbers)
        for day in (today + timedelta(days=away) for away in (-1, 0, 1))
    )


def goes_on(old: str, new: str, around: Sequence[str], was: float, now: float, *, is_by_a_date: bool = False) -> bool:
    """Whether a number went on with the calendar: the day, month, year or week of `was` became that of `now`.

    Another number nearby (`around`) has to be of the same date, or a date has to be there (`is_by_a_date`), so that "at
    most 5 words" is no month. A year or a day of the year needs neither: nobody has so many rules.
    Example: in "Day: 28. Month: 5." the 28 becomes 29 on the next day.
    """
    before, after = _date_of(was), _date_of(now)
    if not (old.isdecimal() and new.isdecimal()) or before is None or after is None or len(max(old, new)) > 4:
        return False
    beside = {int(found) for text in around for found in _NUMBER.findall(text) if len(found) <= 4}
    for first in (before + timedelta(days=away) for away in (-1, 0, 1)):
        for second in (after + timedelta(days=away) for away in (-1, 0, 1)):
            if (int(old), int(new)) in _telling(first, second):
                return True
            for k, (one, other) in enumerate(zip(_components(first), _components(second), strict=True)):
                others = {part for i, part in enumerate(_components(first)) if i != k and part != one}
                if (int(old), int(new)) == (one, other) and (is_by_a_date or beside & others):
                    return True
    return False


def _components(day: date) -> tuple[int, ...]:
    return day.day, day.month, day.year, day.year % 100, day.isocalendar().week


def _telling(first: date, second: date) -> set[tuple[int, int]]:
    """Pairs of numbers of two days that hardly come by chance."""
    pairs = {(first.year, second.year)}
    return pairs | {(one, other)} if (one := _day_of_year(first)) > _DAYS < (other := _day_of_year(second)) else pairs


def _day_of_year(day: date) -> int:
    return day.timetuple().tm_yday


def says_a_day(value: str) -> bool:
    """Whether a date says which day it is, and not only which month, year or hour."""
    left = _CLOCK.sub(" ", value)
    named = calendar_words().weekdays
    has_weekday = any(word in named for word in _WORD.findall(left.lower()))
    small = [number for number in map(int, _NUMBER.findall(left)) if number <= 31]
    return has_weekday or len(small) >= 2 or (bool(small) and _WORD.search(left) is not None)


def _numbers(day: date) -> frozenset[int]:
    """The numbers that a date of this day may be written with."""
    year, week, _ = day.isocalendar()
    years = {day.year, day.year % 100, year, day.year + _MOST_YEARS_AWAY, day.year - 1911, day.year - 2018}
    return frozenset({day.day, day.month, week, (day.month + 2) // 3, *years})


def _date_of(moment: float) -> date | None:
    try:
        return datetime.fromtimestamp(moment, UTC).date()
    except (OverflowError, OSError, ValueError):
        return None
