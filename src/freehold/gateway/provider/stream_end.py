"""Where the closing event of a stream begins, found in the bytes as they pass.

A stream's closing event (`[DONE]`, `message_stop`, `response.completed` and its kin) is what tells a client that it has
everything, so it is held until the call is durable. Everything before it passes at once.

Not covered: what the events say; the record reads them later. Streams of other dialects have no closing event here.
"""

from __future__ import annotations

import re

from freehold.dialects.values import parse_anyhow
from freehold.model.call import Dialect

_LAST_TYPES = ("message_stop", "response.completed", "response.failed", "response.incomplete")
_DONE = re.compile(rb"data: ?\[DONE\]\s*$")
_LAST_EVENT = re.compile(rb"event: ?(%b)\s*$" % b"|".join(re.escape(name.encode()) for name in _LAST_TYPES))
_MAY_BE_LAST = re.compile(rb'"(%b)"' % b"|".join(re.escape(name.encode()) for name in _LAST_TYPES))
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_LINE_BYTES = 2**20
_CLOSED_DIALECTS = ("openai-chat", "openai-completions", "openai-responses", "anthropic-messages")


class ClosingScan:
    """Feed it a stream; it gives what may pass, and keeps what begins with the closing event."""

    def __init__(self, dialect: Dialect) -> None:
        self.is_ended = False
        self._is_closed_dialect = dialect in _CLOSED_DIALECTS
        self._line = bytearray()
        self._held = bytearray()
        self._event = bytearray()
        self._is_closing = False
        self._is_long = False

    @property
    def held(self) -> bytes:
        """The closing event, as far as it has come, and whatever came after it."""
        return bytes(self._held)

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes; returns those that may go to the client now.

        `is_ended` holds once the closing event is whole.
        """
        if not self._is_closed_dialect:
            return chunk
        if self._is_closing:
            self._close(chunk)
            return b""
        line, passed, start, is_last = self._line, len(self._line), 0, False
        line += chunk
        for match in _LINE_END.finditer(line, max(0, passed - 1)):
            if match.group() == b"\r" and match.end() == len(line):
                break  # a CRLF may be split here: the next byte decides
            is_last = not self._is_long and _is_last(bytes(line[start : match.start()]))
            if is_last:
                break
            start, self._is_long = match.end(), False
        if is_last:
            return self._begin_closing(start, passed)
        del line[:start]
        if len(line) > _LONGEST_LINE_BYTES:
            self._is_long = True
            line.clear()
        return chunk

    def _begin_closing(self, start: int, passed: int) -> bytes:
        """Hold what has not passed of the event that begins at `start`; returns what came before it."""
        cut = max(start, passed)
        before = bytes(self._line[passed:cut])
        self._event += self._line[start:cut]
        self._close(bytes(self._line[cut:]))
        self._line.clear()
        self._is_closing = True
        return before

    def _close(self, chunk: bytes) -> None:
        self._held += chunk
        if not self.is_ended:
            self._event += chunk
            self.is_ended = _EVENT_END.search(self._event) is not None


def _is_last(line: bytes) -> bool:
    if line.startswith(b"event:"):
        return _LAST_EVENT.match(line) is not None
    if not line.startswith(b"data:"):
        return False
    if _DONE.match(line):
        return True
    return _MAY_BE_LAST.search(line) is not None and parse_anyhow(line[5:]).get("type") in _LAST_TYPES
