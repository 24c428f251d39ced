"""Token counts: all that is billed as output is output, nothing counts twice, caches are a part of the input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialects.made_streams import answered, chat, chunk, data

from freehold.dialects import read_answer
from freehold.model.exchange import Usage

DETAILS = "completion_tokens_details"
TOLD: list[tuple[str, dict[str, Any], tuple[int | None, ...]]] = [
    # who tells it, what, and (input, cached, output, written, reasoning)
    ("OpenAI", {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}, (9, None, 5, None, None)),
    (
        "OpenAI, reasoning inside",
        {"prompt_tokens": 9, "completion_tokens": 50, "total_tokens": 59, DETAILS: {"reasoning_tokens": 40}},
        (9, None, 50, None, 40),
    ),
    (
        "Gemini, thoughts outside",
        {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
        (35, None, 74, None, None),
    ),
    (
        "xAI, reasoning outside",
        {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, DETAILS: {"reasoning_tokens": 94}},
        (32, None, 103, None, 94),
    ),
    (
        "reasoning outside, total forgets it",
        {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 41, DETAILS: {"reasoning_tokens": 94}},
        (32, None, 103, None, 94),
    ),
    ("no total", {"prompt_tokens": 3, "completion_tokens": 4}, (3, None, 4, None, None)),
    ("total too small", {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 1}, (3, None, 4, None, None)),
    (
        "cached inside the prompt",
        {
            "prompt_tokens": 90,
            "completion_tokens": 5,
            "total_tokens": 95,
            "prompt_tokens_details": {"cached_tokens": 64},
        },
        (90, 64, 5, None, None),
    ),
    (
        "cached outside the prompt",
        {
            "prompt_tokens": 6,
            "completion_tokens": 5,
            "total_tokens": 75,
            "prompt_tokens_details": {"cached_tokens": 64},
        },
        (70, 64, 5, None, None),
    ),
    (
        "DeepSeek",
        {
            "prompt_tokens": 90,
            "completion_tokens": 5,
            "total_tokens": 95,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 26,
        },
        (90, 64, 5, None, None),
    ),
    (
        "OpenRouter, cache written",
        {
            "prompt_tokens": 90,
            "completion_tokens": 5,
            "total_tokens": 95,
            "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 20},
        },
        (90, 10, 5, 20, None),
    ),
    (
        "Moonshot",
        {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "cached_tokens": 8},
        (9, 8, 5, None, None),
    ),
    ("Responses' names", {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}, (9, None, 5, None, None)),
    ("nothing", {}, (None, None, None, None, None)),
    ("half", {"prompt_tokens": 9, "total_tokens": 14}, (9, None, None, None, None)),
    ("odd", {"prompt_tokens": "9", "completion_tokens": [5], DETAILS: 7}, (None, None, None, None, None)),
]


@pytest.mark.parametrize(("who", "usage", "wanted"), TOLD, ids=[who for who, _, _ in TOLD])
def test_chat(who: str, usage: dict[str, Any], wanted: tuple[int | None, ...]) -> None:
    assert chat({"content": "x"}, usage=usage).usage == Usage(*wanted)
    last = {"id": "c", "model": "m", "choices": [], "usage": usage}
    assert answered("openai-chat", data(chunk({"content": "x"}, "stop"), last)).usage == Usage(*wanted)


def test_responses() -> None:
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 8},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 29,
    }
    read = read_answer("openai-responses", json.dumps({"output": [], "usage": usage}).encode())
    assert read.usage == Usage(20, 4, 9, 8, 6)


def test_messages() -> None:
    usage = {
        "input_tokens": 5,
        "cache_read_input_tokens": 3,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 7},
    }
    read = read_answer("anthropic-messages", json.dumps({"content": [], "usage": usage}).encode())
    assert read.usage == Usage(14, 3, 9, 6, 7)


def test_places_where_streams_tell_it() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    groq = {"id": "c", "model": "m", "x_groq": {"id": "req"}, "choices": []}
    ended = chunk({}, "stop", x_groq={"id": "req", "usage": usage})
    in_choice = chunk({}, "stop")
    in_choice["choices"][0]["usage"] = usage
    streams = {
        "a last chunk without choices": data(chunk({"content": "x"}, "stop"), {"choices": [], "usage": usage}),
        "a last chunk with choices": data(chunk({"content": "x"}, "stop"), chunk({"content": ""}, usage=usage)),
        "the finish chunk": data(chunk({"content": "x"}), chunk({}, "stop", usage=usage)),
        "x_groq": data(groq, chunk({"content": "x"}), ended),
        "the choice": data(chunk({"content": "x"}), in_choice),
        "every chunk": data(
            chunk({"content": "x"}, usage={**usage, "completion_tokens": 1}), chunk({}, "stop", usage=usage)
        ),
    }
    for where, stream in streams.items():
        read = answered("openai-chat", stream)
        assert (read.usage.input_tokens, read.usage.output_tokens, read.text) == (9, 5, "x"), where
