"""A task: the calls that share one prompt template; what gets trained, proven and moved as a unit.

A task's prompt may be edited: it goes on as the same task, in a new version, and the calls of both are its data
(`versions_of`). People may merge tasks, split them and name them anew; what they said is kept here, too, and new calls
follow it.

Not covered: which calls belong to which task (`sort`), what an edit moves in the record (`sort.run.task_edits`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from freehold.model.dataset import OutputKind
from freehold.model.exchange import Asked
from freehold.model.ids import sha256_hex
from freehold.text.prompts.fingerprint import LEAD_ROLES
from freehold.text.prompts.template import Template

SplitBy = Literal["contains", "begins", "asks"]
ASKS = ("json", "tools", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """One version of a task's prompt, numbered from 1; `since` is its first call, Unix seconds.

    `changed` says in words what differs from the version before, `outline` the fields that it asks for
    (`text.prompts.request_shape.outline`). `is_young` holds while it has too few calls for its template to be sure.
    """

    number: int
    key: str
    template: Template
    since: float
    changed: tuple[str, ...] = ()
    outline: tuple[str, ...] = ()
    is_young: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRule:
    """Which requests of the task with id `parent` are another task's, as a person said.

    By `contains` those with `text` in their prompt or first message, by `begins` those whose first message begins with
    it, by `asks` those that ask for json, tools or (neither) text.
    """

    parent: str
    by: SplitBy
    text: str

    def takes(self, asked: Asked) -> bool:
        """Whether the request is one of them."""
        if self.by == "asks":
            kind = "tools" if asked.tools else "json" if asked.response_format else "text"
            return kind == self.text
        first = next((message.content for message in asked.messages if message.role not in LEAD_ROLES), "")
        if self.by == "begins":
            return first.startswith(self.text)
        lead = (message.content for message in asked.messages if message.role in LEAD_ROLES)
        return self.text in first or any(self.text in text for text in lead)

    @property
    def words(self) -> str:
        """The rule in words."""
        match self.by:
            case "asks":
                return f"asks for {self.text}"
            case "begins":
                return f"begins with {self.text!r}"
        return f"contains {self.text!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. `id` is the hash of `key`, so that two sorters at once find the same task.

    `is_named` holds when the client named it. `is_loose` holds while it is unsettled: too few calls, or a prompt that
    says too little, so that its calls are handed to `sort.sort_calls` again with the next ones. `is_trainable` is
    False for what no text model can take over, embeddings for instance.

    `template` is that of the newest of `versions`; none of those are kept while there is only one. `aliases` are other
    fingerprints that its requests have, and are looked up after all keys. `earlier_names` still mean this task,
    `merged` are ids of tasks that were made part of it, and `rule` is set where it was split off another one.
    `outline` is that of the newest version.
    """

    id: str
    name: str
    key: str
    template: Template = field(default_factory=Template)
    kind: OutputKind = "text"
    created_at: float = 0.0
    is_named: bool = False
    is_loose: bool = False
    is_trainable: bool = True
    aliases: tuple[str, ...] = ()
    earlier_names: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    rule: SplitRule | None = None
    versions: tuple[PromptVersion, ...] = ()
    outline: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names that mean this task, the present one first."""
        return (self.name, *self.earlier_names)


def versions_of(task: Task) -> tuple[PromptVersion, ...]:
    """The versions of a task's prompt, oldest first; the first one where it was never edited."""
    if task.versions:
        return task.versions
    first = PromptVersion(number=1, key=task.key, template=task.template, since=task.created_at, outline=task.outline)
    return (first,)


def version_of(task: Task, asked: Asked) -> PromptVersion | None:
    """The version that a request of the task is of: the newest that it fits; None where it fits none."""
    return next((version for version in reversed(versions_of(task)) if version.template.fits(asked)), None)


def fits_some(task: Task, asked: Asked) -> bool:
    """Whether a request fits some version of the task's prompt."""
    if not task.versions:
        return task.template.fits(asked)
    return version_of(task, asked) is not None


def task_id(key: str) -> str:
    """The id of the task with this key."""
    return sha256_hex(key)[:12]
