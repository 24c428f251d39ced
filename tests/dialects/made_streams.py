"""Streams for the tests of the dialects: events as bytes, and an assembler that is fed in small pieces."""

from __future__ import annotations

import json
from typing import Any

from freehold.dialects import StreamAssembler, read_answer
from freehold.model import Dialect
from freehold.model.exchange import Answer


def data(*chunks: Any, done: bool = True) -> bytes:
    """Chunks as `data:` lines; bytes pass as they are."""
    lines = [c if isinstance(c, bytes) else json.dumps(c).encode() for c in chunks]
    return b"".join(b"data: " + line + b"\n\n" for line in lines) + (b"data: [DONE]\n\n" if done else b"")


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chat completion chunk with one choice."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice], **more}


def named(*events: dict[str, Any]) -> bytes:
    """Events with an `event:` line that names their type."""
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


def assembled(dialect: Dialect, stream: bytes, *, step: int = 5) -> StreamAssembler:
    """The assembler after the whole stream."""
    assembler = StreamAssembler(dialect)
    for start in range(0, len(stream), step):
        assembler.feed(stream[start : start + step])
    assembler.finish()
    return assembler


def answered(dialect: Dialect, stream: bytes) -> Answer:
    """The answer that a stream holds."""
    return read_answer(dialect, assembled(dialect, stream).body())


def chat(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> Answer:
    """The reading of a chat completion with this message."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return read_answer("openai-chat", json.dumps({"id": "c", "model": "m", "choices": [choice], **more}).encode())
