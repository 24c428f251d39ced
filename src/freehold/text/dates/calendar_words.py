"""The words of calendars in all languages: months, weekdays, their short forms, and what stands between them in dates.

Read once, when first needed, from `calendar_words.txt` beside this file, which `tools/calendar_words.py` makes out of
the Unicode CLDR (data version in its head). A word may be several things: `mar` is a month in one language and a
weekday in another.

Not covered: whether a word at some place in a text is meant so (`text.dates.dates`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts without spaces between words, or with endings joined to them: Thai to Burmese, Khmer, Japanese to Korean."""
STEM_CHARS = 6
NAME, SHORT, ORDINARY, TINY, CAPITAL, BEFORE, AFTER, PERIOD, JOINING, WEEKDAY = (1 << bit for bit in range(10))
"""What a word can be, as bits.

A name counts by itself; a short form beside a number or another name; an ordinary one is a short form that is a common
word elsewhere; a tiny one counts beside a date alone, and some only with a capital. Before and after go with a number
(week 22, 2. Woche), a period is a time of day, a joining word stands between the parts of a date. A weekday is so
marked beside what else it is.
"""


@dataclass(frozen=True, slots=True)
class CalendarWords:
    """What each word (lower case) can be, and the months and weekdays (1 is Monday) that names stand for.

    `stems` are the beginnings of long names, `declined` what is left of names whose last letter changes with the case,
    `unspaced` finds names in texts of scripts without spaces.
    """

    means: Mapping[str, int]
    months: Mapping[str, frozenset[int]]
    weekdays: Mapping[str, frozenset[int]]
    stems: frozenset[str]
    declined: frozenset[str]
    unspaced: re.Pattern[str]


_KINDS = {
    "short": SHORT,
    "ordinary": ORDINARY,
    "tiny": TINY,
    "capital": CAPITAL,
    "before": BEFORE,
    "after": AFTER,
    "period": PERIOD,
    "joining": JOINING,
}


@cache
def calendar_words() -> CalendarWords:
    """The words, read when first asked for."""
    means: dict[str, int] = {}
    numbers: dict[str, dict[str, set[int]]] = {"month": {}, "day": {}}
    text = files("freehold.text.dates").joinpath("calendar_words.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        kind, *words = line.split()
        if kind in numbers:
            number, *words = words
            for word in words:
                numbers[kind].setdefault(word, set()).add(int(number))
                means[word] = means.get(word, 0) | NAME | (WEEKDAY if kind == "day" else 0)
        elif kind in _KINDS:
            for word in words:
                means[word] = means.get(word, 0) | _KINDS[kind]
    for word in [word for word in means if "ı" in word]:
        means.setdefault(word.replace("ı", "i"), means[word])
    return CalendarWords(
        means=means,
        months={word: frozenset(found) for word, found in numbers["month"].items()},
        weekdays={word: frozenset(found) for word, found in numbers["day"].items()},
        stems=frozenset(w[:STEM_CHARS] for w, what in means.items() if what & NAME and len(w) >= STEM_CHARS),
        declined=frozenset(word[:-1] for word, what in means.items() if what & NAME and _is_declined(word)),
        unspaced=_unspaced_names(means),
    )


def _is_declined(word: str) -> bool:
    """Whether the last letter of a name may be another one in other cases: sobota, sobotę; среда, среду."""
    least = 4 if "\u0400" <= word[0] <= "\u04ff" else 6
    return len(word) >= least and word[-1] in "aeiouyąęěůаеиоуыюяіїєьй"


def _unspaced_names(means: Mapping[str, int]) -> re.Pattern[str]:
    is_unspaced = re.compile(rf"[{UNSPACED}][.{UNSPACED}]+")
    names = [word for word, what in means.items() if what & NAME and is_unspaced.match(word)]
    return re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
