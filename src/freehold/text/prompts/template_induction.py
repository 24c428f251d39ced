"""How a template is learnt: what the requests of a task share, message by message, and how it widens for others.

Messages are looked at from the first on, for as long as the conversations run side by side. The work grows with the
number of requests, whatever their length: at most MOST_PARTS leading messages are looked at, and the search ends where
MOST_IDLE in a row have no text in common.

Not covered: what a template is (`text.prompts.template`), how the text that messages share is found
(`text.prompts.alignment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from freehold.model.exchange import Asked, Message
from freehold.model.prompt import Prompt
from freehold.text.effort import check_effort
from freehold.text.prompts.alignment import MIN_VARIANTS, STRAY_SHARE, aligned_part, commonest, fixed_part
from freehold.text.prompts.fingerprint import LEAD_ROLES
from freehold.text.prompts.part import Part
from freehold.text.prompts.template import Talk, Template, frame, is_role, joined

MAIN_SHARE = 0.8
"""A system message in this share of calls is the task's own when the others have no text in common with it."""
MOST_PARTS, MOST_IDLE = 64, 16
"""Leading messages that a template covers; those in a row without shared text after which no more are looked at."""
_COMPARED_AHEAD = 4

_Timed = tuple[Talk, float | None]
"""The messages of one request, and when it was made."""


def learn(asked: Sequence[Asked], times: Sequence[float] | None = None) -> Template:
    """The template of these requests; it leaves out strays (2%), never more, where they share text at all.

    `times` are when they were made, Unix seconds, one for each; with them a date in the rules is told from today's.
    """
    if not asked:
        return Template()
    spelled = {(one.tools, one.response_format): one for one in asked}
    frame_of = {pair: frame(one) for pair, one in spelled.items()}
    frames = [frame_of[one.tools, one.response_format] for one in asked]
    own = commonest(frames)[0]
    made = times if times is not None else [None] * len(asked)
    pool = [(joined(a.messages), at) for a, f, at in zip(asked, frames, made, strict=True) if f == own]
    pool = _without_bare_leads(pool)
    strays = int(len(pool) * STRAY_SHARE)
    parts: list[Part] = []
    idle = 0
    while len(parts) < MOST_PARTS and idle < MOST_IDLE:
        check_effort()
        part = _next_part(pool, len(parts), strays)
        if part is None:
            break
        pool = [one for one in pool if len(one[0]) > len(parts) and _fits(part, one[0][len(parts)])]
        parts.append(part)
        idle = 0 if part.static_chars else idle + 1
    return Template(parts=_without_idle_tail(parts), tools=own[0], response_format=own[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned(Template):
    """The template of a prompt's newest version; out of a request of an `earlier` one it takes what was shared there.

    So the owned model sees the same of both. Written down it is the newest alone.
    """

    earlier: tuple[Template, ...] = ()

    def fits(self, asked: Asked | Prompt) -> bool:
        """Whether the request is of any version."""
        return Template.fits(self, asked) or any(template.fits(asked) for template in self.earlier)

    def strip(self, asked: Asked | Prompt) -> tuple[Message, ...] | None:
        """What the owned model sees of a request of the newest version that it fits."""
        if Template.fits(self, asked):
            return Template.strip(self, asked)
        return next((template.strip(asked) for template in self.earlier if template.fits(asked)), None)


def learn_versions(asked: Sequence[Asked], times: Sequence[float], forms: Sequence[Template]) -> Template:
    """The template of requests whose prompt has had several versions, as they were sorted (`forms`, oldest first).

    Each version's own is learnt from its requests; those that are of none count to the newest.
    """
    if len(forms) < 2:
        return learn(asked, times)
    groups: dict[int, list[int]] = {}
    for place, one in enumerate(asked):
        form = next((number for number in reversed(range(len(forms))) if forms[number].fits(one)), len(forms) - 1)
        groups.setdefault(form, []).append(place)
    learnt = [learn([asked[i] for i in groups[form]], [times[i] for i in groups[form]]) for form in sorted(groups)]
    if len(learnt) < 2:
        return learnt[0] if learnt else Template()
    newest = learnt[-1]
    return Versioned(
        parts=newest.parts,
        tools=newest.tools,
        response_format=newest.response_format,
        earlier=tuple(reversed(learnt[:-1])),
    )


def widen(template: Template, asked: Sequence[Asked]) -> Template:
    """The template changed as little as needed for these requests to fit, too, as far as their roles agree."""
    talks = [template.messages(one) for one in asked]
    parts: list[Part] = []
    for index, part in enumerate(template.parts):
        column = [talk[index] for talk in talks if len(talk) > index]
        if len(column) < len(talks) or any(not is_role(part.role, message.role) for message in column):
            break
        if any(part.match(message.content) is None for message in column):
            part = _wider(part, [message.content for message in column])
        parts.append(part)
    return replace(template, parts=_without_idle_tail(parts))


def _wider(part: Part, texts: Sequence[str]) -> Part:
    """A part with one gap that these texts fit, too: the shared text before the first and after the last gap is cut."""
    own = part.text("\0") if part.gaps else part.pieces[0]
    found = aligned_part(part.role, [own, *texts], is_lead=False)
    prefix, suffix = found.pieces[0], found.pieces[-1]
    head, tail = part.pieces[0], part.pieces[-1]
    if part.gaps:
        suffix = suffix[max(0, len(suffix) - len(tail)) :]
    return Part.around(part.role, prefix[: len(head)], suffix)


def _without_bare_leads(pool: list[_Timed]) -> list[_Timed]:
    """The requests without those that are nothing but the system prompt of others: a tool's result came with them."""
    bare = {talk[0].content for talk, _ in pool if len(talk) == 1}
    shared = bare and bare & {talk[0].content for talk, _ in pool if len(talk) > 1}
    return [one for one in pool if len(one[0]) != 1 or one[0][0].content not in shared] if shared else pool


def _fits(part: Part, message: Message) -> bool:
    return is_role(part.role, message.role) and part.match(message.content) is not None


def _without_idle_tail(parts: Sequence[Part]) -> tuple[Part, ...]:
    last = max((index for index, part in enumerate(parts) if part.static_chars), default=-1)
    return tuple(parts[: last + 1])


def _go_on_differently(pool: Sequence[_Timed], start: int) -> bool:
    """Whether the conversations go on in MIN_VARIANTS ways at least, as far as their next messages and their last tell.

    Looking at all their messages, again from each position on, would take time with the square of their number.
    """
    ways: set[tuple[int, Talk, Talk]] = set()
    for talk, _ in pool:
        ways.add((len(talk), talk[start : start + _COMPARED_AHEAD], talk[max(start, len(talk) - 1) :]))
        if len(ways) >= MIN_VARIANTS:
            return True
    return False


def _next_part(pool: Sequence[_Timed], index: int, strays: int) -> Part | None:
    """The part at one position, or None where the conversations no longer run side by side."""
    talks = [one for one in pool if len(one[0]) > index]
    if not talks or len(pool) - len(talks) > strays:
        return None
    role, _ = commonest([talk[index].role for talk, _ in talks])
    same = [one for one in talks if is_role(role, one[0][index].role)]
    if len(talks) - len(same) > strays:
        return None
    texts = [talk[index].content for talk, _ in same]
    times = [at for _, at in same if at is not None]
    is_input = sum(len(talk) == index + 1 for talk, _ in same) > strays
    is_lead = role in LEAD_ROLES and not is_input
    if not is_input and (is_lead or _go_on_differently(same, index + 1)):
        text, count = commonest(texts)
        if len(texts) - count <= strays:
            return fixed_part(role, text, times)
    if not is_lead and len(set(texts)) < MIN_VARIANTS:
        return Part(role)
    part = aligned_part(role, texts, times, is_lead=is_lead)
    if is_lead and not part.static_chars:
        text, count = commonest(texts)
        if count >= MAIN_SHARE * len(texts):
            return fixed_part(role, text, times)
    return part
