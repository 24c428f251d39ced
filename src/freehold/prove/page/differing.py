"""Two answers side by side, with what differs marked: JSON field by field, everything else word by word.

Long stretches that are alike are shortened, long stretches that differ are cut with a count. Not covered: which answers
are shown and in what order (`prove.differences`), layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from freehold.core.scoring import JsonValue, leaves, parse_json
from freehold.prove.page.sheet import Sheet
from freehold.prove.page.words import clip

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 200
_MOST_FIELDS = 12
_LONGEST_PIECE = 600
_LONGEST_SAME = 260
_AROUND = 100
_SHOWN_INPUT = 280
_LONGEST_INPUT = 2100
_LEFT_OUT = "(left out)"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer."""

    text: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class FieldPair:
    """One JSON field that differs, as both sides wrote it."""

    path: str
    wanted: str
    owned: str


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One call on which both sides differ; `fields` is filled for JSON, the two `pieces` for everything else."""

    id: str
    confidence: float | None
    graded: float | None
    is_local: bool
    input: str
    more_input: str
    fields: tuple[FieldPair, ...]
    fields_alike: int
    fields_left_out: int
    wanted: tuple[Piece, ...]
    owned: tuple[Piece, ...]
    provider: str


def side_by_side(row: Sheet) -> SideBySide:
    """Put one difference of the evidence side by side."""
    wanted, owned, shown = row.text("wanted"), row.text("owned"), clip(row.text("input"), _LONGEST_INPUT)
    pairs, alike = _by_field(wanted, owned)
    first, second = ((), ()) if pairs else by_word(wanted, owned)
    return SideBySide(
        id=row.text("id"),
        confidence=row.number("confidence"),
        graded=row.number("graded"),
        is_local=row.flag("is_local"),
        input=shown[:_SHOWN_INPUT],
        more_input=shown[_SHOWN_INPUT:],
        fields=pairs[:_MOST_FIELDS],
        fields_alike=alike,
        fields_left_out=max(0, len(pairs) - _MOST_FIELDS),
        wanted=first,
        owned=second,
        provider="" if row.text("provider") == wanted else clip(row.text("provider"), _LONGEST_PIECE),
    )


def by_word(first: str, second: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts as stretches that are alike and stretches that differ.

    What both begin and end with is taken off first; a rest of more than _MOST_WORDS words differs as a whole, since
    comparing it word by word would take time that grows with its square.
    """
    a, b = _WORD.findall(first), _WORD.findall(second)
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    blocks = [(0, 0, head), *_between(a, b, head, tail), (len(a) - tail, len(b) - tail, tail)]
    left, right, at_a, at_b = [], [], 0, 0
    for i, j, size in blocks:
        left += [Piece("".join(a[at_a:i]), False), Piece("".join(a[i : i + size]), True)]
        right += [Piece("".join(b[at_b:j]), False), Piece("".join(b[j : j + size]), True)]
        at_a, at_b = i + size, j + size
    return _tidy(left), _tidy(right)


def _by_field(wanted: str, owned: str) -> tuple[tuple[FieldPair, ...], int]:
    """The fields that differ and the number of those alike; none where a side is no JSON object or list."""
    want, is_wanted = parse_json(wanted)
    have, is_had = parse_json(owned)
    if not (is_wanted and is_had and isinstance(want, dict | list) and isinstance(have, dict | list)):
        return (), 0
    left, right = _written(want), _written(have)
    paths = list(dict.fromkeys([*left, *right]))
    pairs = [
        FieldPair(
            path, clip(left.get(path, _LEFT_OUT), _LONGEST_PIECE), clip(right.get(path, _LEFT_OUT), _LONGEST_PIECE)
        )
        for path in paths
        if left.get(path) != right.get(path)
    ]
    return tuple(pairs), len(paths) - len(pairs)


def _written(value: JsonValue) -> dict[str, str]:
    spelt = {None: "null", True: "true", False: "false"}
    found = {}
    for path, leaf in leaves(value).items():
        is_word = leaf is None or isinstance(leaf, bool)
        found[path] = spelt[leaf] if is_word else f"“{leaf}”" if isinstance(leaf, str) else str(leaf)  # type: ignore[index]
    return found


def _between(a: list[str], b: list[str], head: int, tail: int) -> list[tuple[int, int, int]]:
    left, right = a[head : len(a) - tail], b[head : len(b) - tail]
    if not left or not right or max(len(left), len(right)) > _MOST_WORDS:
        return []
    found = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    return [(block.a + head, block.b + head, block.size) for block in found if block.size]


def _common(a: list[str], b: list[str]) -> int:
    size = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        size += 1
    return size


def _tidy(pieces: list[Piece]) -> tuple[Piece, ...]:
    return tuple(Piece(_short(piece), piece.is_same) for piece in pieces if piece.text)


def _short(piece: Piece) -> str:
    text = piece.text
    if not piece.is_same:
        return clip(text, _LONGEST_PIECE)
    if len(text) <= _LONGEST_SAME:
        return text
    return f"{text[:_AROUND]} … ({len(text) - 2 * _AROUND:,} characters alike) … {text[-_AROUND:]}"
