"""Server-sent events out of bytes, as they come.

`SseParser` follows the event stream format of the HTML standard: LF, CRLF or CR ends a line, an empty line ends an
event, `data` lines join with LF, a leading byte order mark and comments are skipped. However the bytes are split, the
events are the same, and the `raw` bytes of the events, with `rest` at the end, add up to what was fed.

Not covered: `id` and `retry` (a gateway has no use for them), and what the data means (`dialects`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_SPACE = 4096
DONE = "[DONE]"


_BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":")


def begins_as_stream(body: bytes) -> bool | None:
    """Whether a body begins like events; None where too little has come to tell. Space before them says nothing."""
    if _BYTE_ORDER_MARK.startswith(body):
        return None
    start = body[:_LONGEST_SPACE].removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not start:
        return None if len(body) < _LONGEST_SPACE else False
    if start.startswith(_BEGINNINGS):
        return True
    return None if any(mark.startswith(start) for mark in _BEGINNINGS) else False


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event; `data` is empty for a comment or a ping; `raw` is all of its bytes with the empty line."""

    name: str
    data: str
    raw: bytes


class SseParser:
    """Turns chunks of bytes into events; holds back what is not a whole event yet."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._seen = 0
        self._line_start = 0

    @property
    def rest(self) -> bytes:
        """The bytes after the last whole event."""
        return bytes(self._waiting)

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take the next bytes; returns the events that became whole with them."""
        self._waiting += chunk
        events: list[SseEvent] = []
        start = 0
        for match in _LINE_END.finditer(self._waiting, self._seen):
            if match.group() == b"\r" and match.end() == len(self._waiting):
                break  # a CRLF may be split here: the next byte decides
            is_empty = match.start() == self._line_start
            self._seen = self._line_start = match.end()
            if is_empty:
                events.append(_read_event(bytes(self._waiting[start : match.end()])))
                start = match.end()
        if start:
            del self._waiting[:start]
            self._line_start -= start
        self._seen = self._unread_from()
        return events

    def _unread_from(self) -> int:
        end = len(self._waiting)
        return end - 1 if self._waiting.endswith(b"\r") else end


def sse_bytes(data: str, *, name: str = "") -> bytes:
    """One event as bytes; `data` must be free of line ends."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()


def _read_event(raw: bytes) -> SseEvent:
    name = ""
    data: list[str] = []
    for line in _LINE_END.split(raw.removeprefix(_BYTE_ORDER_MARK)):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    return SseEvent(name, "\n".join(data), raw)
