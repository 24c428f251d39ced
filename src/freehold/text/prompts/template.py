"""What the calls of a task share, and how that text is taken out of a request.

A template is a run of leading messages (`text.prompts.part`), the shape of the tools and that of the response format.
Each message is fixed, or has gaps: what is shown of them is what the owned model sees. Later messages pass through
whole. Shared text is only left out, nothing is rewritten: `part.fill(part.match(text)) == text` for every part.

The system prompt is one message: system and developer messages before the conversation are read joined, whatever their
number and role. `version` 1 is how earlier versions wrote templates, which their routes go on with: roles and messages
as they are, tools and response format as they are spelled, one gap at most.

Not covered: how a template is learnt (`text.prompts.template_induction`), which calls belong together (`sort`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from freehold.model.exchange import Asked, Message
from freehold.model.prompt import Prompt
from freehold.text.prompts.fingerprint import LEAD_BREAK, LEAD_ROLES
from freehold.text.prompts.fingerprint_v1 import format_digest, tools_digest
from freehold.text.prompts.part import Part
from freehold.text.prompts.request_shape import format_shape, tools_shape

__all__ = ["Part", "Template", "frame", "is_role", "joined"]

_NEWEST = 2

Talk = tuple[Message, ...]


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

    def fits(self, asked: Asked | Prompt) -> bool:
        """Whether the request is of this form."""
        return self.gaps(asked) is not None

    def strip(self, asked: Asked | Prompt) -> tuple[Message, ...] | None:
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

    def gaps(self, asked: Asked | Prompt) -> list[tuple[str, ...]] | None:
        """What stands in the gaps of each message; None where the request does not fit."""
        return self.match(asked) if self.frame == frame(asked, self.version) else None

    def match(self, asked: Asked | Prompt) -> list[tuple[str, ...]] | None:
        """The same, whatever the tools and the response format of the request."""
        messages = self.messages(asked)
        if len(messages) < len(self.parts):
            return None
        gaps = []
        for part, message in zip(self.parts, messages, strict=False):
            is_alike = part.role == message.role or (self.version >= _NEWEST and is_role(part.role, message.role))
            found = part.match(message.content) if is_alike else None
            if found is None:
                return None
            gaps.append(found)
        return gaps

    def messages(self, asked: Asked | Prompt) -> Talk:
        """The messages of a request as this template reads them."""
        return asked.messages if self.version < _NEWEST else joined(asked.messages)

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


def frame(asked: Asked | Prompt, version: int = _NEWEST) -> tuple[str, str]:
    """The digests of tools and response format as a template of this version has them."""
    if version < _NEWEST:
        return tools_digest(asked.tools), format_digest(asked.response_format)
    return tools_shape(asked.tools), format_shape(asked.response_format)


def is_role(one: str, other: str) -> bool:
    """Whether two roles are the same one; the system's and the developer's are."""
    return one == other or (one in LEAD_ROLES and other in LEAD_ROLES)


def joined(messages: Talk) -> Talk:
    """The messages with those of the system before the conversation as one."""
    if len(messages) < 2 or messages[0].role not in LEAD_ROLES or messages[1].role not in LEAD_ROLES:
        return messages
    count = next((i for i, message in enumerate(messages) if message.role not in LEAD_ROLES), len(messages))
    lead = LEAD_BREAK.join(message.content for message in messages[:count])
    return (Message(messages[0].role, lead), *messages[count:])


def _part(data: dict[str, Any]) -> Part:
    return Part(data["role"], tuple(data["pieces"]), tuple(data["gaps"]))


def _earlier_part(data: dict[str, Any]) -> Part:
    if data["has_gap"]:
        return Part.around(data["role"], data["prefix"], data["suffix"])
    return Part.fixed(data["role"], data["prefix"])


def _earlier_json(part: Part) -> dict[str, Any]:
    suffix = part.pieces[-1] if part.gaps else ""
    return {"role": part.role, "prefix": part.pieces[0], "suffix": suffix, "has_gap": part.has_gap}
