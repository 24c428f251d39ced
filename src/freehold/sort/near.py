"""Whether a request that no task is known for has the prompt of one of a few tasks in an edited version: online.

The sorter looks closer some seconds later (`prompts`), and may find it to be another feature; until then the request is
taken for the task's, and answered by the provider as any other.

Not covered: prompts whose instructions are in a message, which only the sorter finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from freehold.model.exchange import Asked
from freehold.model.task import Task, versions_of
from freehold.sort.edits import are_alike, words_of
from freehold.sort.prompts import LEAST_ALIKE_FIELDS
from freehold.text.prompts.fingerprint import CHAT_DIALECTS, LEAD_ROLES, lead_text
from freehold.text.prompts.request_shape import likeness, outline
from freehold.text.prompts.template import frame

_REMEMBERED = 1024
_LONGEST_REMEMBERED = 65_536
"""Longer prompts are not looked at here."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    task: Task
    words: list[str]
    frame: tuple[str, str]
    outline: tuple[str, ...]


class NearPrompts:
    """The newest prompts of some tasks. An index never changes; make a new one when tasks did."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._prompts = [prompt for task in tasks if (prompt := _prompt(task)) is not None]
        self._found: dict[tuple[str, str | None, str | None], Task | None] = {}

    def find(self, asked: Asked) -> Task | None:
        """The task whose prompt this one is an edit of; what was asked before is remembered."""
        if not self._prompts or asked.dialect not in CHAT_DIALECTS:
            return None
        lead = lead_text(asked)
        if not lead or len(lead) > _LONGEST_REMEMBERED:
            return None
        texts = lead, asked.tools, asked.response_format
        if texts not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[texts] = self._find(asked, lead)
        return self._found[texts]

    def _find(self, asked: Asked, lead: str) -> Task | None:
        words, own = words_of(lead), frame(asked)
        for prompt in self._prompts:
            if prompt.frame != own:
                fields = outline(asked.tools, asked.response_format)
                if not (fields and prompt.outline) or likeness(prompt.outline, fields) < LEAST_ALIKE_FIELDS:
                    continue
            if are_alike(prompt.words, words, is_quick=True):
                return prompt.task
        return None


def _prompt(task: Task) -> _Prompt | None:
    newest = versions_of(task)[-1]
    lead = " ".join(part.text() for part in newest.template.parts if part.role in LEAD_ROLES)
    if not lead or task.is_named or task.rule is not None or newest.template.version < 2:
        return None
    return _Prompt(task, words_of(lead), newest.template.frame, task.outline)
