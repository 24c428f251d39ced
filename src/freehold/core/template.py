"""What the calls of a task share, and how that text is taken out of a request.

A template is a run of leading messages (`core.part`), the shape of the tools and that of the response format. Each
message is fixed, or has gaps: what is shown of them is what the owned model sees. Later messages pass through whole.
Shared text is only left out, nothing is rewritten: `part.fill(part.match(text)) == text` for every part.

The system prompt is one message: system and developer messages before the conversation are read joined, whatever their
number and role. `version` 1 is how earlier versions wrote templates, which their routes go on with: roles and messages
as they are, tools and response format as they are spelled, one gap at most.

Not covered: which calls belong together (`tasks`), how shared text is found (`core.alignment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from freehold.core.alignment import (
    MIN_SHARED_CHARS,
    MIN_VARIANTS,
    STRAY_SHARE,
    aligned_part,
    common_start,
    commonest,
    fixed_part,
)
from freehold.core.exchange import Asked, Message
from freehold.core.fingerprint import LEAD_BREAK, LEAD_ROLES
from freehold.core.fingerprint_v1 import format_digest, tools_digest
from freehold.core.part import Part
from freehold.core.shape import format_shape, tools_shape

__all__ = [
    "MIN_SHARED_CHARS",
    "MIN_VARIANTS",
    "Part",
    "Template",
    "Versioned",
    "common_start",
    "frame",
    "learn",
    "learn_versions",
    "widen",
]

MAIN_SHARE = 0.8
"""A system message in this share of calls is the task's own when the others have no text in common with it."""
_NEWEST = 2

Talk = tuple[Message, ...]
_Timed = tuple[Talk, float | None]
"""The messages of one request, and when it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the requests of a task have in common: leading messages, tools, response format (both as digests)."""

    parts: tuple[Part, ...] = ()
    tools: str = ""
    response_format: str = ""
    version: int = _NEWEST

    @property
    def static_chars(self) -> int:
        """How much text the template takes out of each request."""
        return sum(part.static_chars for part in self.parts)

    @property
    def frame(self) -> tuple[str, str]:
        """The digests of tools and response format."""
        return self.tools, self.response_format

    def text(self, mark: str = " ") -> str:
        """The shared text of all messages, with `mark` where gaps are."""
        return " ".join(part.text(mark) for part in self.parts)

    def fits(self, asked: Asked) -> bool:
        """Whether the request is of this form."""
        return self.gaps(asked) is not None

    def strip(self, asked: Asked) -> tuple[Message, ...] | None:
        """The messages that the owned model sees, or None when the request does not fit or nothing would be left.

        An empty gap leaves no message behind, except before a message of the same role.
        """
        gaps = self.gaps(asked)
        if gaps is None:
            return None
        kept = list(reversed(self.messages(asked)[len(self.parts) :]))
        for part, found in zip(reversed(self.parts), reversed(gaps), strict=True):
            text = part.shown(found)
            if part.is_shown and (text or (kept and kept[-1].role == part.role)):
                kept.append(Message(part.role, text))
        return tuple(reversed(kept)) or None

    def gaps(self, asked: Asked) -> list[tuple[str, ...]] | None:
        """What stands in the gaps of each message; None where the request does not fit."""
        return self.match(asked) if self.frame == frame(asked, self.version) else None

    def match(self, asked: Asked) -> list[tuple[str, ...]] | None:
        """The same, whatever the tools and the response format of the request."""
        messages = self.messages(asked)
        if len(messages) < len(self.parts):
            return None
        gaps = []
        for part, message in zip(self.parts, messages, strict=False):
            found = part.match(message.content) if self._is_alike(part.role, message.role) else None
            if found is None:
                return None
            gaps.append(found)
        return gaps

    def messages(self, asked: Asked) -> Talk:
        """The messages of a request as this template reads them."""
        return asked.messages if self.version < _NEWEST else joined(asked.messages)

    def _is_alike(self, one: str, other: str) -> bool:
        return one == other or (self.version >= _NEWEST and one in LEAD_ROLES and other in LEAD_ROLES)

    def to_json(self) -> dict[str, Any]:
        """The template as a JSON object."""
        frame = {"tools": self.tools, "response_format": self.response_format}
        if self.version < _NEWEST:
            return {"parts": [_earlier_json(part) for part in self.parts], **frame}
        parts = [{"role": part.role, "pieces": list(part.pieces), "gaps": list(part.gaps)} for part in self.parts]
        return {"version": self.version, "parts": parts, **frame}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Template:
        """Read what `to_json` wrote, of any version; an empty object is the template that every plain request fits."""
        version = data.get("version", 1)
        read = _earlier_part if version < _NEWEST else _part
        return cls(
            parts=tuple(read(part) for part in data.get("parts", ())),
            tools=data.get("tools", ""),
            response_format=data.get("response_format", ""),
            version=version,
        )


def frame(asked: Asked, version: int = _NEWEST) -> tuple[str, str]:
    """The digests of tools and response format as a template of this version has them."""
    if version < _NEWEST:
        return tools_digest(asked.tools), format_digest(asked.response_format)
    return tools_shape(asked.tools), format_shape(asked.response_format)


def joined(messages: Talk) -> Talk:
    """The messages with those of the system before the conversation as one."""
    if len(messages) < 2 or messages[0].role not in LEAD_ROLES or messages[1].role not in LEAD_ROLES:
        return messages
    count = next((i for i, message in enumerate(messages) if message.role not in LEAD_ROLES), len(messages))
    lead = LEAD_BREAK.join(message.content for message in messages[:count])
    return (Message(messages[0].role, lead), *messages[count:])


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
    while (part := _next_part(pool, len(parts), strays)) is not None:
        pool = [one for one in pool if len(one[0]) > len(parts) and _fits(part, one[0][len(parts)])]
        parts.append(part)
    return Template(parts=_without_idle_tail(parts), tools=own[0], response_format=own[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned(Template):
    """The template of a prompt's newest version; out of a request of an `earlier` one it takes what was shared there.

    So the owned model sees the same of both. Written down it is the newest alone.
    """

    earlier: tuple[Template, ...] = ()

    def fits(self, asked: Asked) -> bool:
        """Whether the request is of any version."""
        return Template.fits(self, asked) or any(template.fits(asked) for template in self.earlier)

    def strip(self, asked: Asked) -> tuple[Message, ...] | None:
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
        if len(column) < len(talks) or any(not _is_role(part.role, message.role) for message in column):
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


def _is_role(one: str, other: str) -> bool:
    return one == other or (one in LEAD_ROLES and other in LEAD_ROLES)


def _fits(part: Part, message: Message) -> bool:
    return _is_role(part.role, message.role) and part.match(message.content) is not None


def _without_idle_tail(parts: Sequence[Part]) -> tuple[Part, ...]:
    last = max((index for index, part in enumerate(parts) if part.static_chars), default=-1)
    return tuple(parts[: last + 1])


def _next_part(pool: Sequence[_Timed], index: int, strays: int) -> Part | None:
    """The part at one position, or None where the conversations no longer run side by side."""
    talks = [one for one in pool if len(one[0]) > index]
    if not talks or len(pool) - len(talks) > strays:
        return None
    role, _ = commonest([talk[index].role for talk, _ in talks])
    same = [one for one in talks if _is_role(role, one[0][index].role)]
    if len(talks) - len(same) > strays:
        return None
    texts = [talk[index].content for talk, _ in same]
    times = [at for _, at in same if at is not None]
    is_input = sum(len(talk) == index + 1 for talk, _ in same) > strays
    is_lead = role in LEAD_ROLES and not is_input
    if not is_input and (is_lead or len({talk[index + 1 :] for talk, _ in same}) >= MIN_VARIANTS):
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


def _part(data: dict[str, Any]) -> Part:
    return Part(data["role"], tuple(data["pieces"]), tuple(data["gaps"]))


def _earlier_part(data: dict[str, Any]) -> Part:
    if data["has_gap"]:
        return Part.around(data["role"], data["prefix"], data["suffix"])
    return Part.fixed(data["role"], data["prefix"])


def _earlier_json(part: Part) -> dict[str, Any]:
    suffix = part.pieces[-1] if part.gaps else ""
    return {"role": part.role, "prefix": part.pieces[0], "suffix": suffix, "has_gap": part.has_gap}
