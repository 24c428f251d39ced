"""Reading JSON that anybody may have written: a wrong type reads as absent, never as an error.

Not covered: what the fields mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from freehold.model.exchange import Message

JsonObject = dict[str, object]

_LARGEST_COUNT = 2**53


class BadBodyError(ValueError):
    """A body that is not a JSON object."""


def parse_object(body: bytes) -> JsonObject:
    """The JSON object in `body`; BadBodyError says what stands there instead."""
    try:
        value = _parse(body)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadBodyError(f"The request body is not JSON: {reason}.") from error
    if not isinstance(value, dict):
        raise BadBodyError(
            f"The request body is JSON, but {_KIND_NAMES.get(type(value), 'a number')} and not an object."
        )
    return value


_KIND_NAMES = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def parse_anyhow(body: bytes | str) -> JsonObject:
    """The JSON object in `body`, or an empty one."""
    try:
        value = _parse(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _parse(body: bytes | str) -> object:
    """JSON by the quick parser, or by the standard one where that finds fault: it takes NaN and half characters."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError):
        return json.loads(body)


def dump(value: Mapping[str, object]) -> bytes:
    """Compact JSON, kept as UTF-8 where it can be (a lone surrogate cannot)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def dump_text(value: Mapping[str, object]) -> str:
    """Compact JSON as text."""
    return dump(value).decode()


def as_object(value: object) -> JsonObject:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """`value` if it is a string, else an empty one; half characters are joined, lone ones become question marks."""
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        joined = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return joined.encode("utf-8", "replace").decode()
    return value


def raw_text(value: object) -> str:
    """`value` if it is a string, else an empty one; half characters stay, so that their other halves can follow."""
    return value if isinstance(value, str) else ""


def as_name(value: object) -> str | None:
    """A short text that is fit for a database column, or None."""
    if not value or not isinstance(value, str):
        return None
    return as_text(value).replace("\0", "") or None


def as_count(value: object) -> int | None:
    """A whole number of things, or None."""
    if type(value) is int:
        return value if 0 <= value <= _LARGEST_COUNT else None
    return int(value) if isinstance(value, float) and 0 <= value <= _LARGEST_COUNT else None


def content_text(content: object, text_types: frozenset[str]) -> tuple[str, bool]:
    """The text of a message's content, and whether text is all that there is."""
    if content is None or isinstance(content, str):
        return as_text(content), True
    texts: list[str] = []
    is_text = isinstance(content, list)
    for part in as_list(content):
        fields = as_object(part)
        if as_text(fields.get("type")) in text_types:
            texts.append(as_text(fields.get("text")))
        else:
            is_text = False
    return "\n".join(texts), is_text


def read_metadata(data: JsonObject) -> dict[str, str]:
    """The string pairs of the body's `metadata`."""
    pairs = as_object(data.get("metadata")).items()
    return {as_name(k) or "": as_name(v) or "" for k, v in pairs if isinstance(v, str)}


def as_messages(pairs: list[tuple[str, str]]) -> tuple[Message, ...]:
    """Messages out of (role, text) pairs."""
    return tuple(Message(role, text) for role, text in pairs)
