"""Exchanges become calls, whatever their bytes are."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from exchanges import LIMIT_BYTES, an_exchange, as_call
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.model import Call
from freehold.record import Decision, Exchange, decode_body, read_exchange, readable_encodings

PLAIN = b"text " * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", gzip.compress(PLAIN, mtime=0)),
    ("gzip", gzip.compress(PLAIN[:700], mtime=0) + gzip.compress(PLAIN[700:], mtime=0)),
    ("deflate", zlib.compress(PLAIN)),
    ("deflate", RAW_DEFLATE.compress(PLAIN) + RAW_DEFLATE.flush()),
    ("identity", PLAIN),
    ("deflate, gzip", gzip.compress(zlib.compress(PLAIN), mtime=0)),
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
    call = read_exchange(exchange, prices={"m*": (1.0, 2.0)}, limit_bytes=LIMIT_BYTES).call
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


ERROR_EVENT = b'data: {"error": {"code": 502, "message": "overloaded"}}\n\n'
HALF = b'data: {"model":"m-1","choices":[{"index":0,"delta":{"content":"word word word word"}}]}\n\n'


def test_an_error_that_the_provider_told_is_the_providers() -> None:
    """Also under status 200, and where the client or the connection left on that word."""
    assert as_call(an_exchange(body=b'{"error": {"message": "overloaded"}}')).error == "upstream_error"
    half = b'{"choices":[{"message":{"content":"half"},"finish_reason":"error","error":{"code":502}}]}'
    assert as_call(an_exchange(body=half)).error == "upstream_error"
    for error in (None, "client_gone", "cut_off", "idle_timeout"):
        call = _streamed(HALF + ERROR_EVENT, error=error, is_cut=error is not None)
        assert (call.error, call.status) == ("upstream_error", 200)
    assert _streamed(HALF, error="client_gone", is_cut=True).error == "client_gone"
    refused = an_exchange(body=b'{"error": {"message": "no"}}', status=429)
    assert as_call(refused).error is None, "the status says it"
    own = an_exchange(body=b'{"error": {"message": "no"}}', status=413, error="body_too_large")
    assert as_call(own).error == "body_too_large"


def _asked(body: dict[str, Any], exchange: Exchange) -> Exchange:
    return replace(exchange, request=replace(exchange.request, body=json.dumps(body).encode()))


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_what_was_asked_as_a_stream_and_begins_like_one_is_one(encoding: str) -> None:
    for mark in (b"", b"\xef\xbb\xbf", b"\n\n", b": hello\n\n"):
        raw = mark + STREAM
        exchange = an_exchange(body=gzip.compress(raw) if encoding else raw, content_encoding=encoding)
        call = as_call(_asked({"model": "m", "stream": True, "messages": []}, exchange))
        assert json.loads(call.response_body)["choices"][0]["message"]["content"] == "refund"
        assert (call.is_stream, call.output_tokens, call.error) == (True, 2, None)
    assert not as_call(an_exchange(body=STREAM)).is_stream, "nobody asked for a stream"
    plain = as_call(_asked({"model": "m", "stream": True, "messages": []}, an_exchange()))
    assert (plain.is_stream, plain.error) == (False, None)


PRICES = {"*": (1000.0, 2000.0)}


def test_an_abandoned_stream_has_an_estimated_cost() -> None:
    exchange = an_exchange("word " * 40, body=HALF * 10, is_stream=True, error="client_gone", is_cut=True)
    call = read_exchange(exchange, prices=PRICES, limit_bytes=LIMIT_BYTES).call
    assert (call.input_tokens, call.output_tokens, call.is_estimated) == (54, 48, True)
    assert call.cost_usd == pytest.approx((54 * 1000 + 48 * 2000) / 1e6)
    whole = read_exchange(an_exchange(body=STREAM, is_stream=True), prices=PRICES, limit_bytes=LIMIT_BYTES).call
    assert (whole.output_tokens, whole.is_estimated) == (2, False)


def test_an_early_count_is_no_count() -> None:
    """Anthropic's first event says one output token; its input tokens are the provider's own."""
    start = {"type": "message_start", "message": {"model": "c", "usage": {"input_tokens": 1000, "output_tokens": 1}}}
    words = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word " * 80}}
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in (start, words))
    exchange = an_exchange(body=body, is_stream=True, error="client_gone", is_cut=True)
    sent = replace(exchange.request, dialect="anthropic-messages")
    call = read_exchange(replace(exchange, request=sent), prices=PRICES, limit_bytes=LIMIT_BYTES).call
    assert (call.input_tokens, call.output_tokens, call.is_estimated) == (1000, 100, True)


def test_a_count_that_came_before_the_client_left_is_the_count() -> None:
    call = as_call(an_exchange(body=STREAM.removesuffix(b"data: [DONE]\n\n"), is_stream=True, error="client_gone"))
    assert (call.input_tokens, call.output_tokens, call.is_estimated) == (10, 2, False)


def test_what_is_estimated_and_what_is_not() -> None:
    """Nothing that was refused, owned, failed without a word, or is no text."""
    silent = as_call(an_exchange())
    assert (silent.output_tokens, silent.is_estimated) == (1, True)
    gone = as_call(an_exchange("word " * 40, body=b"", status=499, error="client_gone"))
    assert (gone.input_tokens, gone.output_tokens, gone.is_estimated) == (54, 0, True)
    exchange = an_exchange()
    others = [
        an_exchange(body=b'{"error": {"message": "no"}}', status=429),
        an_exchange(body=b'{"error": {"message": "no"}}'),
        an_exchange(body=b"<html>hello</html>"),
        an_exchange(body=b"", status=502, error="upstream_unreachable"),
        replace(exchange, decision=Decision(arm="owned", provider="freehold")),
        replace(exchange, decision=Decision()),
        replace(exchange, request=replace(exchange.request, dialect="openai-embeddings")),
        replace(exchange, request=replace(exchange.request, method="GET", path="/v1/chat/completions/c1")),
    ]
    for other in others:
        call = as_call(other)
        assert (call.is_estimated, call.input_tokens) == (False, None), other


def test_parts_of_tokens_and_the_version_of_the_api_are_kept() -> None:
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    body = {"model": "m", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
    exchange = an_exchange(body=json.dumps(body).encode())
    sent = replace(exchange.request, api={"anthropic-version": "2026-10-21"})
    call = as_call(replace(exchange, request=sent))
    assert (call.cached_tokens, call.written_tokens, call.reasoning_tokens) == (4, 8, 6)
    assert call.api == {"anthropic-version": "2026-10-21"}


def test_the_model_of_an_azure_deployment() -> None:
    exchange = an_exchange()
    path = "/openai/deployments/my-gpt/chat/completions"
    call = as_call(_asked({"messages": []}, replace(exchange, request=replace(exchange.request, path=path))))
    assert call.model_asked == "my-gpt"
    call = as_call(
        _asked({"model": "m", "messages": []}, replace(exchange, request=replace(exchange.request, path=path)))
    )
    assert call.model_asked == "m"


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
