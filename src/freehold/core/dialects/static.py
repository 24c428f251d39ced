"""The long shared parts of a request body, as they stand in its bytes.

An application sends the same system prompt, tools and response format with every call; the store keeps them once.
Not covered: shared text inside user messages, which no single request can show.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.core.dialects.form import Form
from freehold.core.dialects.scan import Span, decode_utf8, elements, members

LEAST_BYTES = 256
_STATIC_ROLES = ("system", "developer")


def static_slices(form: Form, body: bytes) -> tuple[bytes, ...]:
    """The slices of `body` of at least `LEAST_BYTES` that hold shared text; they do not overlap."""
    if len(body) < LEAST_BYTES or not (form.static_keys or form.message_key):
        return ()
    text = decode_utf8(body)
    slices = (text[span.start : span.end].encode() for span in _spans(form, text))
    return tuple(part for part in slices if len(part) >= LEAST_BYTES)


def _spans(form: Form, text: str) -> Iterator[Span]:
    for member in members(text):
        if member.key in form.static_keys:
            yield member
        elif member.key == form.message_key and isinstance(member.value, list):
            for message in elements(text, member.start):
                if isinstance(message.value, dict) and message.value.get("role") in _STATIC_ROLES:
                    yield from (part for part in members(text, message.start) if part.key == "content")
