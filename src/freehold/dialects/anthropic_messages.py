"""Anthropic messages: requests and answers; `message_stream` has their streams.

Tokens written to or read from a prompt cache count as input tokens here, as they do in the OpenAI dialects.
Not covered: what server-side tools did; their blocks are kept in the body and not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.dialects.choices import is_finished
from freehold.dialects.failure import ending_failure, failure_of
from freehold.dialects.fields import left_to_provider
from freehold.dialects.form import Form, LocalAnswer
from freehold.dialects.message_stream import MessageAssembly
from freehold.dialects.plain import begun_answer, is_turn, without_thoughts
from freehold.dialects.sse import sse_bytes
from freehold.dialects.thought import joined_thoughts, part_thought, split_thought
from freehold.dialects.tool_calls import arguments_text
from freehold.dialects.usage import anthropic_usage
from freehold.dialects.values import (
    JsonObject,
    as_count,
    as_list,
    as_messages,
    as_name,
    as_object,
    as_text,
    content_text,
    dump_text,
    raw_text,
    read_metadata,
)
from freehold.model.exchange import Answer, Asked, ToolCall
from freehold.model.ids import canonical_json

_TEXT_TYPES = frozenset({"text"})


def read_request(data: JsonObject) -> Asked:
    """Read a message request; `system` becomes the first message, a last message of the assistant's the prefill."""
    pairs: list[tuple[str, str]] = []
    system, is_plain = content_text(data.get("system"), _TEXT_TYPES)
    is_plain = is_plain and left_to_provider("anthropic-messages", data) is None
    if system:
        pairs.append(("system", system))
    for item in as_list(data.get("messages")):
        message = as_object(item)
        text, is_text = content_text(without_thoughts(message.get("content")), _TEXT_TYPES)
        role = as_name(message.get("role")) or "user"
        is_plain = is_plain and is_text and is_turn(role, message)
        pairs.append((role, text))
    pairs, prefill, is_askable = begun_answer(pairs, goes_on=True)
    tools = as_list(data.get("tools"))
    output_format = as_object(data.get("output_format")) or as_object(
        as_object(data.get("output_config")).get("format")
    )
    metadata = read_metadata(data)
    return Asked(
        dialect="anthropic-messages",
        model=as_name(data.get("model")),
        messages=as_messages(pairs),
        tools=canonical_json(tools) if tools else None,
        response_format=canonical_json(output_format) if output_format else None,
        max_tokens=as_count(data.get("max_tokens")),
        is_stream=data.get("stream") is True,
        wants_usage=True,
        is_plain=is_plain and is_askable,
        user_key=metadata.get("user_id"),
        session_key=metadata.get("session_id") or as_name(as_object(data.get("thread")).get("previous_message_id")),
        metadata=metadata,
        prefill=prefill,
    )


def read_answer(data: JsonObject) -> Answer:
    """Read a message: its text blocks joined, its thought, its tool calls."""
    content = data.get("content")
    blocks = [as_object(item) for item in as_list(content)]
    thought, text = split_thought(as_text("".join(raw_text(b.get("text")) for b in blocks if b.get("type") == "text")))
    if isinstance(content, str):
        thought, text = split_thought(as_text(content))
    reason = as_name(data.get("stop_reason"))
    return Answer(
        text=text,
        thought=joined_thoughts("".join(part_thought(b) for b in blocks if b.get("type") == "thinking"), thought),
        tool_calls=tuple(_tool_call(block) for block in blocks if block.get("type") == "tool_use"),
        finish_reason=reason if is_finished(reason) else None,
        model=as_name(data.get("model")),
        usage=anthropic_usage(as_object(data.get("usage"))),
        is_refusal=reason == "refusal",
        error=failure_of(data) or ending_failure(reason or ""),
    )


def _tool_call(block: JsonObject) -> ToolCall:
    return ToolCall(as_text(block.get("id")), as_text(block.get("name")), arguments_text(block.get("input") or {}))


def render(answer: LocalAnswer) -> JsonObject:
    """A message."""
    usage: JsonObject = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    return {
        **_head(answer),
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def _head(answer: LocalAnswer) -> JsonObject:
    return {"id": f"msg_{answer.bare_id}", "type": "message", "role": "assistant", "model": answer.model}


def render_events(answer: LocalAnswer, include_usage: bool) -> Iterator[bytes]:
    """A message as a stream of events; this dialect always tells the usage."""
    del include_usage
    begun: JsonObject = {"input_tokens": answer.input_tokens, "output_tokens": 0}
    empty: JsonObject = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
    yield _event("message_start", {"message": {**_head(answer), **empty}})
    yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    for piece in answer.pieces():
        yield _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}})
    yield _event("content_block_stop", {"index": 0})
    stop: JsonObject = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event("message_delta", {"delta": stop, "usage": {"output_tokens": answer.output_tokens}})
    yield _event("message_stop", {})


def _event(name: str, fields: JsonObject) -> bytes:
    return sse_bytes(dump_text({"type": name, **fields}), name=name)


FORM = Form(
    read_request=read_request,
    read_answer=read_answer,
    assembly=MessageAssembly,
    render=render,
    render_events=render_events,
    static_keys=frozenset({"system", "tools", "output_format", "output_config"}),
    message_key="messages",
)
