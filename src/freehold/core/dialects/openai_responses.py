"""OpenAI responses: requests, answers, streams.

Not covered: a locally answered response is not stored at the provider, so it cannot be named later as
`previous_response_id`; it says `store: false`.
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
    read_metadata,
    usage_of,
)
from freehold.core.exchange import Answer, Asked, ToolCall
from freehold.core.ids import canonical_json
from freehold.core.sse import sse_bytes

_TEXT_TYPES = frozenset({"input_text", "output_text", "text"})
_LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def read_request(data: JsonObject) -> Asked:
    """Read a response's request; `instructions` become the first message."""
    pairs: list[tuple[str, str]] = []
    is_plain = left_to_provider("openai-responses", data) is None
    if instructions := as_text(data.get("instructions")):
        pairs.append(("system", instructions))
    given = data.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else as_list(given)
    for item in items:
        message = as_object(item)
        if message.get("type") == "reasoning":
            continue
        text, is_text = content_text(without_thoughts(message.get("content")), _TEXT_TYPES)
        is_message = message.get("type") in (None, "message") and isinstance(message.get("content"), str | list)
        role = as_name(message.get("role")) or "user"
        is_plain = is_plain and is_text and is_message and is_turn(role, message)
        if is_message:
            pairs.append((role, text))
    pairs, prefill, is_askable = begun_answer(pairs, goes_on=False)
    tools = as_list(data.get("tools"))
    text_format = as_object(as_object(data.get("text")).get("format"))
    has_format = text_format.get("type") not in (None, "text")
    conversation = data.get("conversation")
    metadata = read_metadata(data)
    session = as_name(conversation) or as_name(as_object(conversation).get("id"))
    return Asked(
        dialect="openai-responses",
        model=as_name(data.get("model")),
        messages=as_messages(pairs),
        tools=canonical_json(tools) if tools else None,
        response_format=canonical_json(text_format) if has_format else None,
        max_tokens=as_count(data.get("max_output_tokens")),
        is_stream=data.get("stream") is True,
        wants_usage=True,
        is_plain=is_plain and is_askable,
        user_key=as_name(data.get("safety_identifier")) or as_name(data.get("user")) or metadata.get("user_id"),
        session_key=metadata.get("session_id") or session,
        metadata=metadata,
        prefill=prefill,
    )


def read_answer(data: JsonObject) -> Answer:
    """Read a response: its texts joined, its function calls; `finish_reason` is the status or why it is incomplete."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    is_refusal = False
    for item in (as_object(entry) for entry in as_list(data.get("output"))):
        if item.get("type") == "function_call":
            calls.append(_tool_call(item))
        for part in (as_object(entry) for entry in as_list(item.get("content"))):
            if item.get("type") == "message":
                texts.append(as_text(part.get("text")) or as_text(part.get("refusal")))
                is_refusal = is_refusal or part.get("type") == "refusal"
    reason = as_object(data.get("incomplete_details")).get("reason")
    return Answer(
        text="".join(texts),
        tool_calls=tuple(calls),
        finish_reason=as_name(reason) or as_name(data.get("status")),
        model=as_name(data.get("model")),
        usage=usage_of(data, input_key="input_tokens", output_key="output_tokens", details_key="input_tokens_details"),
        is_refusal=is_refusal,
    )


def _tool_call(item: JsonObject) -> ToolCall:
    return ToolCall(as_text(item.get("call_id")), as_text(item.get("name")), as_text(item.get("arguments")))


class ResponseAssembly:
    """Response events into a response; the last event holds it whole, the others serve when that one never comes."""

    def __init__(self) -> None:
        self.is_ended = False
        self.error: str | None = None
        self._response: JsonObject = {}
        self._items: dict[int, JsonObject] = {}

    @property
    def is_complete(self) -> bool:
        """The last event has come."""
        return self.is_ended

    def end(self) -> None:
        """A `[DONE]` mark is not part of this dialect; some backends send it all the same."""
        self.is_ended = True

    def add(self, name: str, data: JsonObject) -> None:
        """Take one event."""
        kind = as_text(data.get("type")) or name
        index = as_count(data.get("output_index")) or 0
        if isinstance(data.get("response"), dict):
            self._response = as_object(data["response"])
        if kind in _LAST_EVENTS:
            self.is_ended = True
            failure = as_object(self._response.get("error"))
            self.error = as_text(failure.get("message")) or "failed" if kind == "response.failed" else None
        elif kind == "error":
            inner = as_object(data.get("error")) or data
            self.error = as_text(inner.get("message")) or "error event"
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._items[index] = as_object(data.get("item"))
        elif kind == "response.content_part.added":
            item = self._items.setdefault(index, {"type": "message", "role": "assistant"})
            item["content"] = [*as_list(item.get("content")), data.get("part")]
        elif kind.endswith(".delta") and isinstance(data.get("delta"), str):
            self._add_delta(kind, index, data)

    def _add_delta(self, kind: str, index: int, data: JsonObject) -> None:
        item = self._items.setdefault(index, {"type": "message", "role": "assistant"})
        delta = as_text(data.get("delta"))
        if kind == "response.function_call_arguments.delta":
            item["arguments"] = as_text(item.get("arguments")) + delta
            return
        parts = as_list(item.get("content"))
        place = as_count(data.get("content_index")) or 0
        if not parts and kind == "response.output_text.delta":
            parts.append({"type": "output_text", "text": "", "annotations": []})
            item["content"] = parts
        if place < len(parts):
            part = as_object(parts[place])
            key = "refusal" if kind == "response.refusal.delta" else "text"
            part[key] = as_text(part.get(key)) + delta

    def body(self) -> JsonObject:
        """The response so far."""
        if self.is_ended and self._response:
            return self._response
        return {**self._response, "output": [self._items[index] for index in sorted(self._items)]}


def render(answer: LocalAnswer) -> JsonObject:
    """A response."""
    usage: JsonObject = {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    message = _message(answer, [_part(answer.text)], "completed")
    return _response(answer, status="completed", output=[message], usage=usage)


def _response(answer: LocalAnswer, *, status: str, output: list[JsonObject], usage: JsonObject | None) -> JsonObject:
    return {
        "id": f"resp_{answer.bare_id}",
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": 0.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage,
    }


def _message(answer: LocalAnswer, content: list[JsonObject], status: str) -> JsonObject:
    item_id = f"msg_{answer.bare_id}"
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def _part(text: str) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def render_events(answer: LocalAnswer, include_usage: bool) -> Iterator[bytes]:
    """A response as a stream of events; this dialect always tells the usage."""
    del include_usage
    for number, (name, fields) in enumerate(_events(answer)):
        yield sse_bytes(dump_text({"type": name, "sequence_number": number, **fields}), name=name)


def _events(answer: LocalAnswer) -> Iterator[tuple[str, JsonObject]]:
    begun = _response(answer, status="in_progress", output=[], usage=None)
    item: JsonObject = {"item_id": f"msg_{answer.bare_id}", "output_index": 0, "content_index": 0}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    yield "response.output_item.added", {"output_index": 0, "item": _message(answer, [], "in_progress")}
    yield "response.content_part.added", {**item, "part": _part("")}
    for piece in answer.pieces():
        yield "response.output_text.delta", {**item, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**item, "text": answer.text, "logprobs": []}
    yield "response.content_part.done", {**item, "part": _part(answer.text)}
    done = _message(answer, [_part(answer.text)], "completed")
    yield "response.output_item.done", {"output_index": 0, "item": done}
    yield "response.completed", {"response": render(answer)}


FORM = Form(
    read_request=read_request,
    read_answer=read_answer,
    assembly=ResponseAssembly,
    render=render,
    render_events=render_events,
    static_keys=frozenset({"instructions", "tools", "text"}),
    message_key="input",
)
