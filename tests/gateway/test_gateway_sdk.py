"""The official SDKs through the gateway: what they see, and what the record keeps."""

from __future__ import annotations

import io
import json
from typing import Any

import openai
import pytest
from anthropic import Anthropic
from gateway.scripted import CHAT, MESSAGE, RESPONSE, chat_chunks
from gateway.scripted_town import Town
from openai import OpenAI

ASK: Any = [{"role": "system", "content": "Sort it."}, {"role": "user", "content": "Where is my parcel?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}]


@pytest.fixture
def client(town: Town) -> Any:
    with OpenAI(base_url=f"{town.url}/v1", api_key="sk-secret", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(town: Town) -> Any:
    with Anthropic(base_url=town.url, api_key="sk-ant-secret", max_retries=0) as client:
        yield client


def test_chat(town: Town, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="chat", messages=ASK, user="u1", metadata={"session_id": "s1"}, extra_headers={"freehold-tags": "a=b,c"}
    )
    assert raw.parse().choices[0].message.content == "Grüße – refund"
    assert raw.headers["x-request-id"] == "req_1"
    call = town.shelf.by_id(raw.headers["freehold-call-id"])
    assert (call.dialect, call.arm, call.provider, call.status, call.error) == (
        "openai-chat",
        "rented",
        "up",
        200,
        None,
    )
    assert (call.model_asked, call.model_answered, call.system_fingerprint) == ("chat", "chat-2026-01-01", "fp_1")
    assert (call.input_tokens, call.cached_tokens, call.output_tokens) == (20, 8, 4)
    assert call.cost_usd == pytest.approx((20 * 1.0 + 4 * 2.0) / 1e6)
    assert (call.user_key, call.session_key, call.tags) == ("u1", "s1", {"a": "b", "c": ""})
    assert json.loads(call.response_body) == CHAT
    assert call.request_body == town.upstream.seen[0]["body"]
    assert call.latency_ms > 0
    assert call.ttft_ms is not None
    assert call.gateway_ms is not None
    assert call.gateway_ms <= call.latency_ms + 5


def test_keys_are_never_recorded(town: Town, client: OpenAI) -> None:
    client.chat.completions.create(model="chat", messages=ASK)
    assert town.upstream.seen[0]["headers"][b"authorization"] == b"Bearer sk-secret"
    assert "sk-secret" not in repr(town.shelf.calls)


def test_chat_stream_is_assembled_with_usage_that_the_client_never_sees(town: Town, client: OpenAI) -> None:
    """The first stream shows that the provider tells usage only if asked; from the second on it is asked."""
    for _ in range(2):
        chunks = list(client.chat.completions.create(model="chat", messages=ASK, stream=True))
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Grüße – refund"
        assert [c.to_dict() for c in chunks] == chat_chunks(with_usage=False)
    assert "stream_options" not in json.loads(town.upstream.seen[0]["body"])
    assert json.loads(town.upstream.seen[1]["body"])["stream_options"] == {"include_usage": True}
    assert town.shelf.wait_for(lambda call: call.is_stream).is_estimated
    call = town.shelf.wait_for(lambda call: call.is_stream and not call.is_estimated)
    body = json.loads(call.response_body)
    assert body["choices"][0]["message"]["content"] == "Grüße – refund"
    assert body["object"] == "chat.completion"
    assert (call.finish_reason, call.input_tokens, call.output_tokens) == ("stop", 20, 4)
    assert b"stream_options" not in call.request_body


def test_chat_stream_with_usage_asked_for(town: Town, client: OpenAI) -> None:
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="chat", messages=ASK, stream=True, stream_options=options))
    assert [c.to_dict() for c in chunks] == chat_chunks(with_usage=True)


def test_tool_stream(town: Town, client: OpenAI) -> None:
    for chunk in client.chat.completions.create(model="chat", messages=ASK, tools=TOOLS, stream=True):
        assert chunk.id == "chatcmpl-2"
    call = town.shelf.wait_for(lambda call: call.is_stream)
    calls = json.loads(call.response_body)["choices"][0]["message"]["tool_calls"]
    assert calls == [
        {"id": "call_0", "type": "function", "function": {"name": "look_up", "arguments": '{"order": 7}'}},
        {"id": "call_1", "type": "function", "function": {"name": "refund", "arguments": '{"eur": 5}'}},
    ]
    assert call.finish_reason == "tool_calls"


def test_responses_plain_and_streamed(town: Town, client: OpenAI) -> None:
    assert client.responses.create(model="chat", input="hello").output_text == "refund"
    events = list(client.responses.create(model="chat", input="hello", stream=True))
    assert events[-1].type == "response.completed"
    streamed = town.shelf.wait_for(lambda call: call.is_stream)
    plain = town.shelf.wait_for(lambda call: not call.is_stream)
    assert json.loads(streamed.response_body) == json.loads(plain.response_body) == RESPONSE
    assert (plain.input_tokens, plain.cached_tokens, plain.output_tokens) == (9, 3, 2)


def test_embeddings_and_completions(town: Town, client: OpenAI) -> None:
    assert client.embeddings.create(model="embed", input="x", encoding_format="float").data[0].embedding == [0.5, -0.5]
    assert client.completions.create(model="old", prompt="Sort: late").choices[0].text == " refund"
    embedding = town.shelf.wait_for(lambda call: call.dialect == "openai-embeddings")
    assert (embedding.input_tokens, embedding.output_tokens) == (5, 0)
    town.shelf.wait_for(lambda call: call.dialect == "openai-completions")


def test_multipart_passes_untouched(town: Town, client: OpenAI) -> None:
    assert client.files.create(file=io.BytesIO(b"\x00\xffdata"), purpose="batch").id == "file-1"
    seen = town.upstream.seen[0]
    assert b"\x00\xffdata" in seen["body"]
    call = town.shelf.wait_for(lambda call: call.path == "/v1/files")
    assert (call.dialect, call.request_body) == ("other", seen["body"])
    assert json.loads(call.response_body)["id"] == "file-1"


def test_rate_limit_passes_unchanged(town: Town, client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=ASK)
    assert caught.value.response.headers["retry-after"] == "17"
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert "freehold-error" not in caught.value.response.headers
    call = town.shelf.wait_for(lambda call: call.status == 429)
    assert call.error is None


def test_gzip_passes_and_is_recorded_plain(town: Town, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gzip", messages=ASK)
    assert raw.headers["content-encoding"] == "gzip"
    assert raw.parse().choices[0].message.content == "Grüße – refund"
    assert json.loads(town.shelf.by_id(raw.headers["freehold-call-id"]).response_body) == CHAT


def test_gzip_stream_is_assembled(town: Town, client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="gzip", messages=ASK, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Grüße – refund"
    call = town.shelf.wait_for(lambda call: call.is_stream)
    assert json.loads(call.response_body)["choices"][0]["message"]["content"] == "Grüße – refund"


def test_messages_plain_and_streamed(town: Town, claude: Anthropic) -> None:
    ask: Any = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "late"}], "system": "S"}
    assert claude.messages.create(**ask).content[0].to_dict() == {"type": "text", "text": "refund"}
    with claude.messages.stream(**ask) as stream:
        assert stream.get_final_text() == "refund"
    streamed = town.shelf.wait_for(lambda call: call.is_stream)
    plain = town.shelf.wait_for(lambda call: not call.is_stream)
    assert json.loads(streamed.response_body) == json.loads(plain.response_body) == MESSAGE
    assert (plain.provider, plain.input_tokens, plain.cached_tokens, plain.output_tokens) == ("anth", 12, 5, 2)
    assert b"sk-ant-secret" in town.upstream.seen[0]["headers"][b"authorization"]


def test_models_pass_through(town: Town, client: OpenAI, claude: Anthropic) -> None:
    assert [model.id for model in client.models.list()] == ["up-1"]
    assert [model.id for model in claude.models.list()] == ["up-1"]
