"""Whether one prompt is an edited version of another: most of its words are the same, in the same order.

The share of alike words is 2 m / (n_1 + n_2), m words in common runs. Example: one word of a prompt of eight changed
gives 14 / 16. Two more edits change much and leave the rest as it was: paragraphs were added or taken away, so that
hardly a word of the shorter prompt is not in the longer one, or they stand in another order. `edited_words` says which
words changed.

Not covered: prompts of one task that differ in a value (`families`), what an edited prompt makes of a task (`prompts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from freehold.text.prompts.template import Template

LEAST_ALIKE = 0.75
LEAST_KEPT, LEAST_MOVED = 0.95, 0.97
"""Share of the shorter prompt's words that are in the longer one, in order; share of alike words in any order."""
_LEAST_WORDS, _MOST_TIMES = 15, 5
"""What is kept is at least so many words; the longer prompt is at most so many times as long."""
_MOST_WORDS = 2000
_MOST_COMPARED = 400
_MOST_CHANGES, _LONGEST_CHANGE = 6, 80


def is_edited(old: Template, new: Template) -> bool:
    """Whether the shared text of `new` is that of `old` with some words changed; False where either has none."""
    return are_alike(words_of(old.text()), words_of(new.text()))


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared; at most 2,000."""
    return text.casefold().split()[:_MOST_WORDS]


def are_alike(before: Sequence[str], after: Sequence[str], *, is_quick: bool = False) -> bool:
    """Whether enough words are the same, in the same order.

    `is_quick` takes little more time than counting the words: where what differs, between the shared beginning and the
    shared end, is longer than 400 words, it says False.
    """
    total, shorter = len(before) + len(after), min(len(before), len(after))
    needed = LEAST_ALIKE * total / 2
    if shorter >= _LEAST_WORDS and total - shorter <= _MOST_TIMES * shorter:
        needed = min(needed, LEAST_KEPT * shorter)
    if not shorter or shorter < needed:
        return False
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    if head + tail >= needed:
        return True
    one, other = before[head : len(before) - tail], after[head : len(after) - tail]
    common = head + tail + (Counter(one) & Counter(other)).total()
    if common < needed:
        return False
    if shorter >= _LEAST_WORDS and 2 * common >= LEAST_MOVED * total:
        return True
    if is_quick and max(len(one), len(other)) > _MOST_COMPARED:
        return False
    matched = sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    return head + tail + matched >= needed


def edited_words(old: Template, new: Template) -> tuple[str, ...]:
    """What was changed, in runs of words: `+ Be brief.`, `- politely`; the first six, each cut to 80 characters."""
    before, after = old.text(" … ").split()[:_MOST_WORDS], new.text(" … ").split()[:_MOST_WORDS]
    found: list[str] = []
    for step, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if step in ("replace", "delete"):
            found.append(f"- {_short(before[i1:i2])}")
        if step in ("replace", "insert"):
            found.append(f"+ {_short(after[j1:j2])}")
    return tuple(found[:_MOST_CHANGES])


def _short(words: Sequence[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= _LONGEST_CHANGE else f"{text[: _LONGEST_CHANGE - 1]}…"


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
