"""Sort calls into tasks by what their requests share; a pure function, called again whenever new calls have come.

The flow: calls that belong to a settled task go there. The others, and all calls of loose tasks, are grouped afresh: by
explicit name, by fingerprint, then system prompts that differ in a value are joined, and calls with one prompt are
parted by the instructions in their messages (`features`; where the prompt says nothing, by those alone). Hence the
order in which calls come matters little: whatever was grouped on thin evidence is looked at again with more. A group
whose prompt is an edit of a known task's becomes the next version of that task's prompt (`prompts`).

Ids are hashes of keys, keys come from the earliest call, so that two sorters agree. Not covered: which calls to hand in
(the unsorted ones and those of loose tasks, newest first where they are many).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from freehold.model.dataset import OutputKind
from freehold.model.exchange import Answer, Asked
from freehold.model.task import PromptVersion, Task, fits_some, task_id, versions_of
from freehold.sort.edits import edited_words, is_edited
from freehold.sort.features import Feature, features, may_be_several
from freehold.sort.groups import OTHER, PART, SETTLED_CALLS, Group, group_calls, of_feature
from freehold.sort.index import TaskIndex
from freehold.sort.names import suggest, unique
from freehold.sort.prompts import LookBack, goes_beside, has_replaced, task_of_edit, version_template
from freehold.sort.sortable import Reading, by_time
from freehold.text.effort import check_effort
from freehold.text.output_kind import output_kind
from freehold.text.prompts.fingerprint import CHAT_DIALECTS, LEAD_ROLES, key, lead_text
from freehold.text.prompts.fingerprint_v1 import KEY_START
from freehold.text.prompts.request_shape import difference, outline
from freehold.text.prompts.template import Template
from freehold.text.prompts.template_induction import learn, widen

KIND_ANSWERS = 20
"""How many new answers it takes to change what kind of answers a settled task is said to have."""
MOST_VERSIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The outcome. `retired` maps a task that was found to be part of another one to that one: its calls move there.

    `parted` are known tasks that gave calls away: what else came to them since may belong to another task now.
    """

    new_tasks: tuple[Task, ...] = ()
    changed_tasks: tuple[Task, ...] = ()
    assigned: dict[str, str] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)
    parted: frozenset[str] = frozenset()


def nothing_known(task: Task) -> Sequence[Reading]:
    """What is known of a task's earlier calls where nobody looked: nothing."""
    del task
    return ()


def sort_calls(
    calls: Iterable[Reading],
    known: Sequence[Task] = (),
    *,
    settled: Collection[str] = frozenset(),
    look_back: LookBack = nothing_known,
) -> Sorted:
    """Say which task each call belongs to; ids in `settled` (tasks with a model, say) are never retired.

    `look_back` gives the newest calls of a known task, asked for only where new ones raise a question about them.
    """
    ordered = sorted(calls, key=by_time)
    index = TaskIndex(known)
    placed: dict[str, list[Reading]] = defaultdict(list)
    unsettled: list[tuple[str, Reading]] = []
    for reading in ordered:
        check_effort()
        task = index.find(reading.asked, reading.explicit_name)
        if task is None or task.is_loose:
            unsettled.append((index.key(reading.asked), reading))
        else:
            placed[task.id].append(reading)
    book = _Book(known, settled, look_back, index.key)
    for known_task in known:
        if known_task.id in placed:
            book.extend(known_task, placed[known_task.id])
    for group in group_calls(unsettled, known):
        check_effort()
        edited = task_of_edit(group, book.tasks, look_back, settled)
        if edited is None:
            book.enter(group)
        else:
            book.edit(edited, group)
    return book.outcome()


class _Book:
    """Collects what becomes of tasks while groups are entered."""

    def __init__(
        self, known: Sequence[Task], settled: Collection[str], look_back: LookBack, key_of: Callable[[Asked], str]
    ) -> None:
        self._known = {task.id: task for task in known}
        self._settled = set(settled) | {task.id for task in known if task.is_named}
        self._look_back = look_back
        self._key_of = key_of
        self._now: dict[str, Task] = dict(self._known)
        self._assigned: dict[str, str] = {}
        self._retired: dict[str, str] = {}
        self._parted: set[str] = set()

    @property
    def tasks(self) -> list[Task]:
        """The tasks as they are by now."""
        return list(self._now.values())

    def extend(self, task: Task, readings: Sequence[Reading]) -> None:
        """Add calls to a settled task, unless they show it to be several features."""
        is_part = PART in task.key and not task.key.endswith(PART + OTHER)
        is_open = not (task.is_named or task.rule is not None or is_part) and task.is_trainable
        is_doubtful = is_open and may_be_several(task.kind, readings)
        found = features(_joined(self._look_back(task), readings)) if is_doubtful else []
        if len(found) > 1:
            self._part(task, readings, found)
        else:
            self._add(task, readings, is_doubtful=is_doubtful)

    def _add(self, task: Task, readings: Sequence[Reading], *, is_doubtful: bool = False) -> None:
        """The task with these calls; its template widens where they fit none of its prompt's versions.

        Not as long as it is doubtful whether they are of another feature.
        """
        task = self._grown(task, readings)
        young = _young_key(task)
        misfits = [r for r in readings if not fits_some(task, r.asked) and self._key_of(r.asked) != young]
        if misfits and task.is_named and self._is_new_version(task, misfits):
            self.edit(task, Group(key=self._key_of(misfits[0].asked), readings=tuple(misfits)))
            task = self._now[task.id]
            misfits = []
        kind = _kind_of(readings, task) if len(_answers(readings)) >= KIND_ANSWERS else task.kind
        is_wider = misfits and not is_doubtful
        template = widen(task.template, [reading.asked for reading in misfits]) if is_wider else task.template
        changed = replace(
            _with_template(task, template),
            kind=kind,
            aliases=task.aliases or self._aliases(task, readings[0].asked),
            outline=task.outline or _outline(readings[0].asked),
        )
        self._put(changed, readings)

    def _part(self, task: Task, readings: Sequence[Reading], found: Sequence[Feature]) -> None:
        """Leave the task the feature that most of its earlier calls are of; the others become tasks of their own."""
        self._parted.add(task.id)
        fresh = {reading.call_id for reading in readings}
        prompt, _, part = task.key.partition(PART)
        own = max(
            found,
            key=lambda feature: (
                part == OTHER and not feature.instructions,
                sum(reading.call_id not in fresh for reading in feature.readings),
            ),
        )
        asked = [reading.asked for reading in own.readings]
        template = task.template
        if task.id not in self._settled:
            template = learn(asked, [reading.created_at for reading in own.readings])
        mine = [reading for reading in own.readings if reading.call_id in fresh]
        self._put(replace(_with_template(task, template), kind=own.kind), mine)
        known = {known.key: known for known in self._now.values()}
        for feature in found:
            if feature is not own:
                self.enter(of_feature(prompt, feature, known))

    def _grown(self, task: Task, readings: Sequence[Reading]) -> Task:
        """The task with the template of its young version learnt anew, from all calls of that so far."""
        young = _young_key(task)
        mine = [reading for reading in readings if self._key_of(reading.asked) == young] if young else []
        if not mine:
            return task
        known = self._look_back(task)
        pool = _joined([reading for reading in known if self._key_of(reading.asked) == young], mine)
        old, newest = versions_of(task)[-2], task.versions[-1]
        if goes_beside(task, pool, known):
            return self._without_version(task, pool)
        template = version_template(old.template, pool)
        grown = replace(newest, template=template, is_young=len(pool) < SETTLED_CALLS)
        return replace(task, template=template, versions=(*task.versions[:-1], grown))

    def _without_version(self, task: Task, readings: Sequence[Reading]) -> Task:
        """The task without its newest version, whose calls are a task of their own."""
        versions = task.versions[:-1] if len(task.versions) > 2 else ()
        before = versions_of(task)[-2]
        task = replace(task, versions=versions, template=before.template, outline=before.outline)
        self._parted.add(task.id)
        self._now[task.id] = task
        own_key = self._key_of(readings[0].asked)
        self.enter(Group(key=own_key, readings=tuple(readings), is_loose=len(readings) < SETTLED_CALLS))
        return task

    def _is_new_version(self, task: Task, misfits: Sequence[Reading]) -> bool:
        """Whether calls that a client sends under the task's name have its prompt in another version."""
        if len({self._key_of(reading.asked) for reading in misfits}) > 1 or len(task.versions) >= MOST_VERSIONS:
            return False
        learnt = learn([reading.asked for reading in misfits])
        return is_edited(task.template, learnt) or has_replaced(misfits, self._look_back(task))

    def edit(self, task: Task, group: Group) -> None:
        """Make the prompt of a group the next version of a task's."""
        old, first = versions_of(task)[-1], group.readings[0]
        template, fields = version_template(old.template, group.readings), _outline(first.asked)
        version = PromptVersion(
            number=max(version.number for version in versions_of(task)) + 1,
            key=group.key,
            template=template,
            since=first.created_at,
            changed=(*edited_words(old.template, template), *difference(old.outline, fields)),
            outline=fields,
            is_young=len(group.readings) < SETTLED_CALLS,
        )
        versions = (*versions_of(task), version)[-MOST_VERSIONS:]
        self._put(replace(task, template=template, versions=versions, outline=fields), group.readings)
        for other in group.tasks:
            self._retire(other, task)

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
        old = self._now.get(own_id) if group.is_part else next(iter(ranked), None)
        times = [reading.created_at for reading in group.readings]
        template = learn(asked, times) if old is None or old.is_loose else widen(old.template, asked)
        base = old or Task(id=own_id, name="", key=group.key, created_at=first.created_at, is_named=bool(group.name))
        task = replace(
            _with_template(base, template),
            name=self._name(group, old, template),
            kind=group.kind or _kind_of(group.readings, base),
            created_at=min(base.created_at, first.created_at),
            is_loose=group.is_loose,
            is_trainable=first.asked.dialect in CHAT_DIALECTS,
            outline=_outline(first.asked),
        )
        self._put(task, group.readings)
        for other in ranked:
            self._retire(other, task)

    def _retire(self, other: Task, into: Task) -> None:
        if other.id != into.id and other.id not in self._settled:
            self._retired[other.id] = into.id
            self._now.pop(other.id, None)

    def _name(self, group: Group, old: Task | None, template: Template) -> str:
        """A task's name; it is settled when the task is, for only then is it known which words all calls share."""
        if old and (old.is_named or not old.is_loose or group.is_loose):
            return old.name
        lead = [part for part in template.parts if part.role in LEAD_ROLES and part.has_gap]
        shared = group.instructions or " ".join(part.text() for part in lead)
        first = next((r.asked for r in group.readings if lead_text(r.asked)), group.readings[0].asked)
        name = group.name or suggest(first, shared)
        taken = {name for task in self._now.values() if task is not old for name in task.names}
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
            parted=frozenset(self._parted),
        )


def _with_template(task: Task, template: Template) -> Task:
    """The task with another template of its prompt's newest version."""
    if task.template == template:
        return task
    versions = (*task.versions[:-1], replace(task.versions[-1], template=template)) if task.versions else ()
    return replace(task, template=template, versions=versions)


def _young_key(task: Task) -> str:
    """The fingerprint of a task's newest version while that is young; empty otherwise."""
    return task.versions[-1].key if task.versions and task.versions[-1].is_young else ""


def _joined(known: Sequence[Reading], fresh: Sequence[Reading]) -> list[Reading]:
    ids = {reading.call_id for reading in fresh}
    return sorted([*(reading for reading in known if reading.call_id not in ids), *fresh], key=by_time)


def _answers(readings: Sequence[Reading]) -> list[Answer]:
    return [reading.answer for reading in readings if reading.answer is not None]


def _kind_of(readings: Sequence[Reading], task: Task) -> OutputKind:
    return output_kind(_answers(readings)) if _answers(readings) else task.kind


def _outline(asked: Asked) -> tuple[str, ...]:
    return outline(asked.tools, asked.response_format)
