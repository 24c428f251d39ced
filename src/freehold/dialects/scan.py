"""Where the members of a JSON object stand in its bytes.

Not covered: bytes that are not UTF-8 JSON; they have no members here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_WHITESPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Span:
    """A value of a JSON text: the key it stands under ("" in an array), the value, and where its text is."""

    key: str
    value: object
    start: int
    end: int


def decode_utf8(body: bytes) -> str:
    """`body` as text, or an empty text when it is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return ""


def members(text: str, start: int = 0) -> Iterator[Span]:
    """The members of the object that begins at `start`; ends early where the text is not JSON."""
    yield from _values(text, start, "{", "}")


def _values(text: str, start: int, opening: str, closing: str) -> Iterator[Span]:
    index = _skip(text, start)
    if text[index : index + 1] != opening:
        return
    index = _skip(text, index + 1)
    while text[index : index + 1] not in (closing, ""):
        key = ""
        try:
            if opening == "{":
                key, index = _DECODER.raw_decode(text, index)
                index = _skip(text, _skip(text, index) + 1)
            value, end = _DECODER.raw_decode(text, index)
        except (ValueError, RecursionError):
            return
        yield Span(key, value, index, end)
        index = _skip(text, end)
        if text[index : index + 1] == ",":
            index = _skip(text, index + 1)


def _skip(text: str, index: int) -> int:
    if text[index : index + 1] not in " \t\n\r":
        return index
    match = _WHITESPACE.match(text, index)
    return match.end() if match else index
