"""Whether calls with a prompt that is new are of a task that is known: its prompt was edited.

They are when the task was there before, and

- the new prompt is an edit of its newest (`edits`), or the same with other fields in its schema or other tools, most of
  them alike;
- it is answered in the same way: the same kind of answers, and of labels or JSON the same labels or keys;
- it took the place of the old one, whose calls ended. Labels and JSON of one vocabulary may go on side by side, as in a
  release by steps or a trial of two prompts; two texts that are asked side by side are two features.

In doubt they are two tasks. Not covered: finding the groups (`grouping`), making the version (`sort`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from freehold.model.exchange import Asked
from freehold.model.task import Task, versions_of
from freehold.sort.edits import are_alike, is_edited, words_of
from freehold.sort.features import LEAST_SHARED_VOCABULARY, is_of_kind, shared_vocabulary
from freehold.sort.groups import SETTLED_CALLS, Group
from freehold.sort.sortable import Reading, by_time
from freehold.text.effort import check_effort
from freehold.text.prompts.fingerprint import LEAD_ROLES
from freehold.text.prompts.request_shape import likeness, outline
from freehold.text.prompts.template import Template, frame
from freehold.text.prompts.template_induction import learn

LEAST_ALIKE_FIELDS = 0.5
_LEARNT_FROM = 100
LAST_CALLS = 20
"""Of the last calls with either prompt, at most a quarter may have the old one where it was replaced."""
_MOST_OLD = 0.25
_MOST_KINDS_OFF = 0.1

LookBack = Callable[[Task], Sequence[Reading]]
"""The newest calls of a task, as far as they are known, oldest first."""


def task_of_edit(group: Group, tasks: Iterable[Task], look_back: LookBack, settled: Collection[str]) -> Task | None:
    """The task whose prompt these calls have in an edited version; None where they make a task of their own."""
    if group.name or group.is_part or any(not task.is_loose for task in group.tasks):
        return None
    learnt = learn([reading.asked for reading in group.readings[:_LEARNT_FROM]])
    for task in sorted(tasks, key=lambda task: (-task.created_at, task.id)):
        check_effort()
        is_open = not task.is_loose and not task.is_named and task.rule is None and task.is_trainable
        is_edit = is_open and _is_edit(task, group, learnt) and _is_answered_alike(task, group.readings)
        if is_edit and _follows(task, group.readings, look_back(task), is_settled=task.id in settled):
            return task
    return None


def goes_beside(task: Task, readings: Sequence[Reading], known: Sequence[Reading]) -> bool:
    """Whether a new version of a text prompt turned out to be asked beside the old one: then it is another feature."""
    return task.kind == "text" and len(readings) >= LAST_CALLS and not has_replaced(readings, known)


def version_template(old: Template, readings: Sequence[Reading]) -> Template:
    """The template of an edited prompt's calls; messages that stayed as they were keep the parts that they had."""
    asked = [reading.asked for reading in readings]
    found = learn(asked, [reading.created_at for reading in readings])
    parts = list(found.parts)
    for index, part in enumerate(old.parts):
        column = [talk[index] for one in asked if len(talk := found.messages(one)) > index]
        is_same = len(column) == len(asked) and all(
            message.role == part.role and part.match(message.content) is not None for message in column
        )
        if index > len(parts):
            break
        if part.role not in LEAD_ROLES and is_same:
            parts[index : index + 1] = [part]
    return Template(parts=tuple(parts), tools=found.tools, response_format=found.response_format)


def _is_edit(task: Task, group: Group, learnt: Template) -> bool:
    newest = versions_of(task)[-1]
    asked = group.readings[0].asked
    if not _is_edited_text(newest.template, learnt, asked):
        return False
    if newest.template.frame == frame(asked, newest.template.version):
        return True
    fields = outline(asked.tools, asked.response_format)
    return bool(task.outline and fields) and likeness(task.outline, fields) >= LEAST_ALIKE_FIELDS


def _is_edited_text(old: Template, new: Template, asked: Asked) -> bool:
    """Whether the shared text was edited; instructions in a message are held against the message that is there now.

    With few calls nothing is known yet of what their messages share.
    """
    before, after = _lead(old), _lead(new)
    if not before or not after:
        return is_edited(old, new)
    if not are_alike(words_of(before), words_of(after)):
        return False
    messages = old.messages(asked)
    for part, message in zip(old.parts, messages, strict=False):
        if part.role not in LEAD_ROLES and part.static_chars and part.match(message.content) is None:
            shared = words_of(part.pieces[0])
            if shared and not are_alike(shared, words_of(message.content)[: len(shared)]):
                return False
    return True


def _lead(template: Template) -> str:
    return " ".join(part.text() for part in template.parts if part.role in LEAD_ROLES)


def _is_answered_alike(task: Task, readings: Sequence[Reading]) -> bool:
    """Whether the answers so far are of the task's kind."""
    told = [
        r.answer
        for r in readings
        if r.answer and (r.answer.text.strip() or r.answer.tool_calls) and not r.answer.is_refusal
    ]
    off = sum(not is_of_kind(task.kind, answer) for answer in told)
    return off <= _MOST_KINDS_OFF * len(told)


def _follows(task: Task, readings: Sequence[Reading], known: Sequence[Reading], *, is_settled: bool) -> bool:
    """Whether these calls came after the task had its own, are answered with its words, and take their place."""
    ids = {reading.call_id for reading in readings}
    old = [reading for reading in known if reading.call_id not in ids]
    before = sum(reading.created_at < readings[0].created_at for reading in old)
    if before < SETTLED_CALLS and not is_settled:
        return False
    overlap = shared_vocabulary(task.kind, old, readings)
    if overlap is not None and overlap < LEAST_SHARED_VOCABULARY:
        return False
    return overlap is not None or has_replaced(readings, old)


def has_replaced(readings: Sequence[Reading], known: Sequence[Reading]) -> bool:
    """Whether of the last calls since the new prompt came at most a quarter had the old one; `known` has both."""
    ids = {reading.call_id for reading in readings}
    later = [r for r in known if r.call_id not in ids and r.created_at >= readings[0].created_at]
    last = sorted([*readings, *later], key=by_time)[-LAST_CALLS:]
    return sum(reading.call_id not in ids for reading in last) <= _MOST_OLD * len(last)
