"""What a fuzzer starts from: a few well-formed inputs of each kind, and the tokens that their readers look for."""

from __future__ import annotations

import json
from random import Random

from fidelity.asks import KNOWN
from fidelity.streams import STREAMS, events
from fidelity.values import odd, value

from freehold.model import Dialect

DIALECTS: tuple[Dialect, ...] = (
    "openai-chat",
    "openai-responses",
    "openai-completions",
    "openai-embeddings",
    "anthropic-messages",
    "other",
)
REQUESTS = tuple(
    json.dumps(body, ensure_ascii=False).encode()
    for body in (
        {"model": "m", "messages": [{"role": "user", "content": "é"}], "stream": True, "stream_options": None},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}], "n": 2},
        {"messages": [{"role": "tool", "tool_call_id": "c", "content": ""}], "tools": [{"type": "function"}]},
        {
            "system": [{"type": "text", "text": "S" * 200}],
            "messages": [],
            "max_tokens": 9,
            "metadata": {"user_id": "u"},
        },
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}], "instructions": "x" * 300},
        {"input": "a", "text": {"format": {"type": "json_schema", "schema": {}}}, "conversation": {"id": "c"}},
        {"prompt": ["a", "b"], "suffix": None, "logprobs": 3, "user": "u", "best_of": 2},
        {"input": [[1, 2], [3]], "model": "embed", "encoding_format": "base64"},
    )
)
ANSWERS = tuple(
    json.dumps(body, ensure_ascii=False).encode()
    for body in (
        {"choices": [{"message": {"content": "a", "tool_calls": [{"function": {"name": "f"}}]}}], "usage": {}},
        {"choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        {"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "input": {}}], "usage": {"input_tokens": 1}},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}, {"type": "function_call"}]},
        {"error": {"message": "no", "type": "t", "param": None, "code": "c"}},
        {"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 5}},
    )
)
_WORDS = (
    *("data: ", "data:", "event: ", "event: error", "[DONE]", ": ping", "\n\n", "\r\n\r\n", "\r", "\n", "\ufeff"),
    *("null", "true", "[]", "{}", "[null]", '""', "-1", "1e400", "0.5", "9" * 40, "NaN", '"\\ud800"', '"\\u0000"'),
    *('"choices":', '"index":', '"delta":', '"usage":', '"tool_calls":', '"function":', '"content":', '"error":'),
    *('"output":', '"output_index":', '"content_block":', '"message":', '"response":', '"item":', '"type":', '"id":'),
    *("é", "\U0001f600", "{" * 9, "[" * 9, ",", ":", "}", "]", '{"a":' * 99, "[" * 2000, '{"delta":' * 500),
)
TOKENS = (*(word.encode() for word in _WORDS), b"\xff", b"\xc3", b"\x00", b"\xf0\x9f")


def streams(rng: Random) -> tuple[bytes, ...]:
    """Streams of every dialect."""
    written = [[event.with_usage for event in events(rng, path)] for path in STREAMS for _ in range(4)]
    return tuple(b"".join(parts) for parts in written)


def bodies(rng: Random) -> tuple[bytes, ...]:
    """Requests and answers, and JSON of no sense at all."""
    return REQUESTS + ANSWERS + tuple(odd(rng, value(rng, 4)).encode() for _ in range(len(KNOWN) * 2))


def mutated(rng: Random, corpus: tuple[bytes, ...]) -> bytes:
    """One of the corpus, cut, doubled, spliced or strewn with tokens."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((0, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice((1, 2, 8, 64)))
        match rng.randrange(7):
            case 0:
                data[at:to] = rng.choice(TOKENS)
            case 1:
                data[at:at] = rng.choice(TOKENS)
            case 2:
                del data[at:to]
            case 3:
                data[at:at] = data[at:to] * rng.choice((1, 2, 50))
            case 4:
                data[at:] = rng.choice(corpus)[at:]
            case 5:
                data[at:to] = rng.randbytes(to - at)
            case _:
                del data[at:]
    return bytes(data)
