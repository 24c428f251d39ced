"""Content of an answer: a text or parts, read as one text, and joined when it comes in pieces.

Not covered: the content of requests, whose parts are read by `values.content_text`.
"""

from __future__ import annotations

import msgspec

from freehold.dialects.thought import joined_thoughts, part_thought, split_thought
from freehold.dialects.values import JsonObject, as_list, as_object, as_text, raw_text

_TEXT_TYPES = ("text", "output_text", "input_text", "summary_text", "")
_THOUGHT_TYPES = ("thinking", "reasoning", "reasoning_text", "reasoning.text", "thought")
_JOINED = ("text", "thinking", "refusal", "reasoning")


class Content(msgspec.Struct, frozen=True, gc=False):
    """The content of an answer, read: its text, its thought, and whether it has a part that refuses."""

    text: str
    thought: str
    is_refusal: bool = False


def read_content(content: object) -> Content:
    """Read a text, a part, or a list of them; texts follow each other without anything between."""
    if isinstance(content, str):
        thought, text = split_thought(as_text(content))
        return Content(text, thought)
    texts: list[str] = []
    thoughts: list[str] = []
    is_refusal = False
    for part in _parts(content):
        kind = as_text(part.get("type"))
        if kind in _THOUGHT_TYPES:
            thoughts.append(part_thought(part))
        elif kind == "refusal":
            texts.append(as_text(part.get("refusal")) or as_text(part.get("text")))
            is_refusal = True
        elif kind in _TEXT_TYPES:
            texts.append(raw_text(part.get("text")))
    thought, text = split_thought(as_text("".join(texts)))
    return Content(text, joined_thoughts("".join(thoughts), thought), is_refusal)


def joined_content(old: object, new: object) -> object:
    """Content so far and the next piece of it: texts stay a text, anything else becomes a list of parts.

    What continues the last part becomes a part of that one; a part with an `index` of its own begins anew.
    """
    if not new:
        return old if old is not None else new
    if not old:
        return _parts(new) if isinstance(new, dict) else new
    if isinstance(old, str) and isinstance(new, str):
        return old + new
    joined = _parts(old)
    for part in _parts(new):
        if joined and _continues(joined[-1], part):
            joined[-1] = _joined_part(joined[-1], part)
        else:
            joined.append(dict(part))
    return joined


def _parts(content: object) -> list[JsonObject]:
    """Content as parts; a bare text is a part of type text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if isinstance(content, dict):
        return [content]
    return [
        {"type": "text", "text": item} if isinstance(item, str) else as_object(item)
        for item in as_list(content)
        if item
    ]


def _continues(last: JsonObject, part: JsonObject) -> bool:
    is_alike = last.get("type") == part.get("type") and last.get("index") == part.get("index")
    return is_alike and any(key in last and key in part for key in _JOINED)


def _joined_part(last: JsonObject, part: JsonObject) -> JsonObject:
    joined = {**last, **{key: value for key, value in part.items() if value is not None}}
    for key in _JOINED:
        if key in last and key in part:
            joined[key] = _joined_value(last[key], part[key])
    return joined


def _joined_value(last: object, new: object) -> object:
    if isinstance(last, str) and isinstance(new, str):
        return raw_text(last) + raw_text(new)
    return joined_content(last, new)
