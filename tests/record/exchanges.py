"""Exchanges made for tests of the journal."""

from __future__ import annotations

from typing import Any

from freehold.model import Call
from freehold.model.ids import uuid7
from freehold.record import Decision, Exchange, RequestSide, ResponseSide, read_exchange

LIMIT_BYTES = 100_000


def an_exchange(text: str = "hello", **response: Any) -> Exchange:
    """A chat request with `text` as its body's message, and a response."""
    request = RequestSide(
        id=uuid7(),
        created_at=1_763_900_000.0,
        dialect="openai-chat",
        method="POST",
        path="/v1/chat/completions",
        body=b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % text.encode(),
        tags={"row": text},
    )
    values: dict[str, Any] = {"status": 200, "body": b'{"choices":[{"message":{"content":"hi"}}]}'}
    return Exchange(request, Decision(provider="up"), ResponseSide(**values | response))


def as_call(exchange: Exchange) -> Call:
    """The exchange, read without prices."""
    return read_exchange(exchange, prices={}, limit_bytes=LIMIT_BYTES).call
