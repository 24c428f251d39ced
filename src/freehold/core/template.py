"""What the calls of a task share, and how that text is taken out of a request and put back.

A template is a run of leading messages. Each is either fixed (the same in every call, so it is left out for the owned
model) or has one gap between a shared prefix and a shared suffix; the gap is what the owned model sees. Later messages
pass through whole. `fill(strip(x)) == x.messages`, exactly: shared text is only left out, nothing is rewritten.

What counts as shared is kept on the safe side, because content that happens to be common must stay content:
a system message may be short; any other text must be MIN_SHARED_CHARS long, seen around MIN_VARIANTS different inputs,
and is cut back to a line, a colon or at least a word. A date that is said to be today's is never shared text.

Not covered: several gaps in one message (what lies between them stays in the gap), and deciding which calls belong
together (`tasks`).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from freehold.core.exchange import Asked, Message
from freehold.core.fingerprint import LEAD_ROLES, format_digest, tools_digest

T = TypeVar("T")
MIN_SHARED_CHARS = 24
MIN_VARIANTS = 8
STRAY_SHARE = 0.02
"""The share of calls that a learnt template may fail to fit, so that one stray call does not spoil it."""
MAIN_SHARE = 0.8
"""A system message in this share of calls is the task's own when the others have no text in common with it."""

_NO_LIMIT = sys.maxsize
_TEXTS_READ = 1000
_CLEAR_CUT = re.compile(r"\n|(?<=[^\W\d]):(?:\s+|$)|>\s*|\"\"\"|```")
_DATE = (
    r"(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}:\d\d(?::\d\d)?"
    r"|\d{1,2}(?:st|nd|rd|th)?\.? [^\W\d]{3,10},? \d{4}|[^\W\d]{3,10} \d{1,2}(?:st|nd|rd|th)?,? \d{4})"
)
_NOW = re.compile(rf"\b(?:today|now|current|date|time)\b([^\n\d]{{0,40}}?{_DATE})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One leading message of a template; without a gap, `prefix` is its whole text."""

    role: str
    prefix: str = ""
    suffix: str = ""
    has_gap: bool = True

    @property
    def static_chars(self) -> int:
        """How much of the message is shared text."""
        return len(self.prefix) + len(self.suffix)

    def gap(self, message: Message) -> str | None:
        """What stands in the gap (empty for a fixed message), or None when the message does not fit."""
        text = message.content
        if message.role != self.role:
            return None
        if not self.has_gap:
            return "" if text == self.prefix else None
        if len(text) < self.static_chars or not (text.startswith(self.prefix) and text.endswith(self.suffix)):
            return None
        return text[len(self.prefix) : len(text) - len(self.suffix)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the requests of a task have in common: leading messages, tools, response format (both as digests)."""

    parts: tuple[Part, ...] = ()
    tools: str = ""
    response_format: str = ""

    @property
    def static_chars(self) -> int:
        """How much text the template takes out of each request."""
        return sum(part.static_chars for part in self.parts)

    def fits(self, asked: Asked) -> bool:
        """Whether the request is of this form."""
        return self._gaps(asked) is not None

    def strip(self, asked: Asked) -> tuple[Message, ...] | None:
        """The messages that the owned model sees, or None when the request does not fit or nothing would be left.

        An empty gap leaves no message behind, except before a message of the same role: `fill` tells them by role.
        """
        gaps = self._gaps(asked)
        if gaps is None:
            return None
        kept = list(reversed(asked.messages[len(self.parts) :]))
        for part, text in zip(reversed(self.parts), reversed(gaps), strict=True):
            if part.has_gap and (text or (kept and kept[-1].role == part.role)):
                kept.append(Message(part.role, text))
        return tuple(reversed(kept)) or None

    def fill(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The whole messages again: the inverse of `strip`."""
        rest = list(messages)
        whole = []
        for part in self.parts:
            in_gap = rest.pop(0).content if part.has_gap and rest and rest[0].role == part.role else ""
            whole.append(Message(part.role, part.prefix + in_gap + part.suffix))
        return (*whole, *rest)

    def _gaps(self, asked: Asked) -> list[str] | None:
        if len(asked.messages) < len(self.parts) or self.tools != tools_digest(asked.tools):
            return None
        if self.response_format != format_digest(asked.response_format):
            return None
        gaps = []
        for part, message in zip(self.parts, asked.messages, strict=False):
            text = part.gap(message)
            if text is None:
                return None
            gaps.append(text)
        return gaps

    def to_json(self) -> dict[str, Any]:
        """The template as a JSON object."""
        parts = [
            {"role": part.role, "prefix": part.prefix, "suffix": part.suffix, "has_gap": part.has_gap}
            for part in self.parts
        ]
        return {"parts": parts, "tools": self.tools, "response_format": self.response_format}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Template:
        """Read what `to_json` wrote; an empty object is the template that every plain request fits."""
        return cls(
            parts=tuple(
                Part(part["role"], part["prefix"], part["suffix"], part["has_gap"]) for part in data.get("parts", ())
            ),
            tools=data.get("tools", ""),
            response_format=data.get("response_format", ""),
        )


def learn(asked: Sequence[Asked]) -> Template:
    """The template of these requests; it leaves out strays (2%), never more, where they share text at all."""
    if not asked:
        return Template()
    pairs = {(a.tools, a.response_format) for a in asked}
    digests = {pair: (tools_digest(pair[0]), format_digest(pair[1])) for pair in pairs}
    frames = [digests[a.tools, a.response_format] for a in asked]
    tools, response_format = frame = _commonest(frames)[0]
    pool = [a.messages for a, own in zip(asked, frames, strict=True) if own == frame]
    strays = int(len(pool) * STRAY_SHARE)
    parts: list[Part] = []
    while (part := _next_part(pool, len(parts), strays)) is not None:
        pool = [talk for talk in pool if len(talk) > len(parts) and part.gap(talk[len(parts)]) is not None]
        parts.append(part)
    return Template(parts=_without_idle_tail(parts), tools=tools, response_format=response_format)


def widen(template: Template, asked: Sequence[Asked]) -> Template:
    """The template changed as little as needed for these requests to fit, too, as far as their roles agree."""
    parts: list[Part] = []
    for index, part in enumerate(template.parts):
        column = [a.messages[index] for a in asked if len(a.messages) > index]
        if len(column) < len(asked) or any(message.role != part.role for message in column):
            break
        if any(part.gap(message) is None for message in column):
            found = _between([part.prefix + part.suffix, *(message.content for message in column)], part.role)
            suffix = found.suffix[max(0, len(found.suffix) - len(part.suffix)) :] if part.has_gap else found.suffix
            part = Part(part.role, found.prefix[: len(part.prefix)], suffix)
        parts.append(part)
    return Template(parts=_without_idle_tail(parts), tools=template.tools, response_format=template.response_format)


def _without_idle_tail(parts: Sequence[Part]) -> tuple[Part, ...]:
    last = max((index for index, part in enumerate(parts) if part.static_chars), default=-1)
    return tuple(parts[: last + 1])


def _next_part(pool: Sequence[tuple[Message, ...]], index: int, strays: int) -> Part | None:
    """The part at one position, or None where the conversations no longer run side by side."""
    talks = [talk for talk in pool if len(talk) > index]
    if not talks or len(pool) - len(talks) > strays:
        return None
    role, _ = _commonest([talk[index].role for talk in talks])
    same = [talk for talk in talks if talk[index].role == role]
    if len(talks) - len(same) > strays:
        return None
    texts = [talk[index].content for talk in same]
    is_input = sum(len(talk) == index + 1 for talk in same) > strays
    is_lead = role in LEAD_ROLES and not is_input
    if not is_input and (is_lead or len({talk[index + 1 :] for talk in same}) >= MIN_VARIANTS):
        text, count = _commonest(texts)
        if len(texts) - count <= strays and not _NOW.search(text):
            return Part(role, text, has_gap=False)
    if not is_lead and len(set(texts)) < MIN_VARIANTS:
        return Part(role)
    part = _between(texts, role)
    if is_lead and not part.static_chars:
        text, count = _commonest(texts)
        if count >= MAIN_SHARE * len(texts) and not _NOW.search(text):
            return Part(role, text, has_gap=False)
    return part


def _between(texts: Sequence[str], role: str) -> Part:
    """A part with a gap between what nearly all distinct texts begin and end with."""
    distinct = sorted(set(texts))
    strays = int(len(distinct) * STRAY_SHARE)
    head_limit, tail_limit = _limits(distinct)
    prefix = _cut_prefix(_shared_prefix(distinct, len(distinct) - strays)[:head_limit])
    rest = [text[len(prefix) :] for text in distinct if text.startswith(prefix)]
    backwards = sorted(text[::-1] for text in rest)
    shared = _shared_prefix(backwards, max(1, len(distinct) - strays - (len(distinct) - len(rest))))[:tail_limit]
    return Part(role, prefix, _cut_suffix(shared[::-1]))


def _limits(texts: Sequence[str]) -> tuple[int, int]:
    """How long a prefix and a suffix may be at most, so that neither holds a date that is said to be today's."""
    spans = [(text, list(_NOW.finditer(text))) for text in texts[:_TEXTS_READ]]
    heads = [found[0].start(1) for _, found in spans if found]
    tails = [len(text) - found[-1].end(1) for text, found in spans if found]
    return min(heads, default=_NO_LIMIT), min(tails, default=_NO_LIMIT)


def common_start(one: str, other: str) -> str:
    """The longest text that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return one[:low]


def _shared_prefix(ordered: Sequence[str], least: int) -> str:
    """The longest text that at least `least` of the sorted texts begin with."""
    best = ""
    for first in range(len(ordered) - least + 1):
        window = common_start(ordered[first], ordered[first + least - 1])
        best = window if len(window) > len(best) else best
    return best


def _cut_prefix(text: str) -> str:
    """Cut a shared beginning back to the last line or colon, else to the last whole word; empty when too short."""
    cuts = [match.end() for match in _CLEAR_CUT.finditer(text) if match.end() >= MIN_SHARED_CHARS]
    text = text[: cuts[-1]] if cuts else re.sub(r"\S+$", "", text)
    return text if len(text.strip()) >= MIN_SHARED_CHARS else ""


def _cut_suffix(text: str) -> str:
    """Cut a shared ending forward to its first line, else to the first whole word; empty when too short."""
    line = text.find("\n")
    text = text[line:] if 0 <= line <= len(text) - MIN_SHARED_CHARS else re.sub(r"^\S+", "", text)
    return text if len(text.strip()) >= MIN_SHARED_CHARS else ""


def _commonest(values: Sequence[T]) -> tuple[T, int]:
    """The commonest value and its count; among equals the least, so that the order of calls is no matter."""
    counts = Counter(values)
    most = max(counts.values())
    return min((value for value, count in counts.items() if count == most), key=repr), most
