"""Group calls that no settled task takes: by explicit name, by fingerprint, by family of prompts, by instructions.

Not covered: what becomes of the groups (`sort`), and what makes a family or shared instructions (`families`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from freehold.core.exchange import Answer, Asked
from freehold.core.fingerprint import CHAT_DIALECTS, LEAD_ROLES, format_digest, lead_text, mask, tools_digest
from freehold.core.ids import sha256_hex
from freehold.core.task import Task
from freehold.tasks.families import Variant, clusters, families, shared_ends
from freehold.tasks.names import says_nothing, slug

SETTLED_CALLS = 50
PARTED_CALLS = 200
"""From how many calls on a prompt that says little, and was not parted, is settled."""
_PART = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One call as the sorter sees it."""

    call_id: str
    asked: Asked
    answer: Answer | None = None
    explicit_name: str | None = None
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Calls that make one task, oldest first; `tasks` are the known ones that they come from.

    `name` is the client's, `instructions` what the messages share where that is what parts the group from others.
    """

    key: str
    readings: tuple[Reading, ...]
    tasks: tuple[Task, ...] = ()
    name: str = ""
    instructions: str = ""
    is_family: bool = False
    is_loose: bool = False


ByKey = dict[str, list[Reading]]


def group_calls(keyed: Sequence[tuple[str, Reading]], known: Sequence[Task]) -> list[Group]:
    """The groups of these calls, given oldest first, each with its fingerprint."""
    tasks = {task.key: task for task in known}
    named: ByKey = defaultdict(list)
    other: ByKey = defaultdict(list)
    chats: ByKey = defaultdict(list)
    for key, reading in keyed:
        if reading.explicit_name:
            named[slug(reading.explicit_name)].append(reading)
        elif reading.asked.dialect in CHAT_DIALECTS:
            chats[key].append(reading)
        else:
            other[key].append(reading)
    groups = _named_groups(named, known)
    for key, readings in other.items():
        groups.append(Group(key=key, readings=tuple(readings), tasks=_known(tasks, [key])))
    for frame, prompts in _by_frame(chats).items():
        anchors = [task for task in known if _is_anchor(task, frame)]
        for group in _prompt_groups(prompts, anchors, tasks):
            groups.extend(_part(group, tasks))
    return groups


def _named_groups(named: ByKey, known: Sequence[Task]) -> list[Group]:
    by_name = {task.name: task for task in known}
    groups = []
    for name, readings in named.items():
        task = by_name.get(name)
        groups.append(
            Group(
                key=task.key if task else f"name:{sha256_hex(name)[:16]}",
                readings=tuple(readings),
                tasks=(task,) if task else (),
                name=name,
                is_loose=len(readings) < SETTLED_CALLS,
            )
        )
    return groups


def _by_frame(chats: ByKey) -> dict[tuple[str, str], ByKey]:
    """The calls by tools and response format, which make different tasks whatever the prompt."""
    frames: dict[tuple[str, str], ByKey] = defaultdict(dict)
    for key, readings in chats.items():
        asked = readings[0].asked
        frames[tools_digest(asked.tools), format_digest(asked.response_format)][key] = readings
    return frames


def _prompt_groups(prompts: ByKey, anchors: Sequence[Task], tasks: Mapping[str, Task]) -> list[Group]:
    """One group for each system prompt or family of them; known tasks' prompts (`anchors`) can be in a family."""
    texts = {task.key: _fixed_lead(task) for task in anchors}
    texts |= {key: lead_text(readings[0].asked) for key, readings in prompts.items()}
    led = sorted((key for key in texts if texts[key]), key=lambda key: (texts[key], key))
    variants = [Variant(texts[key], len(prompts.get(key, ()))) for key in led]
    joined = [[led[i] for i in family] for family in families(variants)] + [[key] for key in texts if not texts[key]]
    groups = []
    for members in joined:
        asked_for = [key for key in members if key in prompts]
        if asked_for:
            readings = sorted((reading for key in asked_for for reading in prompts[key]), key=by_time)
            group = Group(
                key=min(asked_for, key=lambda key: by_time(prompts[key][0])),
                readings=tuple(readings),
                tasks=_known(tasks, members),
                is_family=len(members) > 1,
                is_loose=len(members) == 1 and len(readings) < SETTLED_CALLS,
            )
            groups.append(group)
    return groups


def _part(group: Group, tasks: Mapping[str, Task]) -> list[Group]:
    """Part a group whose system prompt says nothing by the instructions in its first messages."""
    lead = lead_text(group.readings[0].asked)
    if group.is_family or not says_nothing(lead):
        return [group]
    texts = [_first_text(reading.asked) for reading in group.readings]
    parts: dict[str, Group] = {}
    rest = set(range(len(texts)))
    for members in clusters(texts):
        rest -= set(members)
        head, tail = shared_ends([texts[i] for i in members])
        start = mask((head if len(head) >= len(tail) else tail[::-1])[:24])
        key = f"{group.key}{_PART}{sha256_hex(start)[:8]}"
        if key in parts:
            key = f"{group.key}{_PART}{sha256_hex(head + tail)[:8]}"
        readings = tuple(group.readings[i] for i in members)
        parts[key] = Group(key=key, readings=readings, tasks=_known(tasks, [key]), instructions=f"{head} {tail}")
    if rest:
        left = tuple(group.readings[i] for i in sorted(rest))
        return [*parts.values(), replace(group, readings=left, is_loose=not lead or len(left) < PARTED_CALLS)]
    largest = max(parts.values(), key=lambda part: len(part.readings))
    parts[largest.key] = replace(largest, tasks=(*largest.tasks, *group.tasks))
    return list(parts.values())


def by_time(reading: Reading) -> tuple[float, str]:
    """The order of calls: oldest first."""
    return reading.created_at, reading.call_id


def _known(tasks: Mapping[str, Task], keys: Sequence[str]) -> tuple[Task, ...]:
    return tuple(tasks[key] for key in keys if key in tasks)


def _is_anchor(task: Task, frame: tuple[str, str]) -> bool:
    """Whether the task stands for its whole system prompt: named ones and parts of a prompt do not."""
    is_whole = not task.is_named and _PART not in task.key
    return is_whole and (task.template.tools, task.template.response_format) == frame and bool(_fixed_lead(task))


def _fixed_lead(task: Task) -> str:
    """The system prompt of a task that has one without a gap; empty otherwise."""
    lead = [part for part in task.template.parts if part.role in LEAD_ROLES]
    return "" if any(part.has_gap for part in lead) else "\n\n".join(part.prefix for part in lead)


def _first_text(asked: Asked) -> str:
    return next((message.content for message in asked.messages if message.role not in LEAD_ROLES), "")
