"""Two answers side by side, with what differs marked: JSON field by field, everything else word by word.

Long stretches that are alike are shortened, long stretches that differ are cut with a count. Not covered: which answers
are shown and in what order (`prove.differences`), layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from freehold.model.evidence.answers import DifferenceFigures
from freehold.prove.report.words import clip
from freehold.text.json_text import JsonValue, parse_json
from freehold.text.scoring import leaves

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


def side_by_side(row: DifferenceFigures) -> SideBySide:
    """Put one difference of the evidence side by side."""
    wanted, owned, provider = row.wanted, row.owned, row.provider
    shown = clip(row.input, _LONGEST_INPUT, _cut(row, "input")[1])
    pairs, alike = _by_field(wanted, owned)
    first, second = ((), ()) if pairs else by_word(wanted, owned)
    is_same = provider == wanted and _cut(row, "provider") == _cut(row, "wanted")
    before, after = _cut(row, "provider")
    return SideBySide(
        id=row.id,
        confidence=row.confidence,
        graded=row.graded,
        is_local=row.is_local,
        input=shown[:_SHOWN_INPUT],
        more_input=shown[_SHOWN_INPUT:],
        fields=pairs[:_MOST_FIELDS],
        fields_alike=alike,
        fields_left_out=max(0, len(pairs) - _MOST_FIELDS),
        wanted=_shortened(first, row, "wanted"),
        owned=_shortened(second, row, "owned"),
        provider="" if is_same else f"{_before(before)}{clip(provider, _LONGEST_PIECE, after)}",
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
    return tuple(piece for piece in left if piece.text), tuple(piece for piece in right if piece.text)


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


def _shortened(pieces: tuple[Piece, ...], row: DifferenceFigures, side: str) -> tuple[Piece, ...]:
    """The pieces as they are shown, with what was left out before and after them when the evidence was gathered."""
    before, after = _cut(row, side)
    last = len(pieces) - 1
    shown = [Piece(_short(piece, after if i == last else 0), piece.is_same) for i, piece in enumerate(pieces)]
    return (*([Piece(_before(before), True)] if before else []), *shown)


def _cut(row: DifferenceFigures, text: str) -> tuple[int, int]:
    """How many characters were left out before and after a text when the evidence was gathered."""
    return row.cut.get(text, (0, 0))


def _before(count: int) -> str:
    return f"({count:,} characters before) … " if count else ""


def _short(piece: Piece, also: int) -> str:
    text = piece.text
    if not piece.is_same:
        return clip(text, _LONGEST_PIECE, also)
    if len(text) <= _LONGEST_SAME:
        return clip(text, _LONGEST_SAME, also)
    alike = f"{text[:_AROUND]} … ({len(text) - 2 * _AROUND:,} characters alike) … {text[-_AROUND:]}"
    return clip(alike, len(alike), also)
