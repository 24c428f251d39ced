"""One message of a template: shared text with gaps in it, and how a message is held against it.

A shown gap takes any text, which the owned model sees. A hidden gap takes a value of one kind alone (a date, an id, a
name), which the model does not see: it was the same in all calls that the model learnt from, and was left out there.

`fill(match(text)) == text`, exactly. Matching takes time in proportion to the text: of the places where a piece of
shared text could stand, at most `MOST_PLACES` are tried.

Not covered: how parts are learnt (`text.prompts.alignment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from freehold.text.dates.dates import is_date, is_id

GapKind = Literal["shown", "date", "id", "name"]
MOST_PLACES = 64
LONGEST_NAME = 60
_MOST_NAME_WORDS = 6
_NAME_ENDS = ".,;:!?()[]{}\"'*<>«»“”"


@dataclass(frozen=True, slots=True)
class Part:
    """One leading message of a template: `pieces` of shared text with a gap between each two."""

    role: str
    pieces: tuple[str, ...] = ("", "")
    gaps: tuple[GapKind, ...] = ("shown",)

    def __post_init__(self) -> None:
        if len(self.pieces) != len(self.gaps) + 1:
            raise ValueError(f"{len(self.pieces)} pieces of text do not go around {len(self.gaps)} gaps")

    @classmethod
    def fixed(cls, role: str, text: str) -> Part:
        """A message that is the same in every call."""
        return cls(role, (text,), ())

    @classmethod
    def around(cls, role: str, prefix: str = "", suffix: str = "") -> Part:
        """A message with one shown gap."""
        return cls(role, (prefix, suffix))

    @property
    def static_chars(self) -> int:
        """How much of the message is shared text."""
        return sum(map(len, self.pieces))

    @property
    def has_gap(self) -> bool:
        """Whether calls differ in this message at all."""
        return bool(self.gaps)

    @property
    def is_shown(self) -> bool:
        """Whether the owned model sees something of this message."""
        return "shown" in self.gaps

    def text(self, mark: str = " ") -> str:
        """The shared text, with `mark` where gaps are."""
        return mark.join(self.pieces)

    def fill(self, gaps: Sequence[str]) -> str:
        """The message with these texts in its gaps."""
        return self.pieces[0] + "".join(gap + piece for gap, piece in zip(gaps, self.pieces[1:], strict=True))

    def shown(self, gaps: Sequence[str]) -> str:
        """What the owned model sees of these gaps: the text of the only shown one, or one line for each."""
        return "\n".join(gap for gap, kind in zip(gaps, self.gaps, strict=True) if kind == "shown")

    def match(self, text: str) -> tuple[str, ...] | None:
        """What stands in the gaps, or None where the text does not fit."""
        first, last = self.pieces[0], self.pieces[-1]
        if not self.gaps:
            return () if text == first else None
        start, end = len(first), len(text) - len(last)
        if start > end or not (text.startswith(first) and text.endswith(last)):
            return None
        if len(self.gaps) == 1:
            gap = text[start:end]
            return (gap,) if self.gaps[0] == "shown" or fits_gap(self.gaps[0], gap) else None
        return self._among(text, start, end) if len(text) >= self.static_chars else None

    def _among(self, text: str, start: int, end: int) -> tuple[str, ...] | None:
        """The gaps of a text with several; `places` are where the text read so far can end, with what was in gaps."""
        places: list[tuple[int, tuple[str, ...]]] = [(start, ())]
        for kind, piece, later in zip(self.gaps, self.pieces[1:-1], range(1, len(self.gaps)), strict=False):
            only_first = all(gap == "shown" for gap in (kind, *self.gaps[later:]))
            reached: dict[int, tuple[str, ...]] = {}
            for position, taken in places:
                for place in _places(text, piece, position, end, kind):
                    reached.setdefault(place + len(piece), (*taken, text[position:place]))
                    if only_first:
                        break
            places = list(reached.items())[:MOST_PLACES]
        last = self.gaps[-1]
        return next(((*taken, text[p:end]) for p, taken in places if fits_gap(last, text[p:end])), None)


def fits_gap(kind: GapKind, text: str) -> bool:
    """Whether this text may stand in a gap of this kind."""
    return kind == "shown" or _is_value(kind, text)


def is_name(text: str) -> bool:
    """Whether the text could be the name of somebody or something: a few words, each with a capital or a digit."""
    words = text.split()
    if not 0 < len(words) <= _MOST_NAME_WORDS or len(text) > LONGEST_NAME or "\n" in text:
        return False
    return all(_is_name_word(word.strip(_NAME_ENDS)) for word in words)


def _is_name_word(word: str) -> bool:
    first = word[:1]
    has_case = first.lower() != first.upper()
    return not word or first.isupper() or not has_case or any(map(str.isdecimal, word)) or "@" in word or "&" in word


@lru_cache(maxsize=4096)
def _is_value(kind: GapKind, text: str) -> bool:
    match kind:
        case "date":
            return is_date(text)
        case "id":
            return is_id(text) or is_date(text)
    return is_name(text) or is_id(text) or is_date(text)


def _places(text: str, piece: str, start: int, end: int, kind: GapKind) -> list[int]:
    """Where the next piece can begin, as far as what would be in the gap before it is of that kind."""
    found: list[int] = []
    place = text.find(piece, start, end)
    for _ in range(MOST_PLACES):
        if place < 0 or (kind != "shown" and place - start > 2 * LONGEST_NAME):
            break
        if fits_gap(kind, text[start:place]):
            found.append(place)
        place = text.find(piece, place + 1, end)
    return found
