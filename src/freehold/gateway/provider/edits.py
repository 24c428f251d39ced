"""The edits of a body on its way, all of them pure functions of bytes.

OpenAI chat streams tell their usage only when asked (`stream_options.include_usage`). The recorder needs it, so the
option is added for providers that do not tell it unasked (`gateway.provider.usage`), and what it adds to the stream is
taken out again: the last chunk with `choices: []`, and the member `usage` of the others.

Not covered: streams that arrive compressed; they pass as they are.
"""

from __future__ import annotations

import json
import re

from freehold.dialects.scan import Span, decode_utf8, members
from freehold.dialects.sse import SseEvent, SseParser

_COMMA = re.compile(r"\s*,\s*")
_NULL = re.compile(rb'"usage"\s*:\s*null')
_NULL_WITH_COMMA = re.compile(rb'(?:,\s*"usage"\s*:\s*null(?=\s*[,}]))|(?:"usage"\s*:\s*null\s*,\s*)')


def with_usage(body: bytes) -> bytes | None:
    """The request body with `include_usage` set; None where that cannot be written into it."""
    text = decode_utf8(body)
    spans = list(members(text))
    if not spans:
        return None
    options = [span for span in spans if span.key == "stream_options"]
    if not options:
        end = spans[-1].end
        edited = f'{text[:end]},"stream_options":{{"include_usage":true}}{text[end:]}'
    elif options[-1].value is None or isinstance(options[-1].value, dict):
        edited = _with_option(text, options[-1])
    else:
        return None
    return edited.encode()


def _with_option(text: str, span: Span) -> str:
    old = span.value if isinstance(span.value, dict) else {}
    new = json.dumps({**old, "include_usage": True}, separators=(",", ":"))
    return text[: span.start] + new + text[span.end :]


class UsageStrip:
    """Takes out of a stream what `with_usage` made the provider add.

    `keeps_null`: the provider says `usage: null` in each chunk also unasked.
    """

    def __init__(self, *, keeps_null: bool = False) -> None:
        self._parser = SseParser()
        self._keeps_null = keeps_null

    def feed(self, chunk: bytes) -> bytes:
        """What of these bytes goes on to the client; a part of an event waits for its rest."""
        return b"".join(self._stripped(event) for event in self._parser.feed(chunk))

    def finish(self) -> bytes:
        """What is left at the end of the stream."""
        return self._parser.rest

    def _stripped(self, event: SseEvent) -> bytes:
        if '"usage"' not in event.data:
            return event.raw
        try:
            data: object = json.loads(event.data)
        except (ValueError, RecursionError):
            return event.raw
        if not isinstance(data, dict) or not isinstance(data.get("usage", 0), dict | None):
            return event.raw
        if data["usage"] is None:
            return event.raw if self._keeps_null else _without_usage(event)
        if not data.get("choices"):
            return b""
        return _with_null(event) if self._keeps_null else _without_usage(event)


def _without_usage(event: SseEvent) -> bytes:
    """The event without the member `usage` of its object, to the byte as if that had never been written."""
    if len(_NULL.findall(event.raw)) == 1 and event.raw.count(b'"usage"') == 1:
        return _NULL_WITH_COMMA.sub(b"", event.raw)
    spans = list(members(event.data))
    places = [n for n, span in enumerate(spans) if span.key == "usage"]
    if len(places) != 1:
        return event.raw
    place = places[0]
    if place:
        start, end = spans[place - 1].end, spans[place].end
    else:
        start = event.data.index("{") + 1
        end = _next_key(event.data, spans[0].end)
    return _in_place(event, start, end, "")


def _with_null(event: SseEvent) -> bytes:
    """The event with `usage: null` in place of a count."""
    span = next(span for span in members(event.data) if span.key == "usage")
    return _in_place(event, span.start, span.end, "null")


def _next_key(text: str, end: int) -> int:
    """Where the next member begins, or where the object ends."""
    match = _COMMA.match(text, end)
    return match.end() if match else end


def _in_place(event: SseEvent, start: int, end: int, new: str) -> bytes:
    """The event with a part of its data replaced; as it is where its data stands on several lines."""
    old = event.data.encode()
    if event.raw.count(old) != 1:
        return event.raw
    return event.raw.replace(old, (event.data[:start] + new + event.data[end:]).encode())
