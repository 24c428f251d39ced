"""Reading requests and answers: the ordinary, the odd and the hostile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold import plugins
from freehold.dialects import (
    BadBodyError,
    dialect_of,
    error_body,
    read_answer,
    read_request,
    static_parts,
)
from freehold.model import Dialect, Message, Usage

DIALECTS: tuple[Dialect, ...] = tuple(plugins.DIALECTS.own)
REQUEST_KEYS = ("model", "messages", "role", "content", "type", "text", "input", "instructions", "prompt", "tools")
MORE_KEYS = ("tool_choice", "stream", "stream_options", "include_usage", "metadata", "user", "n", "response_format")
ANSWER_KEYS = ("usage", "choices", "message", "delta", "output", "system", "stop_reason")
KEYS = st.sampled_from((*REQUEST_KEYS, *MORE_KEYS, *ANSWER_KEYS))
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_paths() -> None:
    assert dialect_of("/v1/chat/completions") == "openai-chat"
    assert dialect_of("/v1/messages/") == "anthropic-messages"
    assert dialect_of("/v1/messages/count_tokens") == "other"
    assert dialect_of("/v1/responses?x=1") == "openai-responses"
    assert dialect_of("/") == "other"


def test_chat_request() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = read_request(
        "openai-chat",
        body(
            model="m",
            messages=[{"role": "developer", "content": "D"}, {"role": "user", "content": parts}],
            tools=[{"b": 1, "a": 2}],
            response_format={"type": "json_object"},
            max_completion_tokens=7,
            stream=True,
            stream_options={"include_usage": True},
            safety_identifier="s",
            user="u",
            metadata={"session_id": "x", "bad": 1},
        ),
    )
    assert asked.messages == (Message("developer", "D"), Message("user", "a\nb"))
    assert (asked.tools, asked.response_format) == ('[{"a":2,"b":1}]', '{"type":"json_object"}')
    assert (asked.max_tokens, asked.is_stream, asked.wants_usage, asked.is_plain) == (7, True, True, True)
    assert (asked.user_key, asked.session_key, asked.metadata) == ("s", "x", {"session_id": "x"})


USER = [{"role": "user", "content": "x"}]
NOT_PLAIN: list[tuple[Dialect, dict[str, Any]]] = [
    ("openai-chat", {"messages": USER, "n": 2}),
    ("openai-chat", {"messages": USER, "logprobs": True}),
    ("openai-chat", {"messages": USER, "tool_choice": {"type": "function"}}),
    ("openai-chat", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
    ("openai-chat", {"messages": [*USER, {"role": "assistant", "tool_calls": [{"id": "1"}]}]}),
    ("openai-chat", {"messages": [*USER, {"role": "tool", "content": "1"}]}),
    ("openai-chat", {"messages": []}),
    ("openai-responses", {"input": "x", "previous_response_id": "r"}),
    ("openai-responses", {"input": "x", "tools": [{"type": "web_search"}]}),
    ("openai-responses", {"input": [{"type": "function_call_output", "output": "1"}]}),
    ("openai-completions", {"prompt": ["a", "b"]}),
    ("openai-completions", {"prompt": [1, 2]}),
    ("openai-completions", {"prompt": "a", "echo": True}),
    ("openai-completions", {"prompt": "a", "logprobs": 0}),
    ("openai-embeddings", {"input": "x"}),
    ("anthropic-messages", {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}),
    ("anthropic-messages", {"messages": USER, "tools": [{"type": "web_search_20250305"}]}),
    ("anthropic-messages", {"messages": USER, "tool_choice": {"type": "any"}}),
    ("other", {"messages": USER}),
]


@pytest.mark.parametrize(("dialect", "fields"), NOT_PLAIN)
def test_only_the_provider_can_answer(dialect: Dialect, fields: dict[str, Any]) -> None:
    assert not read_request(dialect, body(**fields)).is_plain


def test_requests_that_an_owned_model_can_answer() -> None:
    responses = read_request(
        "openai-responses",
        body(instructions="I", input=[{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]),
    )
    assert responses.messages == (Message("system", "I"), Message("user", "x"))
    anthropic = read_request(
        "anthropic-messages", body(system=[{"type": "text", "text": "S"}], messages=USER, metadata={"user_id": "u"})
    )
    assert anthropic.messages == (Message("system", "S"), Message("user", "x"))
    assert anthropic.user_key == "u"
    completion = read_request("openai-completions", body(prompt=["x"]))
    assert completion.messages == (Message("user", "x"),)
    assert responses.is_plain
    assert anthropic.is_plain
    assert completion.is_plain


def test_answers() -> None:
    refusal = read_answer("openai-chat", body(choices=[{"message": {"refusal": "no"}, "finish_reason": "stop"}]))
    assert (refusal.text, refusal.is_refusal) == ("no", True)
    tool = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    usage = {"input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 1}
    message = read_answer("anthropic-messages", body(content=[tool], stop_reason="tool_use", usage=usage))
    assert [(call.id, call.name, call.arguments) for call in message.tool_calls] == [("t", "f", '{"a":1}')]
    assert message.usage == Usage(10, 3, 1, written_tokens=2)
    output = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]
    response = read_answer("openai-responses", body(output=output, incomplete_details={"reason": "max_output_tokens"}))
    assert (response.tool_calls[0].id, response.finish_reason) == ("c", "max_output_tokens")


@pytest.mark.parametrize("raw", [b"", b"x", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"a":' * 5000])
def test_bodies_that_are_not_objects(raw: bytes) -> None:
    for dialect in DIALECTS:
        with pytest.raises(BadBodyError, match="request body"):
            read_request(dialect, raw)
        assert read_answer(dialect, raw).text == ""


def test_counts_and_names_fit_a_database() -> None:
    answer = read_answer(
        "openai-chat", body(model="a\0\ud800", usage={"prompt_tokens": 10**30, "completion_tokens": True})
    )
    assert answer.model == "a?"
    assert answer.usage == Usage(None, None, None)


@given(st.sampled_from(DIALECTS), st.dictionaries(KEYS, JSON, max_size=8))
def test_any_object_can_be_read(dialect: Dialect, data: dict[str, Any]) -> None:
    raw = json.dumps(data).encode()
    asked, answer = read_request(dialect, raw), read_answer(dialect, raw)
    for text in (*(m.content for m in asked.messages), answer.text, asked.model or "", answer.model or ""):
        assert text.encode() is not None
    static_parts(dialect, raw)


def test_errors_in_each_dialect() -> None:
    for dialect in DIALECTS:
        raw = error_body(dialect, message="what", code="why")
        assert json.loads(raw)["error"]["type"] == "freehold_error"
        assert json.loads(raw)["error"]["message"] == "what"
        assert json.loads(raw)["error"]["code"] == "why"


LONG = "Sort the müssäge. " * 20


@pytest.mark.parametrize("form", [{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":")}])
def test_static_parts_are_slices_of_the_body(form: dict[str, Any]) -> None:
    schema = {"type": "json_schema", "schema": {"x": "y" * 300}}
    tools = [{"name": "f", "description": LONG}]
    user = {"role": "user", "content": LONG}
    bodies: list[tuple[Dialect, dict[str, Any], list[Any]]] = [
        (
            "openai-chat",
            {"messages": [{"role": "system", "content": LONG}, user], "tools": tools, "response_format": schema},
            [LONG, tools, schema],
        ),
        (
            "openai-responses",
            {"instructions": LONG, "input": [user], "text": {"format": schema}},
            [LONG, {"format": schema}],
        ),
        (
            "anthropic-messages",
            {"system": [{"type": "text", "text": LONG}], "messages": [user]},
            [[{"type": "text", "text": LONG}]],
        ),
        ("openai-completions", {"prompt": LONG}, []),
        ("openai-chat", {"messages": [{"role": "system", "content": "short"}, user]}, []),
    ]
    for dialect, data, wanted in bodies:
        raw = json.dumps(data, **form).encode()
        parts = static_parts(dialect, raw)
        assert [json.loads(part) for part in parts] == wanted, dialect
        assert all(part in raw for part in parts)


@pytest.mark.parametrize("kind", [[], {}, ["text"], {"a": 1}, 7, None, True])
def test_a_part_whose_type_is_no_name_is_no_text(kind: Any) -> None:
    part = {"type": kind, "text": "x"}
    for dialect, fields in (
        ("openai-chat", {"messages": [{"role": "user", "content": [part]}]}),
        ("openai-responses", {"input": [{"role": "user", "content": [part]}]}),
        ("anthropic-messages", {"messages": USER, "system": [part]}),
    ):
        assert not read_request(dialect, body(**fields)).is_plain  # type: ignore[arg-type]


THOUGHT = {"type": "thinking", "thinking": "so", "signature": "s"}
SAID = {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "yes"}]}


def test_thoughts_of_earlier_answers_are_skipped() -> None:
    turns = [*USER, SAID, {"role": "user", "content": "and?"}]
    wanted = (Message("user", "x"), Message("assistant", "yes"), Message("user", "and?"))
    for dialect in ("openai-chat", "anthropic-messages"):
        asked = read_request(dialect, body(messages=turns))  # type: ignore[arg-type]
        assert (asked.messages, asked.is_plain) == (wanted, True)
    items = [USER[0], {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e"}]
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}
    asked = read_request("openai-responses", body(input=[*items, said, {"role": "user", "content": "and?"}]))
    assert (asked.messages, asked.is_plain) == (wanted, True)


def test_calls_of_tools_in_a_history_are_not_plain() -> None:
    for message in (
        {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "audio": {"id": "a"}},
        {"role": "function", "name": "f", "content": "1"},
        "not a message",
    ):
        assert not read_request("openai-chat", body(messages=[message, *USER])).is_plain


BEGUN = {"role": "assistant", "content": "{"}


def test_the_beginning_of_an_answer_is_no_message() -> None:
    for dialect, fields in (
        ("anthropic-messages", {"messages": [*USER, BEGUN]}),
        ("anthropic-messages", {"messages": [*USER, {**BEGUN, "content": [{"type": "text", "text": "{"}]}]}),
        ("openai-chat", {"messages": [*USER, {**BEGUN, "prefix": True}]}),
        ("openai-chat", {"messages": [*USER, {**BEGUN, "partial": True}]}),
        ("openai-chat", {"messages": [*USER, BEGUN], "continue_final_message": True, "add_generation_prompt": False}),
    ):
        asked = read_request(dialect, body(**fields))  # type: ignore[arg-type]
        assert (asked.messages, asked.prefill, asked.is_plain) == ((Message("user", "x"),), "{", True)
    asked = read_request("anthropic-messages", body(messages=[*USER, {"role": "assistant", "content": ""}]))
    assert (asked.messages, asked.prefill, asked.is_plain) == ((Message("user", "x"),), "", True)


def test_a_last_message_that_may_be_a_beginning_or_not_is_left_to_the_provider() -> None:
    for dialect, fields in (
        ("openai-chat", {"messages": [*USER, BEGUN]}),
        ("openai-chat", {"messages": [{**BEGUN, "prefix": True}, *USER, BEGUN]}),
        ("openai-chat", {"messages": USER, "continue_final_message": True}),
        ("openai-responses", {"input": [*USER, BEGUN]}),
        ("anthropic-messages", {"messages": [*USER, BEGUN, BEGUN]}),
        ("anthropic-messages", {"messages": [BEGUN]}),
        ("anthropic-messages", {"system": "S", "messages": [*USER, {**BEGUN, "content": [{"type": "tool_use"}]}]}),
    ):
        assert not read_request(dialect, body(**fields)).is_plain  # type: ignore[arg-type]


def test_the_smaller_of_two_limits_counts() -> None:
    assert read_request("openai-chat", body(messages=USER, max_tokens=5, max_completion_tokens=9)).max_tokens == 5
    assert read_request("openai-chat", body(messages=USER, max_tokens=None, max_completion_tokens=9)).max_tokens == 9
