"""Estimated tokens: near what tokenizers say, never a crash, and no less than was told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.model.exchange import Answer, ToolCall, Usage
from freehold.text.estimate import estimated_usage, request_tokens, text_tokens

# counted with the tokenizer of SmolLM2, which is one for English
COUNTED = [
    ("The quick brown fox jumps over the lazy dog near the river bank, and nobody minds.", 18),
    ("Please cancel my subscription and refund the last payment to the card ending in 4242.", 20),
    ('{"label": "refund", "reason": "The parcel never came", "amount": 42.5}', 25),
    ("Où est mon colis ? Merci de me répondre dès que possible.", 21),
]


@pytest.mark.parametrize(("text", "tokens"), COUNTED)
def test_an_estimate_is_near_a_count(text: str, tokens: int) -> None:
    assert 0.7 * tokens <= text_tokens(text) <= 1.3 * tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("我的包裹在哪里", 7), ("注文した商品", 6), ("안녕하세요", 5), ("посылка" * 10, 28), ("ok 我", 2)],
)
def test_scripts_with_fewer_characters_in_a_token(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


def test_nothing_is_nothing() -> None:
    assert text_tokens("") == 0
    assert request_tokens(b"") == request_tokens(b"[]") == request_tokens(b"no json") == 0


LONG = "word " * 400


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": LONG}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": LONG}]}]},
        {"system": LONG, "messages": []},
        {"instructions": LONG, "input": "x"},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": LONG}]},
        {"prompt": LONG},
        {"prompt": [7] * 500},
        {"messages": [], "tools": [{"type": "function", "function": {"name": "f", "description": LONG}}]},
        {"messages": [], "response_format": {"type": "json_schema", "json_schema": {"description": LONG}}},
    ],
)
def test_all_that_a_model_reads_counts(fields: dict[str, Any]) -> None:
    assert 490 <= request_tokens(json.dumps({"model": "m", **fields}).encode()) <= 530


def test_files_in_a_request_count_nothing() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBOR" * 9000}}
    sound = {"type": "input_audio", "input_audio": {"data": "UklGR" * 9000, "format": "wav"}}
    body = {"messages": [{"role": "user", "content": [picture, sound, {"type": "text", "text": "What is it?"}]}]}
    assert request_tokens(json.dumps(body).encode()) < 60


def test_what_was_told_stays() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    answer = Answer(text="word " * 80, tool_calls=(ToolCall("c", "f", "{}"),), usage=Usage(1000, 10, None))
    assert estimated_usage(body, answer, is_whole=False) == Usage(1000, 10, 102)
    early = Answer(text="word " * 80, usage=Usage(1000, None, 1))
    assert estimated_usage(body, early, is_whole=False).output_tokens == 100
    assert estimated_usage(body, early, is_whole=True).output_tokens == 1
    late = Answer(text="word " * 80, usage=Usage(1000, None, 140))
    assert estimated_usage(body, late, is_whole=False).output_tokens == 140
    assert estimated_usage(body, Answer(usage=Usage(0, None, None)), is_whole=False).input_tokens == 5


@given(st.text(max_size=300))
def test_any_text_has_an_estimate(text: str) -> None:
    assert 0 <= text_tokens(text) <= len(text) + 1


def test_deep_bodies_are_read() -> None:
    assert request_tokens(b'{"messages":' + b"[" * 900 + b'"x"' + b"]" * 900 + b"}") >= 1
