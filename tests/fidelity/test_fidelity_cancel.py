"""Clients that hang up, wait too little or ask again: the provider notices, the record keeps what had come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from anthropic import Anthropic
from fidelity.provider import TEXT, answer, chat_stream
from fidelity.running import Running, running
from fidelity.upstream import LAST_CHUNK, SSE_HEAD, End, Seen, Upstream, chunk, plain, served
from openai import AsyncOpenAI, OpenAI

Town = tuple[Upstream, Running]
CHAT: Any = {"model": "gpt-x", "messages": [{"role": "user", "content": "late"}]}
SAY: Any = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "late"}]}


@pytest.fixture(scope="module")
def whole_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served(answer) as upstream, running(tmp_path_factory.mktemp("cancel"), upstream) as gateway:
        yield upstream, gateway


@pytest.fixture
def town(whole_town: Town) -> Town:
    upstream, _ = whole_town
    upstream.seen.clear()
    upstream.hung_up.clear()
    upstream.script = answer
    return whole_town


def client(gateway: Running, kind: Any = OpenAI, **options: Any) -> Any:
    return kind(base_url=f"{gateway.url}/v1", api_key="sk-own", **{"max_retries": 0, **options})


async def begin_and_wait(seen: Seen) -> AsyncIterator[bytes | End]:
    """The beginning of a stream, then nothing."""
    yield SSE_HEAD
    for event in chat_stream(seen.data)[:4]:
        yield chunk(event)
    await asyncio.Event().wait()


async def wait(_: Seen) -> AsyncIterator[bytes | End]:
    """Nothing at all."""
    await asyncio.Event().wait()
    yield b""


def tagged(tag: str) -> dict[str, str]:
    return {"freehold-tags": f"test={tag}"}


def test_a_client_that_closes_its_stream_stops_the_provider(town: Town) -> None:
    """A client that hangs up must stop the upstream's generation, and what came until then is recorded as cut off."""
    upstream, gateway = town
    upstream.script = begin_and_wait
    with client(gateway) as own:
        stream = own.chat.completions.create(**CHAT, stream=True, extra_headers=tagged("sync"))
        for piece in stream:
            if piece.choices[0].delta.content:
                break
        stream.close()
    upstream.wait_until(lambda up: len(up.hung_up) == 1)
    _assert_what_came(gateway, "sync")


async def test_an_async_client_that_closes_its_stream_stops_the_provider(town: Town) -> None:
    upstream, gateway = town
    upstream.script = begin_and_wait
    async with client(gateway, AsyncOpenAI) as own:
        stream = await own.chat.completions.create(**CHAT, stream=True, extra_headers=tagged("async"))
        async for piece in stream:
            if piece.choices[0].delta.content:
                break
        await stream.close()
    await asyncio.to_thread(upstream.wait_until, lambda up: len(up.hung_up) == 1)
    await asyncio.to_thread(_assert_what_came, gateway, "async")


def _assert_what_came(gateway: Running, tag: str) -> None:
    call = gateway.call(lambda call: call["tags"].get("test") == tag)
    assert (call["status"], call["error"], call["is_stream"]) == (200, "client_gone", True)
    content = json.loads(call["response_body"])["choices"][0]["message"]["content"]
    assert content
    assert TEXT.startswith(content)


async def test_a_cancelled_request_is_cancelled_at_the_provider(town: Town) -> None:
    upstream, gateway = town
    upstream.script = wait
    async with client(gateway, AsyncOpenAI) as own:
        asking = asyncio.create_task(own.chat.completions.create(**CHAT, extra_headers=tagged("cancelled")))
        await asyncio.to_thread(upstream.wait_until, lambda up: len(up.seen) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    await asyncio.to_thread(upstream.wait_until, lambda up: len(up.hung_up) == 1)
    call = await asyncio.to_thread(gateway.call, lambda call: call["tags"].get("test") == "cancelled")
    assert (call["error"], call["response_body"]) == ("client_gone", "")


def test_a_client_that_waits_no_longer_is_gone(town: Town) -> None:
    upstream, gateway = town
    upstream.script = wait
    with client(gateway, timeout=1.0) as own, pytest.raises(openai.APITimeoutError):
        own.chat.completions.create(**CHAT, extra_headers=tagged("timeout"))
    upstream.wait_until(lambda up: len(up.hung_up) == 1)
    assert gateway.call(lambda call: call["tags"].get("test") == "timeout")["error"] == "client_gone"


def failing(times: int, status: int) -> Any:
    """A script that refuses so often, and then answers."""
    left = [times]

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        if left[0]:
            left[0] -= 1
            body = json.dumps({"error": {"message": "slow down", "type": "requests", "param": None, "code": "x"}})
            yield plain(body.encode(), status=status, headers=[(b"retry-after-ms", b"1"), (b"retry-after", b"1")])
        else:
            async for step in answer(seen):
                yield step

    return script


@pytest.mark.parametrize(
    ("status", "failures", "retries", "requests"),
    [(429, 1, 2, 2), (500, 2, 2, 3), (503, 1, 0, 1), (429, 5, 2, 3), (409, 1, 1, 2), (400, 5, 3, 1)],
)
def test_retries_are_the_clients_own(town: Town, status: int, failures: int, retries: int, requests: int) -> None:
    """Upstream 429 and `retry-after` pass through unchanged when no fallback answers: Freehold adds no request."""
    upstream, gateway = town
    upstream.script = failing(failures, status)
    with client(gateway, max_retries=retries) as own:
        if requests > failures:
            assert own.chat.completions.create(**CHAT).choices[0].message.content == TEXT
        else:
            with pytest.raises(openai.APIStatusError) as caught:
                own.chat.completions.create(**CHAT)
            assert caught.value.status_code == status
            assert caught.value.response.headers["retry-after"] == "1"
            assert "freehold-error" not in caught.value.response.headers
    assert len(upstream.seen) == requests


def test_anthropic_retries_are_the_clients_own(town: Town) -> None:
    upstream, gateway = town
    upstream.script = failing(1, 529)
    with Anthropic(base_url=gateway.url, api_key="sk-own", max_retries=1) as own:
        assert own.messages.create(**SAY).content[0].text == TEXT
    assert len(upstream.seen) == 2


def test_the_gateway_stops_with_its_streams_whole(tmp_path: Any) -> None:
    """A stop by SIGTERM in the middle of a stream ends the stream first, and then the gateway, with nothing lost."""
    gate = asyncio.Event()

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        yield SSE_HEAD
        events = chat_stream(seen.data)
        for event in events[:3]:
            yield chunk(event)
        await gate.wait()
        for event in events[3:]:
            yield chunk(event)
        yield LAST_CHUNK

    with served(script) as upstream, running(tmp_path, upstream) as gateway, client(gateway) as own:
        stream = own.chat.completions.create(**CHAT, stream=True)
        first = next(iter(stream))
        gateway.terminate()
        upstream.open(gate)
        rest = [piece.choices[0].delta.content or "" for piece in stream]
        assert "".join(rest) == TEXT
        assert first.choices[0].delta.role == "assistant"
        assert gateway.stop() == 0
        assert [call["error"] for call in gateway.calls()] == [None]
