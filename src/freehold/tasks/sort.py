"""Sort calls into tasks by what their requests share; a pure function, called again whenever new calls have come.

The flow: calls that belong to a settled task go there. The others, and all calls of loose tasks, are grouped afresh: by
explicit name, by fingerprint, then system prompts that differ in a value are joined and prompts that say nothing
("You are a helpful assistant") are parted by the instructions in their messages. Hence the order in which calls come
matters little: whatever was grouped on thin evidence is looked at again with more.

Ids are hashes of keys, keys come from the earliest call, so that two sorters agree. Not covered: which calls to hand in
(the unsorted ones and those of loose tasks, newest first where they are many).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from freehold.core.exchange import Asked
from freehold.core.fingerprint import CHAT_DIALECTS, LEAD_ROLES, key, lead_text
from freehold.core.fingerprint_v1 import KEY_START
from freehold.core.kind import output_kind
from freehold.core.task import Task, task_id, version_of
from freehold.core.template import Template, learn, widen
from freehold.tasks.grouping import Group, Reading, by_time, group_calls
from freehold.tasks.index import TaskIndex
from freehold.tasks.names import suggest, unique

KIND_ANSWERS = 20
"""How many new answers it takes to change what kind of answers a settled task is said to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The outcome. `retired` maps a task that was found to be part of another one to that one: its calls move there."""

    new_tasks: tuple[Task, ...] = ()
    changed_tasks: tuple[Task, ...] = ()
    assigned: dict[str, str] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)


def sort_calls(
    calls: Iterable[Reading], known: Sequence[Task] = (), *, settled: Collection[str] = frozenset()
) -> Sorted:
    """Say which task each call belongs to; ids in `settled` (tasks with a model, say) are never retired."""
    ordered = sorted(calls, key=by_time)
    index = TaskIndex(known)
    placed: dict[str, list[Reading]] = defaultdict(list)
    unsettled: list[tuple[str, Reading]] = []
    for reading in ordered:
        task = index.find(reading.asked, reading.explicit_name)
        if task is None or task.is_loose:
            unsettled.append((index.key(reading.asked), reading))
        else:
            placed[task.id].append(reading)
    book = _Book(known, settled)
    for known_task in known:
        if known_task.id in placed:
            book.extend(known_task, placed[known_task.id])
    for group in group_calls(unsettled, known):
        book.enter(group)
    return book.outcome()


def _with_template(task: Task, template: Template) -> Task:
    """The task with another template of its prompt's newest version."""
    if task.template == template:
        return task
    versions = (*task.versions[:-1], replace(task.versions[-1], template=template)) if task.versions else ()
    return replace(task, template=template, versions=versions)


class _Book:
    """Collects what becomes of tasks while groups are entered."""

    def __init__(self, known: Sequence[Task], settled: Collection[str]) -> None:
        self._known = {task.id: task for task in known}
        self._settled = set(settled) | {task.id for task in known if task.is_named}
        self._now: dict[str, Task] = dict(self._known)
        self._assigned: dict[str, str] = {}
        self._retired: dict[str, str] = {}

    def extend(self, task: Task, readings: Sequence[Reading]) -> None:
        """Add calls to a settled task; its template widens where they fit none of its prompt's versions."""
        misfits = [reading.asked for reading in readings if version_of(task, reading.asked) is None]
        told = [reading.answer for reading in readings if reading.answer is not None]
        kind = output_kind(told) if len(told) >= KIND_ANSWERS else task.kind
        template = widen(task.template, misfits) if misfits else task.template
        aliases = task.aliases or self._aliases(task, readings[0].asked)
        self._put(replace(_with_template(task, template), kind=kind, aliases=aliases), readings)

    def _aliases(self, task: Task, asked: Asked) -> tuple[str, ...]:
        """The fingerprint of today for a task of an earlier version: by it the task is known in other months."""
        if not task.key.startswith(KEY_START):
            return ()
        alias = key(asked)
        return () if any(alias in (other.key, *other.aliases) for other in self._now.values()) else (alias,)

    def enter(self, group: Group) -> None:
        """Make a task of a group, or change the one that it continues; other tasks in it retire into that one."""
        first = group.readings[0]
        asked = [reading.asked for reading in group.readings]
        own_id = task_id(group.key)
        ranked = sorted(group.tasks, key=lambda task: (task.id not in self._settled, task.created_at, task.id))
        old = self._now.get(own_id) if group.instructions else next(iter(ranked), None)
        times = [reading.created_at for reading in group.readings]
        template = learn(asked, times) if old is None or old.is_loose else widen(old.template, asked)
        task = Task(
            id=old.id if old else own_id,
            name=self._name(group, old, template),
            key=old.key if old else group.key,
            template=template,
            kind=output_kind([reading.answer for reading in group.readings if reading.answer is not None]),
            created_at=min(old.created_at, first.created_at) if old else first.created_at,
            is_named=bool(group.name) if old is None else old.is_named,
            is_loose=group.is_loose,
            is_trainable=first.asked.dialect in CHAT_DIALECTS,
        )
        self._put(task, group.readings)
        for other in ranked:
            if other.id != task.id and other.id not in self._settled:
                self._retired[other.id] = task.id
                self._now.pop(other.id, None)

    def _name(self, group: Group, old: Task | None, template: Template) -> str:
        """A task's name; it is settled when the task is, for only then is it known which words all calls share."""
        if old and (old.is_named or not old.is_loose or group.is_loose):
            return old.name
        lead = [part for part in template.parts if part.role in LEAD_ROLES and part.has_gap]
        shared = group.instructions or " ".join(part.text() for part in lead)
        first = next((r.asked for r in group.readings if lead_text(r.asked)), group.readings[0].asked)
        name = group.name or suggest(first, shared)
        taken = {task.name for task in self._now.values() if task is not old}
        return unique(name, old.id if old else task_id(group.key), taken)

    def _put(self, task: Task, readings: Sequence[Reading]) -> None:
        self._now[task.id] = task
        self._assigned.update((reading.call_id, task.id) for reading in readings)

    def outcome(self) -> Sorted:
        """What is new, what changed, which call belongs where."""
        return Sorted(
            new_tasks=tuple(task for task in self._now.values() if task.id not in self._known),
            changed_tasks=tuple(task for task in self._now.values() if self._known.get(task.id, task) != task),
            assigned=self._assigned,
            retired=self._retired,
        )
