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

from freehold.core.exchange import Answer, Asked
from freehold.core.fingerprint import CHAT_DIALECTS, LEAD_ROLES, format_digest, key, lead_text, mask, tools_digest
from freehold.core.ids import sha256_hex
from freehold.core.kind import output_kind
from freehold.core.task import Task, task_id
from freehold.core.template import learn, widen
from freehold.tasks.families import Variant, clusters, families, shared_ends
from freehold.tasks.index import TaskIndex
from freehold.tasks.names import says_nothing, slug, suggest, unique

SETTLED_CALLS = 50
PARTED_CALLS = 200
"""From how many calls on a prompt that says little, and was not parted, is settled."""
KIND_ANSWERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One call as the sorter sees it."""

    call_id: str
    asked: Asked
    answer: Answer | None = None
    explicit_name: str | None = None
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The outcome. `retired` maps a task that was found to be part of another one to that one: its calls move there."""

    new_tasks: tuple[Task, ...] = ()
    changed_tasks: tuple[Task, ...] = ()
    assigned: dict[str, str] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Group:
    """Calls that make one task; it continues the first of `tasks`, and the others retire into it.

    `instructions` is what its messages share, where that is what makes it a task.
    """

    key: str
    readings: tuple[Reading, ...]
    tasks: tuple[Task, ...] = ()
    name: str = ""
    instructions: str = ""
    is_loose: bool = False


def sort_calls(
    calls: Iterable[Reading], known: Sequence[Task] = (), *, settled: Collection[str] = frozenset()
) -> Sorted:
    """Say which task each call belongs to; ids in `settled` (tasks with a model, say) are never retired."""
    ordered = sorted(calls, key=lambda reading: (reading.created_at, reading.call_id))
    index = TaskIndex(known)
    placed: dict[str, list[Reading]] = defaultdict(list)
    unsettled: list[Reading] = []
    for reading in ordered:
        task = index.find(reading.asked, reading.explicit_name)
        if task is None or task.is_loose:
            unsettled.append(reading)
        else:
            placed[task.id].append(reading)
    book = _Book(known, settled)
    for known_task in known:
        if known_task.id in placed:
            book.extend(known_task, placed[known_task.id])
    for group in _groups(unsettled, known):
        book.enter(group)
    return book.outcome()


def _groups(readings: Sequence[Reading], known: Sequence[Task]) -> list[_Group]:
    """The calls that no settled task takes, grouped afresh."""
    by_key = {task.key: task for task in known}
    by_name = {task.name: task for task in known}
    named: dict[str, list[Reading]] = defaultdict(list)
    other: dict[str, list[Reading]] = defaultdict(list)
    chats: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        asked = reading.asked
        if reading.explicit_name:
            named[slug(reading.explicit_name)].append(reading)
        elif asked.dialect in CHAT_DIALECTS:
            chats[tools_digest(asked.tools), format_digest(asked.response_format)].append(reading)
        else:
            other[key(asked)].append(reading)
    groups = []
    for name, own in named.items():
        task = by_name.get(name)
        named_key = task.key if task else f"name:{sha256_hex(name)[:16]}"
        groups.append(_Group(named_key, tuple(own), (task,) if task else (), name, is_loose=len(own) < SETTLED_CALLS))
    for other_key, own in other.items():
        groups.append(_Group(other_key, tuple(own), tuple(filter(None, [by_key.get(other_key)]))))
    for frame, own in chats.items():
        anchors = [task for task in known if not task.is_named and _frame(task) == frame and _fixed_lead(task)]
        for group in _prompt_groups(own, anchors, by_key):
            groups.extend(_part(group, by_key))
    return groups


def _prompt_groups(readings: Sequence[Reading], anchors: Sequence[Task], by_key: dict[str, Task]) -> list[_Group]:
    """One group for each system prompt or family of them."""
    by_prompt: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        by_prompt[key(reading.asked)].append(reading)
    keys = [*by_prompt, *(task.key for task in anchors if task.key not in by_prompt)]
    texts = {task.key: _fixed_lead(task) for task in anchors}
    texts |= {own: lead_text(found[0].asked) for own, found in by_prompt.items()}
    led = sorted((own for own in keys if texts[own]), key=lambda own: (texts[own], own))
    variants = [Variant(texts[own], len(by_prompt.get(own, ()))) for own in led]
    joined = [[led[i] for i in family] for family in families(variants)] + [[own] for own in keys if not texts[own]]
    groups = []
    for members in joined:
        own_readings = [reading for member in members for reading in by_prompt.get(member, ())]
        if own_readings:
            own_readings.sort(key=lambda reading: (reading.created_at, reading.call_id))
            tasks = tuple(by_key[member] for member in members if member in by_key)
            is_loose = len(members) == 1 and len(own_readings) < SETTLED_CALLS
            groups.append(_Group(key(own_readings[0].asked), tuple(own_readings), tasks, is_loose=is_loose))
    return groups


def _part(group: _Group, by_key: dict[str, Task]) -> list[_Group]:
    """Part a group whose system prompt says nothing by the instructions in its first messages."""
    asked = group.readings[0].asked
    if len({key(reading.asked) for reading in group.readings}) > 1 or not says_nothing(lead_text(asked)):
        return [group]
    texts = [_first_text(reading.asked) for reading in group.readings]
    parts: list[_Group] = []
    rest = set(range(len(texts)))
    for members in clusters(texts):
        head, tail = shared_ends([texts[i] for i in members])
        shared = head if len(head) >= len(tail) else tail[::-1]
        part_key = f"{group.key}/{sha256_hex(mask(shared[:24]))[:8]}"
        while any(part.key == part_key for part in parts):
            part_key = f"{group.key}/{sha256_hex(part_key + shared)[:8]}"
        tasks = tuple(filter(None, [by_key.get(part_key)]))
        readings = tuple(group.readings[i] for i in members)
        parts.append(_Group(part_key, readings, tasks, instructions=f"{head} {tail}"))
        rest -= set(members)
    if rest:
        left = tuple(group.readings[i] for i in sorted(rest))
        is_loose = not lead_text(asked) or len(left) < PARTED_CALLS
        parts.append(replace(group, readings=left, is_loose=is_loose))
    else:
        largest = max(range(len(parts)), key=lambda i: len(parts[i].readings))
        parts[largest] = replace(parts[largest], tasks=(*parts[largest].tasks, *group.tasks))
    return parts


class _Book:
    """Collects what becomes of tasks while groups are entered."""

    def __init__(self, known: Sequence[Task], settled: Collection[str]) -> None:
        self._known = {task.id: task for task in known}
        self._settled = set(settled) | {task.id for task in known if task.is_named}
        self._now: dict[str, Task] = dict(self._known)
        self._assigned: dict[str, str] = {}
        self._retired: dict[str, str] = {}

    def extend(self, task: Task, readings: Sequence[Reading]) -> None:
        """Add calls to a settled task; its template widens where they do not fit."""
        misfits = [reading.asked for reading in readings if not task.template.fits(reading.asked)]
        told = [reading.answer for reading in readings if reading.answer is not None]
        kind = output_kind(told) if len(told) >= KIND_ANSWERS else task.kind
        template = widen(task.template, misfits) if misfits else task.template
        self._put(replace(task, template=template, kind=kind), readings)

    def enter(self, group: _Group) -> None:
        """Make a task of a group, or change the one that it continues; other tasks in it retire into that one."""
        first = group.readings[0]
        asked = [reading.asked for reading in group.readings]
        own_id = task_id(group.key)
        ranked = sorted(group.tasks, key=lambda task: (task.id not in self._settled, task.created_at, task.id))
        old = self._now.get(own_id) if group.instructions else next(iter(ranked), None)
        taken = {task.name for task in self._now.values()}
        name = group.name or suggest(first.asked, group.instructions)
        task = Task(
            id=old.id if old else own_id,
            name=old.name if old else unique(name, own_id, taken),
            key=old.key if old else group.key,
            template=learn(asked) if old is None or old.is_loose else widen(old.template, asked),
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


def _frame(task: Task) -> tuple[str, str]:
    return task.template.tools, task.template.response_format


def _fixed_lead(task: Task) -> str:
    """The system prompt of a task that has one without a gap; empty otherwise."""
    lead = [part for part in task.template.parts if part.role in LEAD_ROLES]
    return "" if any(part.has_gap for part in lead) else "\n\n".join(part.prefix for part in lead)


def _first_text(asked: Asked) -> str:
    return next((message.content for message in asked.messages if message.role not in LEAD_ROLES), "")
