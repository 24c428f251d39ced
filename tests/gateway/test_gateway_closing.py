"""Where the closing event of a stream begins: none of it passes early, nothing else is held, however it is split."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gateway.scripted import as_data, as_sse, chat_chunks, message_events, response_events, tool_chunks
from hypothesis import given
from hypothesis import strategies as st

from freehold.gateway.provider.stream_end import ClosingScan

STREAMS: dict[str, tuple[Any, list[bytes]]] = {
    "chat": ("openai-chat", as_data(chat_chunks(with_usage=True))),
    "tools": ("openai-chat", as_data(tool_chunks())),
    "completions": ("openai-completions", [b'data: {"choices":[{"text":"a"}]}\n\n', b"data:[DONE]\n\n"]),
    "messages": ("anthropic-messages", as_sse(message_events())),
    "responses": ("openai-responses", as_sse(response_events())),
    "unnamed": ("openai-responses", [b"data: {}\n\n", b'data: {"response":{},"type":"response.failed"}\n\n']),
    "crlf": ("openai-chat", [b": ping\r\n\r\n", b"data: {}\r\n\r\n", b"data: [DONE]\r\n\r\n"]),
}


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data())
def test_any_split(name: str, data: st.DataObject) -> None:
    dialect, events = STREAMS[name]
    whole, opening = b"".join(events), b"".join(events[:-1])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    scan, passed, fed = ClosingScan(dialect), b"", 0
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        passed += scan.feed(whole[start:end])
        fed = end
        assert scan.is_ended == (fed == len(whole)), "only the end of the last event ends the stream"
    assert passed + scan.held == whole
    assert passed.startswith(opening)
    assert scan.held != b"", "something of the last event is held"


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"delta":{"content":"data: [DONE]"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\"type\\":\\"message_stop\\""}}]}\n\n',
        b'data: {"item":{"type":"response.completed"},"type":"response.output_item.done"}\n\n',
        b"data: [DONE] or not\n\n",
        b"event: message_stopped\n\n",
        b": event: message_stop\n\n",
    ],
)
def test_what_only_looks_like_an_end(event: bytes) -> None:
    for dialect in ("openai-chat", "anthropic-messages", "openai-responses"):
        scan = ClosingScan(dialect)
        assert scan.feed(event) == event
        assert not scan.is_ended
        assert scan.held == b""


def test_endless_line_is_not_kept() -> None:
    scan = ClosingScan("openai-chat")
    for _ in range(40):
        assert scan.feed(b"x" * 2**16) == b"x" * 2**16
    assert len(scan._line) <= 2**20 + 2**16
    assert scan.feed(b"\n\ndata: [DONE]\n\n") == b"\n\n"
    assert scan.is_ended


def test_other_dialects_have_no_closing_event() -> None:
    scan = ClosingScan("other")
    assert scan.feed(b"data: [DONE]\n\n") == b"data: [DONE]\n\n"
    assert json.dumps(scan.is_ended) == "false"
