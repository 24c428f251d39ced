"""The edits of a body on its way, all of them pure functions of bytes.

A fallback may have another name for the model: `with_model` puts it in place.

OpenAI chat streams tell their usage only when asked (`stream_options.include_usage`). The recorder needs it, so the
option is added upstream, and what it adds to the stream is taken out again: the last chunk with `choices: []`, and the
`usage: null` of the others.

Not covered: streams that arrive compressed; they pass as they are.
"""

from __future__ import annotations

import json
import re

from freehold.core.dialects.scan import Span, decode_utf8, members
from freehold.core.sse import SseEvent, SseParser

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


def with_model(body: bytes, model: str) -> bytes | None:
    """The request body with another model; None where it names none."""
    text = decode_utf8(body)
    named = [span for span in members(text) if span.key == "model"]
    if not named:
        return None
    return (text[: named[-1].start] + json.dumps(model) + text[named[-1].end :]).encode()


class UsageStrip:
    """Takes out of a stream what `with_usage` made the provider add."""

    def __init__(self) -> None:
        self._parser = SseParser()

    def feed(self, chunk: bytes) -> bytes:
        """What of these bytes goes on to the client; a part of an event waits for its rest."""
        return b"".join(_stripped(event) for event in self._parser.feed(chunk))

    def finish(self) -> bytes:
        """What is left at the end of the stream."""
        return self._parser.rest


def _stripped(event: SseEvent) -> bytes:
    if '"usage"' not in event.data:
        return event.raw
    try:
        data: object = json.loads(event.data)
    except (ValueError, RecursionError):
        return event.raw
    if not isinstance(data, dict) or "usage" not in data:
        return event.raw
    if data["usage"] is None:
        is_only_one = len(_NULL.findall(event.raw)) == 1
        return _NULL_WITH_COMMA.sub(b"", event.raw) if is_only_one else event.raw
    return event.raw if data.get("choices") else b""
