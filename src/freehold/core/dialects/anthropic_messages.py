"""Anthropic messages: requests, answers, streams.

Tokens written to or read from a prompt cache count as input tokens here, as they do in the OpenAI dialects.
Not covered: what server-side tools did; their blocks are kept in the body and not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.core.dialects.fields import left_to_provider
from freehold.core.dialects.form import Form, LocalAnswer
from freehold.core.dialects.plain import begun_answer, is_turn, without_thoughts
from freehold.core.dialects.values import (
    JsonObject,
    as_count,
    as_list,
    as_messages,
    as_name,
    as_object,
    as_text,
    content_text,
    dump_text,
    parse_anyhow,
    read_metadata,
)
from freehold.core.exchange import Answer, Asked, ToolCall, Usage
from freehold.core.ids import canonical_json
from freehold.core.sse import sse_bytes

_TEXT_TYPES = frozenset({"text"})
_JOINED_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


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
        session_key=metadata.get("session_id"),
        metadata=metadata,
        prefill=prefill,
    )


def read_answer(data: JsonObject) -> Answer:
    """Read a message: its text blocks joined, its tool calls."""
    blocks = [as_object(item) for item in as_list(data.get("content"))]
    reason = as_name(data.get("stop_reason"))
    return Answer(
        text="".join(as_text(block.get("text")) for block in blocks if block.get("type") == "text"),
        tool_calls=tuple(_tool_call(block) for block in blocks if block.get("type") == "tool_use"),
        finish_reason=reason,
        model=as_name(data.get("model")),
        usage=_read_usage(as_object(data.get("usage"))),
        is_refusal=reason == "refusal",
    )


def _tool_call(block: JsonObject) -> ToolCall:
    arguments = block.get("input")
    text = arguments if isinstance(arguments, str) else dump_text(as_object(arguments))
    return ToolCall(as_text(block.get("id")), as_text(block.get("name")), as_text(text))


def _read_usage(usage: JsonObject) -> Usage:
    fresh = as_count(usage.get("input_tokens"))
    read = as_count(usage.get("cache_read_input_tokens"))
    written = as_count(usage.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        cached_tokens=read,
        output_tokens=as_count(usage.get("output_tokens")),
    )


class MessageAssembly:
    """Message events into a message."""

    def __init__(self) -> None:
        self.is_ended = False
        self.error: str | None = None
        self._message: JsonObject = {}
        self._blocks: dict[int, JsonObject] = {}
        self._inputs: dict[int, str] = {}

    @property
    def is_complete(self) -> bool:
        """`message_stop` has come."""
        return self.is_ended

    def end(self) -> None:
        """A `[DONE]` mark is not part of this dialect; some backends send it all the same."""
        self.is_ended = True

    def add(self, name: str, data: JsonObject) -> None:
        """Take one event."""
        match data.get("type", name):
            case "message_start":
                self._message = dict(as_object(data.get("message")))
            case "content_block_start":
                self._blocks[as_count(data.get("index")) or 0] = dict(as_object(data.get("content_block")))
            case "content_block_delta":
                self._add_delta(as_count(data.get("index")) or 0, as_object(data.get("delta")))
            case "message_delta":
                self._message.update(as_object(data.get("delta")))
                said = {key: value for key, value in as_object(data.get("usage")).items() if value is not None}
                self._message["usage"] = {**as_object(self._message.get("usage")), **said}
            case "message_stop":
                self.is_ended = True
            case "error":
                self.error = as_text(as_object(data.get("error")).get("message")) or "error event"
            case _:
                pass

    def _add_delta(self, index: int, delta: JsonObject) -> None:
        block = self._blocks.setdefault(index, {"type": "text", "text": ""})
        kind = as_text(delta.get("type"))
        if kind == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + as_text(delta.get("partial_json"))
        elif kind == "citations_delta":
            block["citations"] = [*as_list(block.get("citations")), delta.get("citation")]
        elif kind in _JOINED_DELTAS:
            key = _JOINED_DELTAS[kind]
            block[key] = as_text(block.get(key)) + as_text(delta.get(key))
        else:
            block.update({key: value for key, value in delta.items() if key != "type"})

    def body(self) -> JsonObject:
        """The message so far; a tool's input that broke off is kept as the text that came."""
        blocks: list[JsonObject] = []
        for index in sorted(self._blocks):
            block = dict(self._blocks[index])
            if text := self._inputs.get(index):
                block["input"] = parse_anyhow(text) or text
            blocks.append(block)
        return {**self._message, "content": blocks}


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
