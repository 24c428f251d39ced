"""Whether one prompt is an edited version of another: most of its words are the same, in the same order.

The share of alike words is 2 m / (n_1 + n_2), m words in common runs. Example: one word of a prompt of eight changed
gives 14 / 16. An edited prompt makes a task of its own, for what was proven was proven with the old one.

Not covered: prompts of one task that differ in a value (`families`).
"""

from __future__ import annotations

from difflib import SequenceMatcher

from freehold.core.template import Template

LEAST_ALIKE = 0.75
_MOST_WORDS = 2000


def is_edited(old: Template, new: Template) -> bool:
    """Whether the shared text of `new` is that of `old` with some words changed; False where either has none."""
    before, after = _words(old), _words(new)
    if not before or not after:
        return False
    alike = SequenceMatcher(None, before, after, autojunk=False)
    return all(ratio() >= LEAST_ALIKE for ratio in (alike.real_quick_ratio, alike.quick_ratio, alike.ratio))


def _words(template: Template) -> list[str]:
    return template.text().casefold().split()[:_MOST_WORDS]
