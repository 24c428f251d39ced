"""Traffic of every provider, replayed: what is read of it, and that it passes byte for byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from fidelity.upstream import LAST_CHUNK, End, Seen, chunk, plain
from replay import anthropic_api, hosts, model_makers, openai_api, own_servers
from replay.traffic import Recorded
from wired import Wired, wired

from freehold.dialects import StreamAssembler, dialect_of, read_answer
from freehold.dialects.endings import ending_of

TRAFFIC: dict[str, list[Recorded]] = {
    "OpenAI chat": openai_api.CHAT_CALLS,
    "OpenAI responses": openai_api.RESPONSE_CALLS,
    "Azure": openai_api.AZURE_CALLS,
    "Anthropic": anthropic_api.CALLS,
    "Mistral": model_makers.MISTRAL,
    "Groq": model_makers.GROQ,
    "DeepSeek": model_makers.DEEPSEEK,
    "Gemini": model_makers.GEMINI,
    "xAI": model_makers.XAI,
    "OpenRouter": hosts.OPENROUTER,
    "hosted": hosts.HOSTED,
    "routed": hosts.ROUTED,
    "own servers": own_servers.OWN,
}
ALL = [(provider, recorded) for provider, traffic in TRAFFIC.items() for recorded in traffic]
IDS = [f"{provider}: {recorded.name}" for provider, recorded in ALL]
PROVIDERS = 20
"""OpenAI, Azure, Anthropic, Mistral, Groq, DeepSeek, Gemini, xAI, OpenRouter, Together, Z.ai, Moonshot, Cohere,
Fireworks, MiniMax, Hugging Face, Bedrock, vLLM, llama.cpp, Ollama."""


def test_how_much_is_replayed() -> None:
    assert len(ALL) >= 97
    assert len(set(IDS)) == len(ALL)
    named = {
        recorded.name.partition(":")[0]
        for recorded in (*hosts.HOSTED, *hosts.ROUTED, *own_servers.OWN)
        if ":" in recorded.name
    }
    assert len(named) + len(TRAFFIC) - 3 - 1 == PROVIDERS, "the three mixed lists, and OpenAI twice"
    assert sum(recorded.is_stream for _, recorded in ALL) >= 47


@pytest.mark.parametrize("step", [1, 13, 10**6])
@pytest.mark.parametrize(("provider", "recorded"), ALL, ids=IDS)
def test_each_is_read_right_however_it_is_cut(provider: str, recorded: Recorded, step: int) -> None:
    dialect, raw, wanted = dialect_of(recorded.path), recorded.raw, recorded.reading
    error: str | None = None
    if recorded.is_stream:
        assembler = StreamAssembler(dialect)
        for start in range(0, len(raw), step):
            assembler.feed(raw[start : start + step])
        assembler.finish()
        raw, error = assembler.body(), assembler.error
        assert assembler.is_complete == (wanted.call_error != "cut_off") or error is not None
    read = read_answer(dialect, raw)
    assert (read.text, read.thought) == (wanted.text, wanted.thought)
    assert [(call.name, call.arguments) for call in read.tool_calls] == wanted.tools
    assert ending_of(read.finish_reason) == wanted.ending
    assert (read.usage.input_tokens, read.usage.cached_tokens, read.usage.output_tokens) == wanted.usage
    assert (read.model, read.is_refusal) == (wanted.model, wanted.is_refusal)
    assert bool(read.error or error) == bool(wanted.error)
    assert wanted.error in (read.error or error or "")


@pytest.fixture(scope="module")
def town() -> Iterator[Wired]:
    by_name = dict(zip(IDS, (recorded for _, recorded in ALL), strict=True))

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        recorded = by_name[seen.header(b"x-replay").decode()]
        if not recorded.is_stream:
            yield plain(recorded.raw, kind=recorded.kind.encode())
            return
        yield b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % recorded.kind.encode()
        third = max(1, len(recorded.raw) // 3)
        for start in range(0, len(recorded.raw), third):
            yield chunk(recorded.raw[start : start + third])
        yield LAST_CHUNK

    with wired(script) as running:
        yield running


def test_each_passes_byte_for_byte_and_is_recorded_as_it_is_read(town: Wired) -> None:
    """Twice, since the first stream of a provider and a model shows how it tells usage."""
    checked = 0
    for name, (_, recorded) in zip(IDS, ALL, strict=True):
        for _ in range(2):
            status, headers, got = town.ask(recorded.path, recorded.request, {"x-replay": name})
            assert (status, got) == (200, recorded.raw), name
            call, wanted = town.call(headers), recorded.reading
            assert (call.error, call.is_stream) == (wanted.call_error, recorded.is_stream), name
            told = (call.input_tokens, call.cached_tokens, call.output_tokens)
            assert call.is_estimated or told == wanted.usage, name
            read = read_answer(call.dialect, call.response_body)
            assert (read.text, read.thought) == (wanted.text, wanted.thought), name
            json.loads(call.response_body)
            checked += 1
    assert checked == 2 * len(ALL)
