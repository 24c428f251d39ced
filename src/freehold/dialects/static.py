"""The long shared parts of a request body, as they stand in its bytes.

An application sends the same system prompt, tools and response format with every call; the store keeps them once.
Not covered: shared text inside user messages, which no single request can show; bodies that are not UTF-8 JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from freehold.dialects.form import Form

LEAST_BYTES = 256
_STATIC_ROLES = ("system", "developer")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
"""One level alone: what the members hold stays bytes."""


def static_slices(form: Form, body: bytes) -> tuple[bytes, ...]:
    """The slices of `body` of at least `LEAST_BYTES` that hold shared text; they do not overlap."""
    if len(body) < LEAST_BYTES or not (form.static_keys or form.message_key):
        return ()
    return tuple(part for part in map(bytes, _slices(form, body)) if len(part) >= LEAST_BYTES)


def _slices(form: Form, body: bytes) -> Iterator[msgspec.Raw]:
    for key, value in _members(body).items():
        if key in form.static_keys:
            yield value
        elif key == form.message_key:
            for message in _elements(value):
                yield from _shared_content(message)


def _shared_content(message: msgspec.Raw) -> Iterator[msgspec.Raw]:
    if len(bytes(message)) < LEAST_BYTES:
        return
    parts = _members(message)
    role, content = parts.get("role"), parts.get("content")
    if content is not None and role is not None and _text(role) in _STATIC_ROLES:
        yield content


def _members(value: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _OBJECT.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _elements(value: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _ARRAY.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _text(value: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
