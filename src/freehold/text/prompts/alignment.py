"""What many texts have in common, piece by piece: how the part of a template is learnt from its messages.

Dates and ids are taken out first (`text.dates.dates`), so that texts of two days have in common what stands around the
date. Of a text that all calls share these are hidden gaps; where they differ among the calls they are shown, as
everything else that differs. What counts as shared is kept on the safe side, because content that happens to be common
must stay content: shared text is at least MIN_SHARED_CHARS long and cut back to a line, a colon or at least a word.

A date is left in the shared text where it is none of today's: where another one in the same text is
(`text.dates.moments`), or where it stayed the same for days.

Not covered: which messages are held against each other (`text.prompts.template`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple, TypeVar

from freehold.text.dates.dates import spots
from freehold.text.dates.moments import DAY_S, is_of, says_a_day
from freehold.text.effort import check_effort
from freehold.text.prompts.part import GapKind, Part

T = TypeVar("T")
MIN_SHARED_CHARS = 24
MIN_VARIANTS = 8
STRAY_SHARE = 0.02
"""The share of calls that a learnt template may fail to fit, so that one stray call does not spoil it."""
MOST_GAPS = 40
"""Of more dates and ids in one text than this only those are gaps that are today's, or else the first ones."""
_SURE_DAYS = 2.6
_TEXTS_READ, _CHARS_READ = 24, 2000
_TEXTS_ALIGNED, _WORDS_ALIGNED = 60, 1500
_HOLE = "\0"
_CLEAR_CUT = re.compile(r"\n|(?<=[^\W\d]):(?:\s+|$)|>\s*|\"\"\"|```")
_WORDS = re.compile(r"\s*\S+")


class _Value(NamedTuple):
    text: str
    kind: GapKind


@dataclass(frozen=True, slots=True)
class _Masked:
    """A text with a hole in place of each date and id, and what stood there."""

    text: str
    values: tuple[_Value, ...]


def fixed_part(role: str, text: str, times: Sequence[float] = ()) -> Part:
    """The part of a text that all calls share; `times` (Unix seconds) say when they were made."""
    return _around(role, [text], times)


def aligned_part(role: str, texts: Sequence[str], times: Sequence[float] = (), *, is_lead: bool) -> Part:
    """The part of texts that differ: shared text around gaps.

    In a system prompt (`is_lead`) there may be several; any other text has one, so that content stays in one piece.
    """
    distinct = sorted(set(texts))
    masked: dict[str, _Masked] = {}
    if not any(_HOLE in text for text in distinct) and (is_lead or _gains_by_masking(distinct)):
        masked = {text: _masked(text) for text in distinct}
    by_text = Counter(masked[text].text for text in texts) if masked else Counter(texts)
    text, count = commonest(by_text)
    if is_lead and count >= len(texts) - int(len(texts) * STRAY_SHARE):
        segments = [text]
    else:
        segments = _segments(by_text, is_lead=is_lead)
    if not masked:
        return _around(role, segments, times)
    found = _values(segments, [masked[text] for text in distinct])
    return _part(role, segments, found, _varying(found, times))


def commonest(values: Sequence[T] | Counter[T]) -> tuple[T, int]:
    """The commonest value and its count; among equals the least, so that the order of calls is no matter."""
    counts = Counter(values)
    most = max(counts.values())
    return min((value for value, count in counts.items() if count == most), key=repr), most


def common_start(one: str, other: str) -> str:
    """The longest text that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return one[:low]


def _masked(text: str) -> _Masked:
    pieces: list[str] = []
    values: list[_Value] = []
    end = 0
    for spot in spots(text):
        if spot.start == end and values:
            values[-1] = _Value(values[-1].text + text[spot.start : spot.end], "id")
        else:
            pieces.append(text[end : spot.start])
            values.append(_Value(text[spot.start : spot.end], spot.kind))
        end = spot.end
    return _Masked(_HOLE.join([*pieces, text[end:]]), tuple(values))


def _around(role: str, segments: Sequence[str], times: Sequence[float]) -> Part:
    """The part of shared text that is not masked yet; what dates are in it are the same in all calls."""
    is_masked = not any(_HOLE in segment for segment in segments)
    sides = [_masked(segment) if is_masked else _Masked(segment, ()) for segment in segments]
    found = [{value} for side in sides for value in side.values]
    return _part(role, [side.text for side in sides], found, _varying(found, times))


def _part(role: str, segments: Sequence[str], values: Sequence[set[_Value]], varying: Sequence[bool]) -> Part:
    """Segments, with a shown gap between each two, as a part; `values` are what stood in the holes, in order."""
    pieces, gaps, hole = [""], list[GapKind](), 0
    for number, segment in enumerate(segments):
        if number:
            pieces.append("")
            gaps.append("shown")
        for place, text in enumerate(segment.split(_HOLE) if values else [segment]):
            if place:
                found, is_varying = values[hole], varying[hole]
                hole += 1
                if is_varying or len(found) != 1:
                    gaps.append(_kind(found))
                    pieces.append("")
                else:
                    pieces[-1] += next(iter(found)).text
            pieces[-1] += text
    return Part(role, tuple(pieces), tuple(gaps))


def _kind(found: set[_Value]) -> GapKind:
    return next(iter(found)).kind if len(found) == 1 else "shown"


def _varying(values: Sequence[set[_Value]], times: Sequence[float]) -> list[bool]:
    """Which holes are gaps: those that differ among calls, and of the others those that will."""
    constant = [next(iter(found)) if len(found) == 1 else None for found in values]
    if not times:
        todays: list[bool | None] = [None] * len(constant)
    else:
        ends = (min(times), max(times))
        todays = [_is_todays(value, ends) if value else True for value in constant]
    has_todays = any(
        today and (value is None or any(map(str.isdecimal, value.text)))
        for value, today in zip(constant, todays, strict=True)
    )  # a weekday alone may agree by chance
    is_long = bool(times) and max(times) - min(times) > _SURE_DAYS * DAY_S
    will = [
        value is None
        or not (value.kind == "date" and ((has_todays and today is False) or (is_long and says_a_day(value.text))))
        for value, today in zip(constant, todays, strict=True)
    ]
    if sum(will) <= MOST_GAPS:
        return will
    sure = [value is None or today is True for value, today in zip(constant, todays, strict=True)]
    return sure if any(sure) else [is_one and place < MOST_GAPS for place, is_one in enumerate(will)]


def _is_todays(value: _Value, times: Sequence[float]) -> bool | None:
    """Whether a date is that of one of these moments; None for an id, and where that cannot be said."""
    said = [is_of(value.text, moment) for moment in times] if value.kind == "date" else [None]
    return True if True in said else said[0]


def _values(segments: Sequence[str], texts: Sequence[_Masked]) -> list[set[_Value]]:
    """What stood in each hole of the segments, in the texts that have them all."""
    found: list[set[_Value]] = [set() for _ in range(sum(segment.count(_HOLE) for segment in segments))]
    for masked in texts:
        places = _places(segments, masked.text)
        if places is None:
            continue
        hole = 0
        for segment, place in zip(segments, places, strict=True):
            first = masked.text.count(_HOLE, 0, place)
            for step in range(segment.count(_HOLE)):
                found[hole].add(masked.values[first + step])
                hole += 1
    return found


def _places(segments: Sequence[str], text: str) -> list[int] | None:
    """Where the segments stand in a text, the first at its beginning and the last at its end."""
    if len(segments) == 1:
        return [0] if text == segments[0] else None
    first, *inner, last = segments
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end < len(first):
        return None
    places, position = [0], len(first)
    for segment in inner:
        place = text.find(segment, position, end)
        if place < 0:
            return None
        places.append(place)
        position = place + len(segment)
    return [*places, end]


def _gains_by_masking(distinct: Sequence[str]) -> bool:
    """Whether messages have clearly more in common around their dates than up to the first one."""
    step = max(1, len(distinct) // _TEXTS_READ)
    some = distinct[::step][:_TEXTS_READ]
    heads, tails = [text[:_CHARS_READ] for text in some], [text[-_CHARS_READ:] for text in some]
    for texts, back in ((heads, 1), (tails, -1)):
        plain = _shared(sorted(text[::back] for text in texts))
        masked = _shared(sorted(_masked(text).text[::back] for text in texts))
        if len(masked) >= len(plain) + MIN_SHARED_CHARS:
            return True
    return False


def _shared(ordered: Sequence[str]) -> str:
    return common_start(ordered[0], ordered[-1]) if ordered else ""


def _segments(by_text: Counter[str], *, is_lead: bool) -> list[str]:
    """What nearly all distinct texts begin with and end with, and in a system prompt what they share between."""
    distinct = sorted(by_text)
    strays = int(len(distinct) * STRAY_SHARE)
    are_many = is_lead and len(distinct) >= MIN_VARIANTS
    prefix = _cut_prefix(_shared_prefix(distinct, len(distinct) - strays), to_word=are_many)
    rest = [text[len(prefix) :] for text in distinct if text.startswith(prefix)]
    backwards = sorted(text[::-1] for text in rest)
    shared = _shared_prefix(backwards, max(1, len(distinct) - strays - (len(distinct) - len(rest))))
    suffix = _cut_suffix(shared[::-1], to_word=are_many)
    if not are_many:
        return [prefix, suffix]
    cores = {
        text[len(prefix) : len(text) - len(suffix)]: by_text[text]
        for text in distinct
        if text.startswith(prefix) and text.endswith(suffix) and len(text) >= len(prefix) + len(suffix)
    }
    return [prefix, *_inner(cores, strays), suffix]


def _inner(cores: dict[str, int], strays: int) -> list[str]:
    """Shared text in the middle of prompts; none where they are long, or have no long stretch of words in common."""
    ordered = sorted(cores, key=lambda text: (-cores[text], text))
    blocks = [ordered[0]]
    for other in ordered[1:_TEXTS_ALIGNED]:
        check_effort()
        if _are_in(blocks, other):
            continue
        if len(other) > _WORDS_ALIGNED * 8:
            return []
        blocks = _common_blocks(blocks, other)
        if not blocks:
            return []
    missing = sum(not _are_in(blocks, text) for text in ordered)
    return blocks if missing <= strays else []


def _are_in(blocks: Sequence[str], text: str) -> bool:
    return _places(["", *blocks, ""], text) is not None


def _common_blocks(blocks: Sequence[str], other: str) -> list[str]:
    """The stretches of words that the blocks and another text have in common, those that are long enough."""
    theirs = _WORDS.findall(other)
    found: list[str] = []
    for block in blocks:
        ours = _WORDS.findall(block)
        if max(len(ours), len(theirs)) > _WORDS_ALIGNED:
            return []
        for start, _, size in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
            text = "".join(ours[start : start + size]).lstrip()
            if len(text.strip()) >= MIN_SHARED_CHARS:
                found.append(text)
    return found


def _shared_prefix(ordered: Sequence[str], least: int) -> str:
    """The longest text that at least `least` of the sorted texts begin with."""
    best = ""
    for first in range(len(ordered) - least + 1):
        window = common_start(ordered[first], ordered[first + least - 1])
        best = window if len(window) > len(best) else best
    return best


def _cut_prefix(text: str, *, to_word: bool) -> str:
    """Cut a shared beginning back to the last line or colon, else to the last whole word; empty when too short."""
    cuts = [] if to_word else [m.end() for m in _CLEAR_CUT.finditer(text) if m.end() >= MIN_SHARED_CHARS]
    text = text[: cuts[-1]] if cuts else re.sub(r"\S+\Z", "", text)
    return text if len(text.strip()) >= MIN_SHARED_CHARS else ""


def _cut_suffix(text: str, *, to_word: bool) -> str:
    """Cut a shared ending forward to its first line, else to the first whole word; empty when too short."""
    line = -1 if to_word else text.find("\n")
    text = text[line:] if 0 <= line <= len(text) - MIN_SHARED_CHARS else re.sub(r"\A\S+", "", text)
    return text if len(text.strip()) >= MIN_SHARED_CHARS else ""
