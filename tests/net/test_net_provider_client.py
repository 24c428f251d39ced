"""A call that is repeated goes out as it did: same address, same API version, the key where the provider wants it."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from fidelity.upstream import End, Seen, Upstream, plain, served

from freehold.model import Call
from freehold.model.call import Dialect
from freehold.net.provider_client import Asking, Reply, Request, ask
from freehold.prove.run.self_consistency import _request
from freehold.settings import ProviderSettings

MESSAGE = {"content": [{"type": "text", "text": "refund"}], "stop_reason": "end_turn", "model": "claude-x"}
CHAT = {"choices": [{"message": {"content": "refund"}, "finish_reason": "stop"}], "model": "m"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        body = MESSAGE if b"messages" in seen.target else CHAT
        yield plain(json.dumps(body).encode())

    with served(script) as running:
        yield running


def repeated(
    upstream: Upstream, path: str, *, base: str, api: Mapping[str, str], dialect: Dialect, body: Any
) -> tuple[Seen, Reply]:
    """What the provider saw of a recorded call that was asked again, and the reply."""
    speaks = "anthropic" if dialect == "anthropic-messages" else "openai"
    provider = ProviderSettings(
        name="up", base_url=f"http://127.0.0.1:{upstream.port}{base}", dialect=speaks, key_env="UP_KEY"
    )
    raw = json.dumps(body).encode()
    call = Call(id="c1", created_at=1.0, dialect=dialect, path=path, request_body=raw, provider="up", api=dict(api))
    reply = ask(_request(call, provider), Asking({"UP_KEY": "sk-up"}), threading.Event())
    return upstream.seen[-1], reply


SAY = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_anthropics_version_and_betas(upstream: Upstream) -> None:
    api = {"anthropic-version": "2026-10-21", "anthropic-beta": "context-1m-2025-08-07"}
    seen, reply = repeated(upstream, "/v1/messages", base="", api=api, dialect="anthropic-messages", body=SAY)
    assert (seen.header(b"anthropic-version"), seen.header(b"anthropic-beta")) == (
        b"2026-10-21",
        b"context-1m-2025-08-07",
    )
    assert (seen.target, seen.header(b"x-api-key"), reply.text) == (b"/v1/messages", b"sk-up", "refund")
    old, _ = repeated(upstream, "/v1/messages", base="", api={}, dialect="anthropic-messages", body=SAY)
    assert old.header(b"anthropic-version") == b"2023-06-01"


def test_openais_beta_header(upstream: Upstream) -> None:
    api = {"openai-beta": "responses=v2"}
    seen, _ = repeated(upstream, "/v1/chat/completions", base="/v1", api=api, dialect="openai-chat", body=ASK)
    assert (seen.header(b"openai-beta"), seen.header(b"authorization")) == (b"responses=v2", b"Bearer sk-up")


def test_azures_path_version_and_key(upstream: Upstream) -> None:
    path, api = "/openai/deployments/my-gpt/chat/completions", {"api-version": "2024-10-21"}
    seen, reply = repeated(upstream, path, base="/openai", api=api, dialect="openai-chat", body={"messages": []})
    assert seen.target == path.encode() + b"?api-version=2024-10-21"
    assert (seen.header(b"api-key"), seen.header(b"authorization"), seen.data) == (b"sk-up", b"", {"messages": []})
    assert reply.text == "refund"


def test_azures_path_at_another_provider(upstream: Upstream) -> None:
    path, api = "/openai/deployments/my-gpt/chat/completions", {"api-version": "2024-10-21"}
    seen, _ = repeated(upstream, path, base="/v1", api=api, dialect="openai-chat", body={"messages": []})
    assert (seen.target, seen.data) == (b"/v1/chat/completions", {"model": "my-gpt", "messages": []})
    assert seen.header(b"authorization") == b"Bearer sk-up"


@pytest.mark.parametrize(
    ("answer", "is_text", "is_problem"),
    [
        (CHAT, True, False),
        ({"error": {"message": "overloaded"}}, False, True),
        ({"choices": [{"message": {"content": "half"}, "finish_reason": "MAX_TOKENS"}]}, False, False),
        ({"choices": [{"message": {"content": "half"}, "finish_reason": "unheard_of"}]}, False, False),
        ({"choices": [{"message": {"content": "<think>hm</think>refund"}, "finish_reason": "stop"}]}, True, False),
    ],
)
def test_only_a_whole_answer_is_one(answer: Any, is_text: bool, is_problem: bool) -> None:
    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        yield plain(json.dumps(answer).encode())

    with served(script) as upstream:
        provider = ProviderSettings(name="up", base_url=f"http://127.0.0.1:{upstream.port}/v1")
        body = json.dumps(ASK).encode()
        request = Request(key="1", provider=provider, dialect="openai-chat", target="/v1/chat/completions", body=body)
        reply = ask(request, Asking({}), threading.Event())
    assert (reply.text == "refund", bool(reply.problem)) == (is_text, is_problem)
