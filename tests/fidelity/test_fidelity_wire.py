"""What clients and providers do on the wire: each line of the list of wire facts, word for word, with its test.

Not covered here: that nothing differs at all (`test_fidelity_differential`), and clients that hang up or ask again
(`test_fidelity_cancel`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from fidelity.provider import TEXT, USAGE, answer, chat, chat_stream
from fidelity.running import Running, running
from fidelity.upstream import LAST_CHUNK, SSE_HEAD, End, Seen, Upstream, always, chunk, plain, served

SECRET = "sk-canary-3f9a"
KEYS = {"authorization": f"Bearer {SECRET}-a", "x-api-key": f"{SECRET}-b", "api-key": f"{SECRET}-c"}
ASK: dict[str, Any] = {"model": "gpt-x", "messages": [{"role": "user", "content": "Où ?"}]}
SAY: dict[str, Any] = {**ASK, "model": "claude-x", "max_tokens": 9}


class Town:
    """A gateway, and what it made of one request."""

    def __init__(self, upstream: Upstream, gateway: Running) -> None:
        self.upstream = upstream
        self.gateway = gateway

    def ask(self, path: str, body: object, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer to a POST."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.ask("POST", f"/v1/{path}", raw, named)

    def recorded(self, headers: Mapping[str, str]) -> tuple[dict[str, Any], Any]:
        """The call that a response names, and its body as JSON."""
        call = self.gateway.call(lambda call: call["id"] == headers["freehold-call-id"])
        return call, json.loads(call["response_body"])


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served(answer) as upstream, running(tmp_path_factory.mktemp("wire"), upstream) as gateway:
        yield Town(upstream, gateway)


@pytest.fixture
def town(standing: Town) -> Town:
    standing.upstream.script = answer
    standing.upstream.seen.clear()
    return standing


def as_sent(events: list[bytes], cut: int | None = None) -> Any:
    """A script that streams these events, each in a write or all of them cut at every so many bytes."""
    whole = b"".join(events)
    parts = events if cut is None else [whole[n : n + cut] for n in range(0, len(whole), cut)]
    return always(SSE_HEAD, *(chunk(part) for part in parts), LAST_CHUNK)


def test_usage_is_asked_for_and_its_traces_are_stripped(town: Town) -> None:
    """With `stream_options.include_usage` one extra last chunk carries `usage` and `choices: []`; the others carry
    `usage: null`; it is absent when the stream breaks. Some backends send `choices: null`. When the recorder needs
    usage and the client did not ask, add the option upstream and strip that chunk on the way back."""
    for none in (b"[]", b"null"):

        async def script(seen: Seen, none: bytes = none) -> AsyncIterator[bytes | End]:
            async for step in as_sent(
                [e.replace(b'"choices": []', b'"choices": ' + none) for e in chat_stream(seen.data)]
            )(seen):
                yield step

        town.upstream.script = script
        model = f"told-{none.decode()}"
        town.ask("chat/completions", {**ASK, "model": model, "stream": True})  # shows that none comes unasked
        _, headers, body = town.ask("chat/completions", {**ASK, "model": model, "stream": True})
        assert town.upstream.seen[-1].data["stream_options"] == {"include_usage": True}
        assert body == b"".join(chat_stream({}))
        call, kept = town.recorded(headers)
        assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (20, 8, 4)
        assert kept["usage"] == USAGE


def test_tool_calls_are_put_together_by_their_index(town: Town) -> None:
    """Tool-call deltas: `index` on every one; `id`, `type`, `function.name` only on the first; then argument fragments.
    Several tool calls interleave by `index`. The finish chunk is separate, with an empty delta and `finish_reason:
    tool_calls`. `role` only in the first chunk."""
    _, headers, body = town.ask("chat/completions", {**ASK, "stream": True, "tools": [{"type": "function"}]})
    assert body == b"".join(chat_stream({"tools": True}))
    call, kept = town.recorded(headers)
    wanted = chat({"tools": True})["choices"][0]
    assert kept["choices"][0]["message"]["tool_calls"] == wanted["message"]["tool_calls"]
    assert (call["finish_reason"], kept["choices"][0]["message"]["role"]) == ("tool_calls", "assistant")


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_a_stream_is_the_same_however_it_is_split(town: Town, cut: int) -> None:
    """`data: [DONE]` ends a stream; comment lines (`: ping`) keep it open; a chunk may be split anywhere, also inside a
    UTF-8 character."""
    events = [b": ping\n\n", *chat_stream({}), b": after\n\n"]
    town.upstream.script = as_sent(events, cut)
    _, headers, body = town.ask("chat/completions", {**ASK, "stream": True})
    assert body == b"".join(events)
    call, kept = town.recorded(headers)
    assert (kept["choices"][0]["message"]["content"], call["error"]) == (TEXT, None)


@pytest.mark.parametrize("is_stream", [False, True])
def test_log_probabilities_survive(town: Town, is_stream: bool) -> None:
    """`logprobs` must survive: losing them kills calibration."""
    _, headers, body = town.ask("chat/completions", {**ASK, "stream": is_stream, "logprobs": True})
    assert b'"logprob": -0.25' in body
    _, kept = town.recorded(headers)
    assert {token["logprob"] for token in kept["choices"][0]["logprobs"]["content"]} == {-0.25}


def test_an_error_event_ends_a_stream(town: Town) -> None:
    """After an error event the stream ends."""
    events = [*chat_stream({})[:4], b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n']
    town.upstream.script = as_sent(events)
    _, headers, body = town.ask("chat/completions", {**ASK, "stream": True})
    assert body == b"".join(events)
    call, kept = town.recorded(headers)
    assert call["error"] == "upstream_error"
    assert TEXT.startswith(kept["choices"][0]["message"]["content"])


def test_every_event_of_a_message_is_kept(town: Town) -> None:
    """`message_start`, `content_block_start`, `content_block_delta` (`text_delta`, `input_json_delta`,
    `thinking_delta`), `content_block_stop`, `message_delta` (stop_reason, usage), `message_stop`, `ping`. Block index
    is not tool index."""
    _, headers, body = town.ask("messages", {**SAY, "tools": [{"name": "refund"}], "stream": True})
    for name in (b"text_delta", b"input_json_delta", b"thinking_delta", b"event: ping", b"event: message_stop"):
        assert name in body
    call, kept = town.recorded(headers)
    assert [block["type"] for block in kept["content"]] == ["thinking", "text", "tool_use"]
    assert kept["content"][1]["text"] == TEXT
    assert kept["content"][2]["input"] == {"eur": "5 €"}
    assert (kept["stop_reason"], call["input_tokens"], call["output_tokens"]) == ("end_turn", 7, 2)


def test_errors_have_the_callers_dialect(town: Town) -> None:
    """Auth is `x-api-key` with `anthropic-version`; errors are `{"type":"error","error":{"type","message"}}`. OpenAI:
    `{"error":{"message","type","param","code"}}`. A gateway's own errors use the caller's dialect and say they are the
    gateway's (a header and `type`)."""
    town.ask("messages", SAY, x_api_key="sk-ant-own", anthropic_version="2023-06-01")
    seen = town.upstream.seen[-1]
    assert (seen.header(b"x-api-key"), seen.header(b"anthropic-version")) == (b"sk-ant-own", b"2023-06-01")
    _, headers, body = town.ask("messages", b"no JSON")
    assert (headers["freehold-error"], json.loads(body)["type"]) == ("bad_body", "error")
    assert {"type", "message"} <= set(json.loads(body)["error"])
    _, headers, body = town.ask("chat/completions", b"no JSON")
    assert headers["freehold-error"] == "bad_body"
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
    assert json.loads(body)["error"]["type"] == "freehold_error"


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
def test_a_rate_limit_passes_unchanged(town: Town, path: str) -> None:
    """Upstream 429 and `retry-after` pass through unchanged when no fallback answers. All providers rate-limited stays
    429."""
    body = b'{"error": {"message": "slow  down"}}'
    town.upstream.script = always(plain(body, status=429, headers=[(b"Retry-After", b"17")]))
    status, headers, got = town.ask(path, SAY)
    assert (status, headers["retry-after"], got) == (429, "17", body)
    assert "freehold-error" not in headers
    assert len(town.upstream.seen) == 1


def test_the_providers_headers_pass_and_those_of_one_hop_do_not(town: Town) -> None:
    """Request ids: pass the upstream's headers (`x-request-id`, rate-limit headers) through; drop hop-by-hop headers;
    content-encoding is either passed through with the bytes or decoded on both sides, never half."""
    odd = [(b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"Keep-Alive", b"timeout=9"), (b"content-encoding", b"x-own")]
    passed = [(b"x-request-id", b"req_9"), (b"x-ratelimit-remaining-tokens", b"7")]
    town.upstream.script = always(plain(b"\x00\x01", headers=[*odd, *passed]))
    _, headers, body = town.ask("chat/completions", ASK)
    assert (headers["x-request-id"], headers["x-ratelimit-remaining-tokens"]) == ("req_9", "7")
    assert (headers["content-encoding"], body) == ("x-own", b"\x00\x01")
    assert not {"x-hop", "keep-alive"} & set(headers)


def test_one_row_per_exchange_has_all_that_is_known(town: Town) -> None:
    """One row per exchange with: id (UUIDv7), parent id (shadow, cascade, retry, audit), task, dialect, path, request
    and response bodies, arm and propensity, provider, model asked for and model that answered, `system_fingerprint`,
    status, finish reason, tokens (input, cached, output), cost_usd, latency_ms, ttft_ms, gateway_ms, stream or not,
    client tags, user or session key, route version at call time, redaction state."""
    asked = {**ASK, "user": "u1", "metadata": {"session_id": "s1"}}
    _, headers, body = town.ask("chat/completions", asked, freehold_tags="team=a", freehold_task="triage")
    call, _ = town.recorded(headers)
    assert call["id"][14] == "7"
    wanted = {"dialect": "openai-chat", "path": "/v1/chat/completions", "arm": "rented", "propensity": 1.0}
    wanted |= {"provider": "up", "model_asked": "gpt-x", "model_answered": "gpt-x-2026-01-01", "status": 200}
    wanted |= {"system_fingerprint": "fp_1", "finish_reason": "stop", "is_stream": False, "redaction": "none"}
    wanted |= {"user_key": "u1", "session_key": "s1", "route_version": 0, "parent_id": None, "error": None}
    assert {name: call[name] for name in wanted} == wanted
    assert (json.loads(call["request_body"]), call["response_body"].encode()) == (asked, body)
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (20, 8, 4)
    assert call["cost_usd"] == pytest.approx((20 * 1.0 + 4 * 2.0) / 1e6)
    assert call["tags"]["team"] == "a"
    assert 0 <= call["gateway_ms"] <= call["latency_ms"] + 5
    assert 0 < call["ttft_ms"] <= call["latency_ms"]


def test_secrets_are_nowhere_and_bodies_are_whole(town: Town) -> None:
    """Headers that carry secrets are never stored. Bodies are stored whole: no truncation in the middle, no `{}` for
    messages, no lost streams (each of these is a real complaint about another gateway)."""
    long = {**ASK, "messages": [{"role": "user", "content": "é" * 300_000}]}
    _, headers, _ = town.gateway.ask("POST", "/v1/chat/completions", json.dumps(long).encode(), KEYS)
    call, _ = town.recorded(headers)
    assert json.loads(call["request_body"]) == long
    assert SECRET.encode() in town.upstream.seen[-1].header(b"authorization")
    kept = [path for path in town.gateway.folder.rglob("*") if path.is_file()]
    assert len(kept) > 2
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in "".join(town.gateway.log)


def test_large_static_parts_are_stored_once(town: Town) -> None:
    """Large static parts (long system prompts, tool tables) repeat in every row: store them once, by content hash."""
    prompt = "".join(chr(33 + n * n % 90) for n in range(400_000))
    body = {"model": "gpt-x", "messages": [{"role": "system", "content": prompt}, ASK["messages"][0]]}
    before = _database_bytes(town.gateway)
    for _ in range(20):
        _, headers, _ = town.ask("chat/completions", body)
    call, _ = town.recorded(headers)
    assert json.loads(call["request_body"]) == body
    assert _database_bytes(town.gateway) - before < 10 * len(prompt)


def _database_bytes(gateway: Running) -> int:
    return sum(path.stat().st_size for path in (gateway.folder / ".freehold").glob("*.db*"))


def test_a_call_is_corrected_at_any_later_time(town: Town) -> None:
    """Feedback: boolean, number, comment, or a *correction* (the output that was wanted), by call id, at any later
    time."""
    _, headers, _ = town.ask("chat/completions", ASK)
    call, _ = town.recorded(headers)
    for verb in (["correct", call["id"], "what was wanted"], ["calls", call["id"], "--json"]):
        command = [sys.executable, "-m", "freehold", *verb]
        done = subprocess.run(command, cwd=town.gateway.folder, capture_output=True, text=True, check=True)
    assert "what was wanted" in json.dumps(json.loads(done.stdout)["feedback"])
