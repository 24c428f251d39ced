"""The official SDKs, sync and async: what they read through Freehold is what they read from the provider itself."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from fidelity.provider import BINARY, TEXT, answer
from fidelity.running import Running, running
from fidelity.upstream import Upstream, served
from openai import AsyncOpenAI, OpenAI

Town = tuple[Upstream, Running]
ASK: Any = [{"role": "system", "content": "Sort it."}, {"role": "user", "content": "Où est mon colis ? 📦"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
SEE: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]
TOOLS: Any = [{"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}]
CHAT: Any = {"model": "gpt-x", "messages": ASK}
SAY: Any = {"model": "claude-x", "max_tokens": 99, "messages": [{"role": "user", "content": "Où ?"}], "system": "Sort."}
SOURCE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
SHOW: Any = {**SAY, "messages": [{"role": "user", "content": [{"type": "image", "source": SOURCE}]}]}
TOOL: Any = [{"name": "refund", "input_schema": {"type": "object"}}]
BATCH: Any = [{"custom_id": "a", "params": SAY}]


def upload(name: str = "données.jsonl") -> tuple[str, io.BytesIO]:
    return name, io.BytesIO(BINARY)


# what is asked, by name: the client's call, and a part of what it must read
OPENAI: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "chat": (lambda c: c.chat.completions.create(**CHAT), TEXT),
    "chat, n > 1": (lambda c: c.chat.completions.create(**CHAT, n=3), "'index': 2"),
    "chat, logprobs": (lambda c: c.chat.completions.create(**CHAT, logprobs=True, top_logprobs=2), "-0.25"),
    "chat, parallel tools": (lambda c: c.chat.completions.create(**CHAT, tools=TOOLS), "look_up"),
    "chat, vision": (lambda c: c.chat.completions.create(model="gpt-x", messages=SEE), TEXT),
    "chat stream": (lambda c: c.chat.completions.create(**CHAT, stream=True), "😀"),
    "chat stream, usage": (
        lambda c: c.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}),
        "'cached_tokens': 8",
    ),
    "chat stream, n > 1": (lambda c: c.chat.completions.create(**CHAT, stream=True, n=2), "'index': 1"),
    "chat stream, logprobs": (lambda c: c.chat.completions.create(**CHAT, stream=True, logprobs=True), "-0.25"),
    "chat stream, parallel tools": (lambda c: c.chat.completions.create(**CHAT, stream=True, tools=TOOLS), "call_1"),
    "responses": (lambda c: c.responses.create(model="gpt-x", input="hello"), TEXT),
    "responses stream": (lambda c: c.responses.create(model="gpt-x", input="hello", stream=True), "response.completed"),
    "responses, by id": (lambda c: c.responses.retrieve("resp_1"), TEXT),
    "completions": (lambda c: c.completions.create(model="old", prompt="Sort: late"), TEXT),
    "completions stream": (lambda c: c.completions.create(model="old", prompt="x", stream=True), "😀"),
    "embeddings": (lambda c: c.embeddings.create(model="embed", input=["x"], encoding_format="float"), "-1e-07"),
    "images": (lambda c: c.images.generate(model="dall", prompt="a fox"), "iVBORw0KGgo="),
    "images, edit": (lambda c: c.images.edit(model="dall", image=upload("a.png"), prompt="red"), "images.example"),
    "files, upload": (lambda c: c.files.create(file=upload(), purpose="batch"), "file-1"),
    "files, download": (lambda c: c.files.content("file-1"), repr(BINARY[:9])[2:-1]),
    "files, list": (lambda c: c.files.list(limit=3), "file-1"),
    "files, delete": (lambda c: c.files.delete("file-1"), "True"),
    "audio, transcription": (lambda c: c.audio.transcriptions.create(model="hear", file=upload("a.wav")), TEXT),
    "audio, speech": (lambda c: c.audio.speech.create(model="say", voice="v", input="hi"), repr(BINARY[:9])[2:-1]),
    "batches": (lambda c: c.batches.create(completion_window="24h", endpoint="/v1/x", input_file_id="file-1"), "b1"),
    "batches, by id": (lambda c: c.batches.retrieve("b1"), "file-1"),
    "batches, cancel": (lambda c: c.batches.cancel("b1"), "file-1"),
    "models": (lambda c: c.models.list(), "gpt-x"),
    "models, by id": (lambda c: c.models.retrieve("gpt-x"), "gpt-x"),
    "moderations": (lambda c: c.moderations.create(input="x"), "mod"),
    "fine-tuning": (lambda c: c.fine_tuning.jobs.create(model="gpt-x", training_file="file-1"), "queued"),
}
ANTHROPIC: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "messages": (lambda c: c.messages.create(**SAY), TEXT),
    "messages, tools": (lambda c: c.messages.create(**SAY, tools=TOOL), "toolu_1"),
    "messages, vision": (lambda c: c.messages.create(**SHOW), TEXT),
    "messages stream": (lambda c: c.messages.create(**SAY, stream=True), "message_stop"),
    "messages stream, tools and thinking": (
        lambda c: c.messages.create(**SAY, tools=TOOL, stream=True),
        "thinking_delta",
    ),
    "count tokens": (lambda c: c.messages.count_tokens(model="claude-x", messages=SAY["messages"]), "12"),
    "message batches": (lambda c: c.messages.batches.create(requests=BATCH), "mb1"),
    "message batches, results": (lambda c: c.messages.batches.results("mb1"), "succeeded"),
    "models": (lambda c: c.models.list(), "gpt-x"),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served(answer) as upstream, running(tmp_path_factory.mktemp("sdk"), upstream) as gateway:
        yield upstream, gateway


def readable(value: Any) -> Any:
    """What an SDK's result holds, as plain values."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "data"):
        return [readable(item) for item in value.data]
    return value.content if hasattr(value, "content") else value


async def read(result: Any) -> Any:
    """The whole of a result: of a stream or a download too, from an async client or an ordinary one."""
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "data") or hasattr(result, "to_dict"):
        return readable(result)
    if isinstance(result, AsyncIterator):
        return [readable(item) async for item in result]
    if isinstance(result, Iterator):
        return [readable(item) for item in result]
    return readable(result)


def asked(client: Any, ask: Callable[[Any], Any]) -> Any:
    """What this client reads, and closes behind it."""

    async def wholly() -> Any:
        try:
            return await read(ask(client))
        finally:
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing

    return asyncio.run(wholly())


def compare(town: Town, make: Callable[[str], Any], ask: Callable[[Any], Any], part: str) -> None:
    upstream, gateway = town
    upstream.seen.clear()
    wanted = asked(make(f"http://127.0.0.1:{upstream.port}"), ask)
    got = asked(make(gateway.url), ask)
    assert part in str(wanted)
    assert got == wanted
    half = len(upstream.seen) // 2
    assert [(seen.method, seen.target) for seen in upstream.seen] == 2 * [
        (s.method, s.target) for s in upstream.seen[:half]
    ]
    for first, second in zip(upstream.seen[:half], upstream.seen[half:], strict=True):
        is_multipart = b"multipart" in first.header(b"content-type")  # its boundary is drawn anew for each request
        is_asked_for_usage = b"include_usage" in second.body and b"include_usage" not in first.body
        assert second.body == first.body or is_asked_for_usage or is_multipart
        assert len(second.body) == len(first.body) or is_asked_for_usage


@pytest.mark.parametrize("kind", [OpenAI, AsyncOpenAI])
@pytest.mark.parametrize("name", OPENAI)
def test_openai(town: Town, name: str, kind: Any) -> None:
    compare(town, lambda url: kind(base_url=f"{url}/v1", api_key="sk-own", max_retries=0), *OPENAI[name])


@pytest.mark.parametrize("kind", [Anthropic, AsyncAnthropic])
@pytest.mark.parametrize("name", ANTHROPIC)
def test_anthropic(town: Town, name: str, kind: Any) -> None:
    compare(town, lambda url: kind(base_url=url, api_key="sk-own", max_retries=0), *ANTHROPIC[name])
