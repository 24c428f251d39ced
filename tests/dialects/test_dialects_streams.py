"""Streams assembled into the body they stand for, and local answers rendered into both forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.dialects import StreamAssembler, can_render, read_answer, render_answer, render_stream
from freehold.model import Dialect, Usage

ANSWERING: tuple[Dialect, ...] = ("openai-chat", "openai-responses", "openai-completions", "anthropic-messages")
LOCAL: dict[str, Any] = {"id": "0197-ab", "model": "m1", "usage": Usage(3, None, 2), "created": 1700000000}


def data(*chunks: dict[str, Any], done: bool = True) -> bytes:
    lines = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    return lines + (b"data: [DONE]\n\n" if done else b"")


def delta(index: int = 0, finish: str | None = None, logprobs: Any = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": fields, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def assembled(dialect: Dialect, stream: bytes, *, step: int = 7) -> StreamAssembler:
    assembler = StreamAssembler(dialect)
    for start in range(0, len(stream), step):
        assembler.feed(stream[start : start + step])
    assembler.finish()
    return assembler


def test_chat_with_two_choices_and_logprobs() -> None:
    token = {"token": "x", "logprob": -0.5}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    stream = data(
        delta(role="assistant", content=""),
        delta(1, role="assistant", content="B"),
        delta(content="Grü", logprobs={"content": [token], "refusal": None}),
        delta(content="ße", logprobs={"content": [token]}, reasoning_content="why"),
        delta(1, finish="length"),
        delta(finish="stop"),
        {"id": "c", "model": "m", "choices": None, "usage": usage, "system_fingerprint": "fp"},
    )
    built = assembled("openai-chat", b": ping\n\n" + stream)
    body = json.loads(built.body())
    assert [choice["message"]["content"] for choice in body["choices"]] == ["Grüße", "B"]
    assert body["choices"][0]["logprobs"] == {"content": [token, token], "refusal": None}
    assert body["choices"][0]["message"]["reasoning_content"] == "why"
    assert [choice["finish_reason"] for choice in body["choices"]] == ["stop", "length"]
    assert (body["usage"], body["system_fingerprint"], body["object"]) == (usage, "fp", "chat.completion")
    assert built.is_ended
    assert built.is_complete


@pytest.mark.parametrize("with_index", [True, False])
def test_tool_calls_interleaved_or_without_index(with_index: bool) -> None:
    def call(n: int, **function: str) -> dict[str, Any]:
        first = {"id": f"c{n}", "type": "function"} if "name" in function else {}
        return delta(tool_calls=[{**({"index": n} if with_index else {}), **first, "function": function}])

    begin, more = [call(0, name="f", arguments=""), call(0, arguments='{"a"')], [call(0, arguments=":1}")]
    other = [call(1, name="g", arguments="{"), call(1, arguments="}")]
    order = [*begin, *other, *more] if with_index else [*begin, *more, *other]
    calls = json.loads(assembled("openai-chat", data(*order)).body())["choices"][0]["message"]["tool_calls"]
    assert calls == [
        {"id": "c0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_backends_that_repeat_what_is_said_once() -> None:
    again = [{"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": "x"}}]
    stream = data(delta(role="assistant", tool_calls=again), delta(role="assistant", tool_calls=again))
    call = json.loads(assembled("openai-chat", stream).body())["choices"][0]["message"]["tool_calls"][0]
    assert call == {"id": "c0", "type": "function", "function": {"name": "f", "arguments": "xx"}}


def test_a_stream_without_done_is_complete_by_its_finish_reason() -> None:
    whole = assembled("openai-chat", data(delta(content="x"), delta(finish="stop"), done=False))
    cut = assembled("openai-chat", data(delta(content="x"), done=False))
    assert (whole.is_ended, whole.is_complete) == (False, True)
    assert (cut.is_ended, cut.is_complete) == (False, False)
    assert json.loads(cut.body())["choices"][0]["message"]["content"] == "x"


def test_error_events() -> None:
    assert assembled("openai-chat", data({"error": {"message": "overloaded"}})).error == "overloaded"
    event = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    assert assembled("anthropic-messages", event).error == "busy"
    failed = {"type": "response.failed", "response": {"status": "failed", "error": {"message": "broke"}}}
    assert assembled("openai-responses", data(failed, done=False)).error == "broke"


def test_last_event_without_its_empty_line() -> None:
    built = assembled("openai-chat", data(delta(content="x"), done=False) + b"data: [DONE]")
    assert built.is_complete


def test_anthropic_tools_and_thinking() -> None:
    def event(kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()

    def part(index: int, **fields: Any) -> bytes:
        return event("content_block_delta", index=index, delta=fields)

    stream = b"".join(
        [
            event(
                "message_start", message={"id": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 4}}
            ),
            event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}),
            part(0, type="thinking_delta", thinking="hm"),
            part(0, type="signature_delta", signature="sig"),
            event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
            part(1, type="text_delta", text="a"),
            part(1, type="text_delta", text="b"),
            part(1, type="citations_delta", citation={"n": 1}),
            event(
                "content_block_start", index=2, content_block={"type": "tool_use", "id": "t", "name": "f", "input": {}}
            ),
            part(2, type="input_json_delta", partial_json='{"a"'),
            part(2, type="input_json_delta", partial_json=": 1}"),
            event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
            event("message_stop"),
        ]
    )
    body = json.loads(assembled("anthropic-messages", stream).body())
    assert body["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "ab", "citations": [{"n": 1}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    assert (body["stop_reason"], body["usage"]) == ("tool_use", {"input_tokens": 4, "output_tokens": 9})


def test_responses_cut_before_the_end() -> None:
    item = {"type": "message", "role": "assistant", "content": []}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    place = {"output_index": 0, "content_index": 0}
    stream = data(
        {"type": "response.created", "response": {"id": "r", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": {"type": "output_text", "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": "he"},
        {"type": "response.output_text.delta", **place, "delta": "llo"},
        {"type": "response.output_item.added", "output_index": 1, "item": call},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"},
        done=False,
    )
    built = assembled("openai-responses", stream)
    answer = read_answer("openai-responses", built.body())
    assert (answer.text, answer.tool_calls[0].arguments, built.is_complete) == ("hello", "{}", False)


@pytest.mark.parametrize(
    "stream", [b"", b"not sse", b"data: 1\n\n", b'{"error": {}}', b"data: " + b"[" * 9999 + b"\n\n"]
)
def test_what_is_no_stream_of_the_dialect_is_kept_as_bytes(stream: bytes) -> None:
    for dialect in (*ANSWERING, "other"):
        assert assembled(dialect, stream).body() == stream


def test_nesting_beyond_reason_keeps_the_bytes() -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    stream = b'data: {"choices":[{"index":0,"delta":{"x":' + deep + b"}}]}\n\n" * 2
    assembler = assembled("openai-chat", stream + stream, step=4096)
    assert assembler.body()


@given(st.sampled_from(ANSWERING), st.lists(st.sampled_from(["choices", "delta", "type", "index", "item"]), max_size=4))
def test_odd_events_never_raise(dialect: Dialect, keys: list[str]) -> None:
    for value in (None, 1, "response.completed", [], {}, [None], {"index": "x"}, [{"index": -1, "delta": []}]):
        assembler = assembled(dialect, data(dict.fromkeys(keys, value)))
        assert isinstance(assembler.body(), bytes)


@given(st.sampled_from(ANSWERING), st.text(max_size=80), st.booleans(), st.integers(min_value=1, max_value=50))
def test_a_rendered_stream_assembles_into_the_rendered_answer(
    dialect: Dialect, text: str, include_usage: bool, step: int
) -> None:
    plain = render_answer(dialect, text=text, **LOCAL)
    stream = b"".join(render_stream(dialect, text=text, include_usage=include_usage, **LOCAL))
    built = assembled(dialect, stream, step=step)
    assert built.is_ended
    streamed, whole = json.loads(built.body()), json.loads(plain)
    if dialect.startswith("openai-c"):
        assert ("usage" in streamed) == include_usage
        streamed.pop("usage", None)
        whole.pop("usage")
        whole["choices"][0].get("message", {}).pop("refusal", None)
        streamed["choices"][0].get("message", {}).pop("refusal", None)
    assert streamed == whole
    answer = read_answer(dialect, plain)
    assert (answer.text, answer.model) == (text.encode("utf-8", "replace").decode(), "m1")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 2)


def test_dialects_without_text_answers() -> None:
    for dialect in ("openai-embeddings", "other"):
        assert not can_render(dialect)
        with pytest.raises(ValueError, match="no text answers"):
            render_answer(dialect, text="x", **LOCAL)
