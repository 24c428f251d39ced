"""Group calls that no settled task takes: by explicit name, by fingerprint, by family of prompts, by instructions.

Not covered: what becomes of the groups (`sort`), and what makes a family or shared instructions (`families`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from freehold.model.dataset import OutputKind
from freehold.model.exchange import Asked
from freehold.model.ids import sha256_hex
from freehold.model.task import Task
from freehold.sort.families import Variant, clusters, families, shared_ends
from freehold.sort.features import Feature, features, first_text, may_be_several
from freehold.sort.names import says_nothing, slug
from freehold.sort.sortable import Reading, by_time
from freehold.text.output_kind import output_kind
from freehold.text.prompts.fingerprint import (
    CHAT_DIALECTS,
    LEAD_BREAK,
    LEAD_ROLES,
    dateless,
    key_of,
    lead_text,
    mask,
    whole_lead,
)
from freehold.text.prompts.template import frame

SETTLED_CALLS = 50
PARTED_CALLS = 200
"""From how many calls on a prompt that says little, and was not parted, is settled."""
PART, OTHER = "/", "other"
"""What stands between a prompt's key and a part's, and the part of the calls that share no instructions."""
_DATE = "0"
"""What stands for a date where prompts are held against each other: a number, as others are values of one prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Calls that make one task, oldest first; `tasks` are the known ones that they come from.

    `name` is the client's, `instructions` what the messages share where that is what parts the group from others.
    `is_part` holds for a part of the calls with one system prompt, which has a key of its own. `kind` is that of the
    answers where it was looked at already.
    """

    key: str
    readings: tuple[Reading, ...]
    tasks: tuple[Task, ...] = ()
    name: str = ""
    instructions: str = ""
    is_family: bool = False
    is_loose: bool = False
    is_part: bool = False
    kind: OutputKind | None = None


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
    for prompts in _by_frame(_with_bare_leads(chats)).values():
        asked = next(iter(prompts.values()))[0].asked
        anchors = [task for task in known if _is_anchor(task, asked)]
        for group in _prompt_groups(prompts, anchors, tasks):
            groups.extend(_part(group, tasks))
    return groups


def _with_bare_leads(chats: ByKey) -> ByKey:
    """The calls that are nothing but a system prompt moved to those that have it and more."""
    moved: ByKey = defaultdict(list)
    for key, readings in chats.items():
        for reading in readings:
            bare = "" if lead_text(reading.asked) else whole_lead(reading.asked)
            full = key_of(reading.asked, bare) if bare else key
            moved[full if full in chats else key].append(reading)
    return {key: sorted(readings, key=by_time) for key, readings in moved.items()}


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
        frames[frame(readings[0].asked)][key] = readings
    return frames


def _prompt_groups(prompts: ByKey, anchors: Sequence[Task], tasks: Mapping[str, Task]) -> list[Group]:
    """One group for each system prompt or family of them; known tasks' prompts (`anchors`) can be in a family."""
    texts = {task.key: _fixed_lead(task) for task in anchors}
    texts |= {key: dateless(_lead_of(readings), _DATE) for key, readings in prompts.items()}
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
    lead = _lead_of(group.readings)
    if group.is_family:
        return [group]
    if not says_nothing(lead):
        return _by_feature(group, tasks)
    texts = [first_text(reading.asked) for reading in group.readings]
    parts: dict[str, Group] = {}
    rest = set(range(len(texts)))
    for members in clusters(texts):
        rest -= set(members)
        head, tail = shared_ends([texts[i] for i in members])
        start = mask((head if len(head) >= len(tail) else tail[::-1])[:24])
        key = f"{group.key}{PART}{sha256_hex(start)[:8]}"
        if key in parts:
            key = f"{group.key}{PART}{sha256_hex(head + tail)[:8]}"
        readings = tuple(group.readings[i] for i in members)
        parts[key] = Group(
            key=key, readings=readings, tasks=_known(tasks, [key]), instructions=f"{head} {tail}", is_part=True
        )
    if rest:
        left = tuple(group.readings[i] for i in sorted(rest))
        return [*parts.values(), replace(group, readings=left, is_loose=not lead or len(left) < PARTED_CALLS)]
    largest = max(parts.values(), key=lambda part: len(part.readings))
    parts[largest.key] = replace(largest, tasks=(*largest.tasks, *group.tasks))
    return list(parts.values())


def _by_feature(group: Group, tasks: Mapping[str, Task]) -> list[Group]:
    """Part a group whose system prompt says much by the features under it; the oldest one keeps the prompt's key."""
    answers = [reading.answer for reading in group.readings if reading.answer is not None]
    kind = output_kind(answers)
    first, *others = features(group.readings) if may_be_several(kind, group.readings) else (None,)
    if first is None or not others:
        return [replace(group, kind=kind if answers else None)]
    own = replace(group, readings=first.readings, is_loose=len(first.readings) < SETTLED_CALLS)
    return [own, *(of_feature(group.key, feature, tasks) for feature in others)]


def of_feature(key: str, feature: Feature, tasks: Mapping[str, Task]) -> Group:
    """The group of a feature under the prompt of this key."""
    part = feature_key(key, feature)
    known = _known(tasks, [part])
    return Group(key=part, readings=feature.readings, tasks=known, instructions=feature.instructions, is_part=True)


def feature_key(key: str, feature: Feature) -> str:
    """The key of a feature under the prompt of this key; of one without instructions of its own, that of the others."""
    if not feature.instructions:
        return f"{key}{PART}{OTHER}"
    return f"{key}{PART}{sha256_hex(mask(feature.instructions[:24]))[:8]}"


def _known(tasks: Mapping[str, Task], keys: Sequence[str]) -> tuple[Task, ...]:
    return tuple(tasks[key] for key in keys if key in tasks)


def _is_anchor(task: Task, asked: Asked) -> bool:
    """Whether the task stands for its whole system prompt: named ones and parts of a prompt do not."""
    is_whole = not task.is_named and PART not in task.key
    return is_whole and task.template.frame == frame(asked, task.template.version) and bool(_fixed_lead(task))


def _fixed_lead(task: Task) -> str:
    """The system prompt of a task that has one without anything shown, dates as marks; empty otherwise."""
    lead = [part for part in task.template.parts if part.role in LEAD_ROLES]
    if any(part.is_shown for part in lead):
        return ""
    return dateless(LEAD_BREAK.join(part.text(_DATE) for part in lead), _DATE)


def _lead_of(readings: Sequence[Reading]) -> str:
    """The system prompt of calls that share one: that of the first that has more than it."""
    return next((lead for reading in readings if (lead := lead_text(reading.asked))), "")
