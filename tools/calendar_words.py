"""Writes text/dates/calendar_words.txt: names of months and weekdays, and the words between them, in all languages.

The words are facts of the Unicode CLDR, read through Babel, which Freehold itself does not need:

    pip install babel==2.19 && python tools/calendar_words.py

Babel has the Gregorian calendar alone; the months of the other calendars below are those of CLDR's JSON
(unicode-org/cldr-json: ca-persian, ca-islamic, ca-hebrew, ca-ethiopic), with their common Latin spellings.

Not covered: what the words are used for (`freehold.text.dates.dates`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import babel
from babel import Locale, localedata

OUT = Path(__file__).parent.parent / "src" / "freehold" / "text" / "dates" / "calendar_words.txt"
# Languages whose words are taken as they are; those of the others count only beside a number.
COMMON = """
    af am ar as az be bg bn br bs ca cs cy da de dsb el en es et eu fa fi fil fo fr ga gd gl gu ha he hi hr hsb hu hy
    id ig is it ja jv ka kk km kn ko kok ky lb lo lt lv mk ml mn mr ms my nb ne nl nn no or pa pl ps pt qu rm ro ru sd
    si sk sl so sq sr su sv sw ta te tg th tk tr tt ug uk ur uz vi xh yo yue zh zu
""".split()
# Names of months or weekdays in one language and ordinary words in another that is written more.
ORDINARY = set(
    """
    ago anna are bal bazar bud des did die dim dis dom don ean eka emi ene fan fim fin fri geg gen gli gor gru gwen has
    here hun ian ion isn kari kas kolo lah lar led leden lip lit loka luan lun mac mach mag mal man mar marca
    marco maris marti mas masa mat may march mae me medi mee mer met meu mie mik min moc mon mort
    ned nie nob noll nov now oca ora ott out pay pen per pet pon por pra pre pri pro qua qui rab sad sal sam sap sat sed
    see sel sem sen sent ser set sex sin sob som somar son sonda spal sub suk sul sun tal tem ten ter tha thu tue una
    ann com dia dic dies divi est fog loo mean mis nin wai wan urt van vara vas velj ven via vie vin vis wed wen win yak
    """.split()
)
# Parts of "week 22 of 2026" in some language that are no name of a week.
NO_WEEK = frozenset(
    """
    g ke የ emna hepde yılının елның жылдын жылдың оны urteko tydz թ․ جىلدىڭ का को चा এর ਦਾ ના ஆண்டின் లో ലെ ခု
    年的第 年第 년 ª й я р ኛ ê
    """.split()
)
# Short forms of one or two letters that mean the calendar with a capital alone.
CAPITALS = frozenset("an as at is me on or so we".split())
OTHER_CALENDARS = """
    فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند
    محرم صفر ربيع جمادى رجب شعبان رمضان شوال القعدة الحجة
    תשרי חשוון חשון כסלו טבת שבט אדר ניסן אייר סיוון סיון תמוז אלול
    መስከረም ጥቅምት ኅዳር ታኅሣሥ የካቲት መጋቢት ሚያዝያ ግንቦት ሐምሌ ነሐሴ ጳጉሜን
    farvardin ordibehesht khordad tir mordad shahrivar mehr aban azar bahman esfand
    muharram safar rabi jumada rajab shaban ramadan shawwal qadah hijjah
    tishri heshvan kislev tevet shevat adar nisan iyar sivan tamuz tammuz elul
""".split()
# A quarter of a year, with its number before it.
QUARTERS = frozenset(
    """
    quarter quartal trimestre trimester kwartaal kwartał kvartal kvartál kvartaali trimestru
    квартал квартале квартала кварталі çeyrek çeyreği τρίμηνο
    """.split()
)
_WEEKDAYS = range(7)


def _names(data: object, *path: str) -> Mapping[object, str]:
    for key in path:
        if key not in data:  # type: ignore[operator]
            return {}
        data = data[key]  # type: ignore[index]
    return dict(data.items())  # type: ignore[attr-defined]


def _locales() -> Iterator[Locale]:
    for name in localedata.locale_identifiers():
        yield Locale.parse(name)


def _plain(name: str) -> str:
    return name.lower().strip(" .·‌​\u200e\u200f").replace("\u202f", " ").replace("\xa0", " ")


def _words(name: str) -> list[str]:
    return [word for part in re.split(r"[\s\-.’']+", _plain(name)) if (word := part.strip("()·"))]


def _has_case(word: str) -> bool:
    return word.upper() != word.lower()


class Book:
    """What is gathered, by kind and then by number."""

    def __init__(self) -> None:
        self.sure: dict[str, dict[str, set[int]]] = {"month": defaultdict(set), "day": defaultdict(set)}
        self.short: set[str] = set(OTHER_CALENDARS)
        self.tiny: set[str] = set()
        self.before: set[str] = {"kw", "cw", "wk", "week"}
        self.after: set[str] = set(QUARTERS)
        self.period: set[str] = set()
        self.half: set[str] = {"am", "pm"}
        self.joining: set[str] = {"ค", "ศ", "พ", "of", "the", "at", "am", "um", "den", "las", "alle", "à", "kl", "ngày"}

    def add_name(self, kind: str, number: int, name: str, *, is_sure: bool) -> None:
        """One name of a month or weekday; a name of several words leaves its words, which count together."""
        if any(char.isdigit() for char in name):
            self._add_numbered(name)
            return
        words = _words(name)
        if len(words) > 1 and not _has_case(name) and "." in _plain(name):
            self.sure[kind][_plain(name)].add(number)
        elif len(words) > 1:
            long = [word for word in words if len(word) > 4 and word not in ORDINARY]
            if is_sure and len(long) == 1 and len(words) == 2:
                self.sure[kind][long[0]].add(number)
            self.short.update(w for w in words if is_sure and len(w) >= 2 + w.isascii() and w not in ORDINARY)
        elif words:
            self._add_word(kind, number, words[0], is_sure=is_sure)

    def _add_word(self, kind: str, number: int, word: str, *, is_sure: bool) -> None:
        if len(word) <= 2 and _has_case(word):
            self.tiny.add(word)
        elif is_sure and word not in ORDINARY:
            self.sure[kind][word].add(number)
        elif len(word) == 1:
            self.tiny.add(word)
        else:
            self.short.add(word)

    def _add_numbered(self, name: str) -> None:
        found = re.fullmatch(r"(\D*?)\W*\d+\W*(\D*)", _plain(name))
        if found and len(found[1]) > 1:
            self.before.add(found[1])


def _gather(book: Book) -> None:
    for locale in _locales():
        data, is_common = locale._data, locale.language in COMMON
        for context in ("format", "stand-alone"):
            for kind, table, least in (("month", "months", 1), ("day", "days", 0)):
                for number, name in _names(data, table, context, "wide").items():
                    if is_common or len(_plain(name)) >= 5:
                        book.add_name(kind, int(number) - least + 1, name, is_sure=is_common)  # type: ignore[call-overload]
                for width in ("abbreviated", "short"):
                    for number, name in _names(data, table, context, width).items():
                        if is_common:
                            book.add_name(kind, int(number) - least + 1, name, is_sure=False)  # type: ignore[call-overload]
            for width in ("wide", "abbreviated"):
                for period, name in _names(data, "day_periods", context, width).items() if is_common else ():
                    book.period.update(word for word in _words(name) if len(word) >= 3 or not _has_case(word))
                    book.half.update(_words(name) if period in ("am", "pm") else ())
        if is_common:
            _gather_literals(book, data)


def _gather_literals(book: Book, data: object) -> None:
    """The words that stand in dates between the numbers, and those by which a week is numbered."""
    patterns = [
        getattr(f, "pattern", str(f))
        for table in ("date_formats", "time_formats")
        for f in _names(data, table).values()
    ]
    patterns += [
        getattr(f, "pattern", str(f)) for name, f in _names(data, "datetime_skeletons").items() if "y" in str(name)
    ]
    patterns += [re.sub(r"\{\d\}", " ", str(f)) for f in _names(data, "datetime_formats").values()]
    for pattern in patterns:
        book.joining.update(word for word in _literals(pattern) if len(word) <= 10)
    week = _names(data, "datetime_skeletons").get("yw")
    if week is not None:
        pattern = getattr(week, "pattern", str(week))
        head, _, tail = re.sub(r"'[^']*'", lambda m: m[0].replace("w", "\0"), pattern).partition("w")
        head, tail = head.replace("\0", "w"), tail.replace("\0", "w")
        before, after = _literals(head), _literals(tail)
        if before and before[-1] not in NO_WEEK:
            book.before.add(before[-1])
        elif after and after[0] not in NO_WEEK:
            book.after.add(after[0])


def _literals(pattern: str) -> list[str]:
    quoted = re.findall(r"'([^']+)'", pattern)
    bare = re.findall(r"[^\W\d_A-Za-z][^\s\d_A-Za-z,.'/()-]*", re.sub(r"'[^']*'", " ", pattern))
    return [word for text in (*quoted, *bare) for word in _words(text)]


def main() -> None:
    """Gather and write."""
    book = Book()
    _gather(book)
    sure = {word for names in book.sure.values() for word in names}
    lines = [
        "# Names of months and weekdays and the words around them, in all languages of the Unicode CLDR.",
        f"# Made by tools/calendar_words.py out of Babel {babel.__version__} (CLDR {_cldr()}); do not edit.",
    ]
    for kind, numbers in (("month", range(1, 13)), ("day", range(1, 8))):
        for number in numbers:
            words = sorted(word for word, found in book.sure[kind].items() if number in found)
            lines.append(f"{kind} {number} {' '.join(words)}")
    book.short -= sure
    small = book.tiny - book.joining
    capital = small & CAPITALS
    kinds = {
        "short": book.short,
        "tiny": small - capital,
        "capital": capital,
        "before": book.before,
        "after": book.after,
        "period": (book.period - sure - book.joining - ORDINARY) | book.half,
        "joining": book.joining - sure - book.before - book.after,
    }
    for name, found in kinds.items():
        lines.append(f"{name} {' '.join(sorted(word for word in found if word))}")
    lines.append(f"ordinary {' '.join(sorted((book.short & ORDINARY) - sure))}")
    OUT.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(OUT, OUT.stat().st_size, "bytes,", len(sure), "sure,", len(book.short), "short")


def _cldr() -> str:
    return "48" if babel.__version__.startswith("2.19") else "as of that version"


if __name__ == "__main__":
    main()
