"""OpenAI responses: requests and answers; `response_stream` has their streams.

Not covered: a locally answered response is not stored at the provider, so it cannot be named later as
`previous_response_id`; it says `store: false`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from freehold.dialects.failure import ending_failure, failure_of
from freehold.dialects.fields import left_to_provider
from freehold.dialects.form import Form, LocalAnswer
from freehold.dialects.parts import read_content
from freehold.dialects.plain import begun_answer, is_turn, without_thoughts
from freehold.dialects.response_stream import ResponseAssembly
from freehold.dialects.sse import sse_bytes
from freehold.dialects.thought import joined_thoughts
from freehold.dialects.tool_calls import arguments_text
from freehold.dialects.usage import openai_usage
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
    read_metadata,
)
from freehold.model.exchange import Answer, Asked, ToolCall
from freehold.model.ids import canonical_json

_TEXT_TYPES = frozenset({"input_text", "output_text", "text"})
_CLIENT_CALLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "function_call": ("arguments",),
        "custom_tool_call": ("input",),
        "tool_search_call": ("arguments",),
        "local_shell_call": ("action",),
        "shell_call": ("action",),
        "computer_call": ("actions", "action"),
        "apply_patch_call": ("operation",),
        "mcp_approval_request": ("arguments",),
    }
)
"""Items that a client has to act upon, with the members that say what is to be done."""


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
        session_key=metadata.get("session_id") or session or as_name(data.get("previous_response_id")),
        metadata=metadata,
        prefill=prefill,
    )


def read_answer(data: JsonObject) -> Answer:
    """Read a response: its texts joined, its tool calls; `finish_reason` is the status or why it is incomplete."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    is_refusal = is_cut = False
    for item in (as_object(entry) for entry in as_list(data.get("output"))):
        match item.get("type"):
            case "message":
                content = read_content(item.get("content"))
                texts.append(content.text)
                thoughts.append(content.thought)
                is_refusal = is_refusal or content.is_refusal
                is_cut = item.get("status") == "incomplete"
            case "reasoning":
                told = read_content(item.get("content")), read_content(item.get("summary"))
                thoughts += [content.thought or content.text for content in told]
            case _:
                calls += _tool_calls(item)
    reason = as_name(as_object(data.get("incomplete_details")).get("reason")) or as_name(data.get("status"))
    if is_cut and (reason is None or reason == "completed"):
        reason = "incomplete"
    return Answer(
        text="".join(texts) or (as_text(data.get("output_text")) if not calls else ""),
        thought=joined_thoughts(*thoughts),
        tool_calls=tuple(calls),
        finish_reason=reason,
        model=as_name(data.get("model")),
        usage=openai_usage(as_object(data.get("usage"))),
        is_refusal=is_refusal,
        error=failure_of(data) or ending_failure(reason or ""),
    )


def _tool_calls(item: JsonObject) -> list[ToolCall]:
    """The call in an item that the client is to execute; not for what the provider executes."""
    kind = as_text(item.get("type"))
    if kind not in _CLIENT_CALLS or (kind == "tool_search_call" and item.get("execution") == "server"):
        return []
    name = as_text(item.get("name")) or kind.removesuffix("_call")
    given = next((item[key] for key in _CLIENT_CALLS[kind] if item.get(key) is not None), None)
    return [ToolCall(as_text(item.get("call_id")) or as_text(item.get("id")), name, arguments_text(given))]


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
