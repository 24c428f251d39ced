"""Redactors: what takes secrets and people's data out of a text.

Packages offer more of them as entry points of the group `freehold.redactors` (`freehold.plugins`).

Not covered: what is redacted when. No stage redacts anything yet; a prompt step can (`freeze.prompt_steps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from freehold.plugins import REDACTORS


@dataclass(frozen=True, slots=True)
class Span:
    """What was taken out: characters `start` to `end` of the text as it was, and what they were."""

    start: int
    end: int
    kind: str


class Redactor(Protocol):
    """Takes something out of texts; it is made without arguments, and gives the same for the same text."""

    def redact(self, text: str) -> tuple[str, tuple[Span, ...]]:
        """The text with marks in place of what was taken out, and the spans of that, in order, none in another."""


def load_redactor(name: str) -> Redactor:
    """The redactor of this name; SettingError where there is none, or where it cannot be loaded."""
    with REDACTORS.errors_of(name):
        redactor: Redactor = REDACTORS.load(name)()
    return redactor
