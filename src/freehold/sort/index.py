"""Which task a request belongs to, online: by name, by fingerprint, else by the template that it fits.

Tasks that an earlier version found have the fingerprints that it gave; they are looked up first, as they were.

Not covered: finding new tasks (`sort`). An index never changes; make a new one when tasks did.
"""

from __future__ import annotations

from collections.abc import Iterable

from freehold.model.exchange import Asked
from freehold.model.task import Task, versions_of
from freehold.sort.groups import OTHER, PART
from freehold.sort.names import slug
from freehold.text.prompts.fingerprint import CHAT_DIALECTS, earlier_key, is_bare, key, key_of, whole_lead
from freehold.text.prompts.fingerprint_v1 import KEY_START
from freehold.text.prompts.template import Template, frame

_REMEMBERED = 1024
_MOST_SPLITS = 16
_LONGEST_REMEMBERED = 262_144
"""Longer prompts are read anew each time, so that a few huge ones do not fill the memory."""


class TaskIndex:
    """An index over the known tasks."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        ordered = sorted(tasks, key=lambda task: (task.created_at, task.id))
        self._by_name = {name: task for task in reversed(ordered) for name in task.earlier_names}
        self._by_name |= {task.name: task for task in reversed(ordered)}
        self._by_key = {alias: task for task in reversed(ordered) for alias in task.aliases}
        self._by_key |= {version.key: task for task in reversed(ordered) for version in task.versions}
        self._by_key |= {task.key: task for task in reversed(ordered)}
        self._shaped = sorted(
            (
                (version.template.static_chars, version.template, task)
                for task in ordered
                if not task.is_named and task.rule is None
                for version in versions_of(task)
                if _is_shaped(version.template)
            ),
            key=lambda shape: -shape[0],
        )
        self._chars = {task.id: task.template.static_chars for task in ordered}
        self._features: dict[str, list[Task]] = {}
        for task in ordered:
            prompt, mark, _ = task.key.partition(PART)
            if mark and task.rule is None:
                self._features.setdefault(prompt, []).append(task)
        self._several = {
            prompt: sorted([self._by_key[prompt], *tasks], key=lambda task: -task.template.static_chars)
            for prompt, tasks in self._features.items()
            if prompt in self._by_key
        }
        self._splits: dict[str, list[Task]] = {}
        for task in ordered:
            if task.rule is not None:
                self._splits.setdefault(task.rule.parent, []).append(task)
        self._has_earlier = any(task.key.startswith(KEY_START) for task in ordered)
        self._keys: dict[tuple[object, ...], str] = {}

    def find(self, asked: Asked, explicit_name: str | None = None) -> Task | None:
        """The task of this request; a few microseconds for a prompt that came before."""
        if explicit_name:
            return self._by_name.get(slug(explicit_name))
        found = self._whole(asked)
        return self._part(found, asked) if found is not None and self._splits else found

    def _part(self, found: Task, asked: Asked) -> Task:
        """The task that was split off for such requests, or off that one; the task itself where none was."""
        for _ in range(_MOST_SPLITS):
            part = next((one for one in self._splits.get(found.id, ()) if one.rule and one.rule.takes(asked)), None)
            if part is None:
                break
            found = part
        return found

    def _whole(self, asked: Asked) -> Task | None:
        found = self._by_key.get(self.key(asked))
        if found is not None and found.key in self._features:
            return self._feature(found, asked)
        static_chars = self._chars[found.id] if found else 0
        if not self._shaped or self._shaped[0][0] <= static_chars or asked.dialect not in CHAT_DIALECTS:
            return found
        frames: dict[int, tuple[str, str]] = {}
        for chars, template, task in self._shaped:
            if chars <= static_chars:
                break
            if template.version not in frames:
                frames[template.version] = frame(asked, template.version)
            if template.frame == frames[template.version] and template.match(asked) is not None:
                return task
        return found

    def _feature(self, found: Task, asked: Asked) -> Task:
        """Of the features under one prompt the one whose instructions the request has, and the more of them."""
        several = self._several[found.key]
        fitting = next((task for task in several if task.template.match(asked) is not None), None)
        return fitting or next((task for task in several if task.key.endswith(PART + OTHER)), found)

    def key(self, asked: Asked) -> str:
        """The fingerprint by which the request is known, or would be; remembered by the texts that it is made from."""
        whole = whole_lead(asked)
        is_alone = not whole or is_bare(asked)
        texts = (asked.dialect, whole, asked.tools, asked.response_format, is_alone and asked.model)
        known = self._keys.get(texts)
        if known is not None:
            return known
        found = self._key(asked, whole if is_alone else "")
        if len(whole) + len(asked.tools or "") + len(asked.response_format or "") <= _LONGEST_REMEMBERED:
            if len(self._keys) >= _REMEMBERED:
                self._keys.clear()
            self._keys[texts] = found
        return found

    def _key(self, asked: Asked, bare: str) -> str:
        """A prompt with nothing after it is that of a task if one has it, and else the whole of what is asked."""
        if asked.dialect not in CHAT_DIALECTS:
            return key(asked)
        if self._has_earlier and (earlier := earlier_key(asked)) in self._by_key:
            return earlier
        if bare and (full := key_of(asked, bare)) in self._by_key:
            return full
        return key(asked)


def _is_shaped(template: Template) -> bool:
    """Whether requests can be of this form though their fingerprint is another: what varies is no date."""
    return any(kind in ("shown", "name") for part in template.parts for kind in part.gaps)
