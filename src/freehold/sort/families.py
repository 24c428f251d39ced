"""Which prompts are variants of one: the same text around a name, a date, a document; and which share instructions.

Two questions, both answered on the safe side (two tasks that should be one cost some calls; one that should be two
costs the proof its meaning):

- `families`: system prompts that differ in a value. A name or a number tells two variants apart from the first pair on;
  other short differences need MIN_VARIANTS; so do long ones (a retrieved document), where hardly a prompt comes twice.
- `clusters`: messages that begin or end with the same instructions. Shared text has to look like instructions: it ends
  in a line break or a colon, or is long; and a fair share of the messages has it, each with another text beside it.

Not covered: prompts that differ in structure, such as a list of few-shot examples drawn anew for each call.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from freehold.text.effort import check_effort
from freehold.text.language_names import names_language
from freehold.text.prompts.alignment import MIN_SHARED_CHARS, MIN_VARIANTS, common_start

VALUE_SHARE = 0.6
SLOT_SHARE = 0.8
SLOT_VARIANTS = 4
LONG_CHARS = 40
FAIR_SHARE = 0.1
_PAIR_SHARE = 0.3
_MOST_MEETINGS = 1_000_000
"""Places where a word of one prompt is that of another; comparing word by word takes time in proportion to them."""

_TOKEN = re.compile(r"[^\S\n]*(\n|\S+)")
_CLEAR = re.compile(r"\n|[^\W\d]:(?:\s|$)")
_SENTENCE_END = (".", "!", "?", ":", "\n", "-", "*", "#")


@dataclass(frozen=True, slots=True)
class Variant:
    """One distinct prompt and how many calls had it."""

    text: str
    calls: int


def families(variants: Sequence[Variant]) -> list[list[int]]:
    """The variants' positions, those of one family together, each list and the lists in order."""
    tokens = [_tokens(variant.text) for variant in variants]
    groups = _gather([[i] for i in range(len(variants))], tokens, "value")
    wide = _gather(groups, tokens, "slot")
    groups = [part for group in wide for part in ([group] if len(group) >= SLOT_VARIANTS else _parts(group, groups))]
    single = [group[0] for group in groups if len(group) == 1 and variants[group[0]].calls <= 2]
    shared = clusters([variants[i].text for i in single], least=SLOT_VARIANTS)
    long = [[single[i] for i in group] for group in shared]
    taken = {i for group in long for i in group}
    return sorted([*long, *(sorted(group) for group in groups if not taken & set(group))])


def clusters(texts: Sequence[str], *, least: int = MIN_VARIANTS) -> list[list[int]]:
    """Positions of texts that share instructions, by what they begin with, else by what they end with."""
    found = _by_start(texts, range(len(texts)), least)
    taken = {i for group in found for i in group}
    backwards = [text[::-1] for text in texts]
    rest = [i for i in range(len(texts)) if i not in taken]
    return sorted([*found, *_by_start(backwards, rest, least, is_reversed=True)])


def shared_ends(texts: Sequence[str]) -> tuple[str, str]:
    """What all texts begin with and what they end with."""
    first, last = min(texts), max(texts)
    backwards = [text[::-1] for text in texts]
    return common_start(first, last), common_start(min(backwards), max(backwards))[::-1]


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A prompt's words and line breaks, and which of them stand side by side."""

    words: list[str]
    pairs: frozenset[tuple[str, str]]


def _tokens(text: str) -> _Tokens:
    words = _TOKEN.findall(text)
    return _Tokens(words, frozenset(pairwise(words)))


def _parts(group: Sequence[int], groups: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(part) for part in groups if set(part) <= set(group)]


def _gather(
    groups: Sequence[Sequence[int]], tokens: Sequence[_Tokens], wanted: Literal["value", "slot"]
) -> list[list[int]]:
    """Join groups whose first members differ in no more than is wanted."""
    gathered: list[list[int]] = []
    for group in groups:
        for other in gathered:
            check_effort()
            if _is_variant(tokens[other[0]], tokens[group[0]], wanted):
                other.extend(group)
                break
        else:
            gathered.append(list(group))
    return gathered


def _is_variant(first: _Tokens, second: _Tokens, wanted: Literal["value", "slot"]) -> bool:
    if len(first.pairs & second.pairs) < _PAIR_SHARE * max(len(first.pairs), len(second.pairs)):
        return False  # comparing word by word takes its time, and most prompts have little in common
    one, other = first.words, second.words
    if _meetings(one, other) > _MOST_MEETINGS:
        return False
    least = (VALUE_SHARE if wanted == "value" else SLOT_SHARE) * max(len(one), len(other))
    steps = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    if sum(i2 - i1 for step, i1, i2, _, _ in steps if step == "equal") < least:
        return False
    for step, i1, i2, j1, j2 in steps:
        if step == "equal":
            continue
        if max(i2 - i1, j2 - j1) > 6:
            return False
        if wanted == "value" and not (_is_value(one, i1, i2) and _is_value(other, j1, j2)):
            return False
    return True


def _meetings(one: Sequence[str], other: Sequence[str]) -> int:
    counts = Counter(other)
    return sum(count * counts[word] for word, count in Counter(one).items())


def _is_value(tokens: Sequence[str], start: int, stop: int) -> bool:
    """Whether every word is a name, a number or an address.

    A capital at the start of a sentence tells nothing, and the name of a language says what is wanted.
    """
    if stop - start > 4:
        return False
    for index in range(start, stop):
        word = tokens[index].strip(".,;:!?()[]{}\"'*<>")
        if any(char.isdigit() for char in word) or "@" in word:
            continue
        starts = index == 0 or tokens[index - 1].endswith(_SENTENCE_END)
        is_acronym = len(word) > 2 and word.isupper()
        if not word[:1].isupper() or is_acronym or names_language(word) or (starts and index == start):
            return False
    return True


def _by_start(
    texts: Sequence[str], members: Sequence[int], least: int, *, is_reversed: bool = False
) -> list[list[int]]:
    """Groups of members that begin alike; a group that falls into several clear ones is taken apart."""
    found = []
    enough = max(least, FAIR_SHARE * len({texts[i] for i in members}))
    waiting = list(_groups(members, lambda i: texts[i][:MIN_SHARED_CHARS]))
    while waiting:
        group = waiting.pop()
        if len({texts[i] for i in group}) < enough:
            continue
        start = common_start(min(texts[i] for i in group), max(texts[i] for i in group))
        finer = _split(texts, group, len(start), least)
        if finer:
            waiting.extend(finer)
        elif _looks_like_instructions(start[::-1] if is_reversed else start):
            found.append(group)
    return found


def _split(texts: Sequence[str], group: Sequence[int], start: int, least: int) -> list[list[int]]:
    finer = [
        part
        for part in _groups(group, lambda i: texts[i][start : start + MIN_SHARED_CHARS])
        if len({texts[i] for i in part}) >= max(least, FAIR_SHARE * len(group))
    ]
    covered = sum(len(part) for part in finer)
    return finer if len(finer) > 1 and covered >= 0.9 * len(group) else []


def _groups(members: Sequence[int], head: Callable[[int], str]) -> list[list[int]]:
    by_head: dict[str, list[int]] = defaultdict(list)
    for i in members:
        by_head[head(i)].append(i)
    return [by_head[text] for text in sorted(by_head)]


def _looks_like_instructions(shared: str) -> bool:
    if len(shared.strip()) < MIN_SHARED_CHARS:
        return False
    return len(shared) >= LONG_CHARS or bool(_CLEAR.search(shared))
