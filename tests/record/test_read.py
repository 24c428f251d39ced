"""Exchanges become calls, whatever their bytes are."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from exchanges import LIMIT_BYTES, an_exchange, as_call
from hypothesis import given
from hypothesis import strategies as st

from freehold.core import Call
from freehold.record import Decision, Exchange, decode_body, read_exchange, readable_encodings

PLAIN = b"text " * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", gzip.compress(PLAIN)),
    ("gzip", gzip.compress(PLAIN[:700]) + gzip.compress(PLAIN[700:])),
    ("deflate", zlib.compress(PLAIN)),
    ("deflate", RAW_DEFLATE.compress(PLAIN) + RAW_DEFLATE.flush()),
    ("identity", PLAIN),
    ("deflate, gzip", gzip.compress(zlib.compress(PLAIN))),
]
CHUNKS = [
    {"id": "1", "model": "m-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "re"}}]},
    {"id": "1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": "fund"}, "finish_reason": "stop"}]},
    {"id": "1", "model": "m-1", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2}},
]
STREAM = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in CHUNKS) + b"data: [DONE]\n\n"
BOMB = gzip.compress(b"\0" * 50_000_000)


@pytest.mark.parametrize(("encoding", "body"), ENCODED)
def test_decoding(encoding: str, body: bytes) -> None:
    assert decode_body(encoding, body, limit_bytes=len(PLAIN)) == PLAIN
    assert decode_body(encoding, body, limit_bytes=len(PLAIN) - 1) is None


def test_what_cannot_be_decoded() -> None:
    assert decode_body("martian", b"x", limit_bytes=100) is None
    assert decode_body("gzip", b"no gzip", limit_bytes=100) is None
    assert readable_encodings("gzip;q=1, martian") == "gzip;q=1"
    assert readable_encodings("martian") == "identity"
    assert readable_encodings("gzip, deflate") == "gzip, deflate"


def test_a_body_that_was_cut_is_decoded_as_far_as_it_goes() -> None:
    packed = gzip.compress(bytes(range(256)) * 100, compresslevel=0)
    decoded = decode_body("gzip", packed[:5000], limit_bytes=LIMIT_BYTES)
    assert decoded is not None
    assert (bytes(range(256)) * 100).startswith(decoded)
    assert len(decoded) > 4000


def _streamed(body: bytes = STREAM, **changes: Any) -> Call:
    return as_call(an_exchange(body=body, is_stream=True, **changes))


def test_a_stream_is_assembled_and_priced() -> None:
    exchange = an_exchange(body=gzip.compress(STREAM), content_encoding="gzip", is_stream=True)
    call = read_exchange(exchange, prices={"m*": (1.0, 2.0)}, limit_bytes=LIMIT_BYTES)
    assert json.loads(call.response_body)["choices"][0]["message"]["content"] == "refund"
    assert (call.model_asked, call.model_answered, call.finish_reason) == ("m", "m-1", "stop")
    assert (call.input_tokens, call.output_tokens, call.cost_usd) == (10, 2, 14e-6)
    assert call.error is None
    assert call.is_stream


def test_how_an_exchange_ended() -> None:
    assert _streamed(STREAM[:80]).error == "cut_off"
    assert _streamed(STREAM, is_cut=True).error == "cut_off"
    assert _streamed(b'data: {"error": {"message": "overloaded"}}\n\n').error == "upstream_error"
    assert _streamed(STREAM[:80], error="client_gone").error == "client_gone"
    assert as_call(an_exchange(is_cut=True)).error == "cut_off"
    assert as_call(an_exchange()).error is None
    rendered = _streamed(b'{"choices":[{"message":{"content":"own"}}]}', is_assembled=True)
    assert (rendered.error, rendered.is_stream) == (None, True)


def test_bodies_that_cannot_be_decoded_are_kept_as_they_came() -> None:
    call = as_call(an_exchange(body=BOMB, content_encoding="gzip", is_stream=True))
    assert call.response_body == BOMB
    assert call.tags["response_encoding"] == "gzip"
    exchange = an_exchange()
    sent = replace(exchange.request, body=BOMB, content_encoding="gzip")
    call = as_call(replace(exchange, request=sent))
    assert call.request_body == BOMB
    assert call.tags["request_encoding"] == "gzip"


def test_whose_call_it_is() -> None:
    body = {"model": "m", "messages": [], "user": "body", "metadata": {"freehold_task": "triage", "session_id": "s"}}
    exchange = an_exchange()
    sent = replace(exchange.request, body=json.dumps(body).encode(), tags={}, key_id="k1")
    call = as_call(replace(exchange, request=sent))
    assert (call.user_key, call.session_key, call.key_id) == ("body", "s", "k1")
    assert call.tags == {"freehold-task": "triage"}
    named = replace(sent, user_key="header", session_key="h", tags={"freehold-task": "other"})
    call = as_call(replace(exchange, request=named))
    assert (call.user_key, call.session_key, call.tags) == ("header", "h", {"freehold-task": "other"})


def test_an_owned_answer_costs_nothing() -> None:
    exchange = replace(an_exchange(), decision=Decision(arm="owned", provider="freehold"))
    assert as_call(exchange).cost_usd == 0.0
    assert as_call(an_exchange()).cost_usd is None


@given(
    st.binary(max_size=400),
    st.binary(max_size=400),
    st.sampled_from(["", "gzip", "deflate", "br", "zstd", "x", "gzip, gzip"]),
    st.booleans(),
    st.sampled_from(["openai-chat", "openai-responses", "anthropic-messages", "openai-completions", "other"]),
)
def test_no_bytes_are_too_odd(asked: bytes, answered: bytes, encoding: str, is_stream: bool, dialect: Any) -> None:
    exchange = an_exchange(body=answered, content_encoding=encoding, is_stream=is_stream)
    sent = replace(exchange.request, body=asked, content_encoding=encoding, dialect=dialect)
    call = as_call(Exchange(sent, exchange.decision, exchange.response))
    assert call.id == exchange.request.id
