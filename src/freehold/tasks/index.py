"""Which task a request belongs to, online: by name, by fingerprint, else by the template that it fits.

Not covered: finding new tasks (`sort`). An index never changes; make a new one when tasks did.
"""

from __future__ import annotations

from collections.abc import Iterable

from freehold.core.exchange import Asked
from freehold.core.fingerprint import CHAT_DIALECTS, key, lead_text
from freehold.core.task import Task
from freehold.tasks.names import slug

_REMEMBERED = 1024


class TaskIndex:
    """An index over the known tasks."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        ordered = sorted(tasks, key=lambda task: (task.created_at, task.id))
        self._by_name = {task.name: task for task in reversed(ordered)}
        self._by_key = {task.key: task for task in reversed(ordered)}
        shaped = [task for task in ordered if not task.is_named and any(p.has_gap for p in task.template.parts)]
        self._shaped = sorted(shaped, key=lambda task: -task.template.static_chars)
        self._keys: dict[tuple[str | None, ...], str] = {}

    def find(self, asked: Asked, explicit_name: str | None = None) -> Task | None:
        """The task of this request; a few microseconds for a prompt that came before."""
        if explicit_name:
            return self._by_name.get(slug(explicit_name))
        found = self._by_key.get(self.key(asked))
        if asked.dialect not in CHAT_DIALECTS:
            return found
        static_chars = found.template.static_chars if found else 0
        for task in self._shaped:
            if task.template.static_chars <= static_chars:
                break
            if task.template.fits(asked):
                return task
        return found

    def key(self, asked: Asked) -> str:
        """The request's fingerprint, remembered by the texts it is made from: masking long prompts takes its time."""
        lead = lead_text(asked)
        texts = (asked.dialect, lead, asked.tools, asked.response_format, None if lead else asked.model)
        if texts not in self._keys:
            if len(self._keys) >= _REMEMBERED:
                self._keys.clear()
            self._keys[texts] = key(asked)
        return self._keys[texts]
