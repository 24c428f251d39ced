"""OpenAI chat completions: requests and answers; `chat_stream` has their streams.

Not covered: audio answers are kept when a stream is assembled, but never read.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.dialects.chat_stream import ChatAssembly
from freehold.dialects.choices import is_finished
from freehold.dialects.failure import choice_failure, failure_of
from freehold.dialects.fields import left_to_provider
from freehold.dialects.form import Form, LocalAnswer
from freehold.dialects.parts import read_content
from freehold.dialects.plain import (
    begun_answer,
    is_marked_to_go_on,
    is_turn,
    role_of_last,
    smallest_limit,
    without_thoughts,
)
from freehold.dialects.sse import DONE, sse_bytes
from freehold.dialects.thought import joined_thoughts, thought_of
from freehold.dialects.tool_calls import read_tool_calls
from freehold.dialects.usage import openai_usage, timings_usage
from freehold.dialects.values import (
    JsonObject,
    as_list,
    as_messages,
    as_name,
    as_object,
    as_text,
    content_text,
    dump_text,
    read_metadata,
)
from freehold.model.exchange import Answer, Asked, Usage
from freehold.model.ids import canonical_json

_TEXT_TYPES = frozenset({"text", "refusal"})


def read_request(data: JsonObject) -> Asked:
    """Read a chat completion's request."""
    pairs: list[tuple[str, str]] = []
    is_plain = left_to_provider("openai-chat", data) is None
    goes_on, is_marked = data.get("continue_final_message") is True, False
    for item in as_list(data.get("messages")):
        message = as_object(item)
        text, is_text = content_text(without_thoughts(message.get("content")), _TEXT_TYPES)
        role = as_name(message.get("role")) or "user"
        is_plain = is_plain and is_text and is_turn(role, message)
        is_marked = is_marked_to_go_on(message)
        pairs.append((role, text))
    is_plain = is_plain and (not goes_on or role_of_last(pairs) == "assistant")
    pairs, prefill, is_askable = begun_answer(pairs, goes_on=goes_on or is_marked)
    response_format = as_object(data.get("response_format"))
    has_format = response_format.get("type") not in (None, "text")
    metadata = read_metadata(data)
    tools = as_list(data.get("tools")) or as_list(data.get("functions"))
    return Asked(
        dialect="openai-chat",
        model=as_name(data.get("model")),
        messages=as_messages(pairs),
        tools=canonical_json(tools) if tools else None,
        response_format=canonical_json(response_format) if has_format else None,
        max_tokens=smallest_limit(data, "max_completion_tokens", "max_tokens"),
        is_stream=data.get("stream") is True,
        wants_usage=as_object(data.get("stream_options")).get("include_usage") is True,
        is_plain=is_plain and is_askable,
        user_key=as_name(data.get("safety_identifier")) or as_name(data.get("user")) or metadata.get("user_id"),
        session_key=metadata.get("session_id"),
        metadata=metadata,
        prefill=prefill,
    )


def read_answer(data: JsonObject) -> Answer:
    """Read a chat completion: its first choice."""
    choices = as_list(data.get("choices"))
    choice = as_object(choices[0]) if choices else {}
    message = as_object(choice.get("message"))
    content = read_content(message.get("content"))
    refusal = as_text(message.get("refusal"))
    reason = as_name(choice.get("finish_reason"))
    return Answer(
        text=content.text or refusal,
        thought=joined_thoughts(thought_of(message), content.thought),
        tool_calls=read_tool_calls(message),
        finish_reason=reason if is_finished(reason) else None,
        model=as_name(data.get("model")),
        system_fingerprint=as_name(data.get("system_fingerprint")),
        usage=_read_usage(data, choice),
        is_refusal=bool(refusal) or content.is_refusal,
        error=failure_of(data) or choice_failure(choice),
    )


def _read_usage(data: JsonObject, choice: JsonObject) -> Usage:
    """Token counts, wherever a provider puts them."""
    places = (data.get("usage"), as_object(data.get("x_groq")).get("usage"), choice.get("usage"))
    told = next((usage for place in places if (usage := as_object(place))), None)
    return openai_usage(told) if told is not None else timings_usage(as_object(data.get("timings")))


def _usage_json(answer: LocalAnswer) -> JsonObject:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def render(answer: LocalAnswer) -> JsonObject:
    """A chat completion."""
    message: JsonObject = {"role": "assistant", "content": answer.text, "refusal": None}
    return {
        "id": f"chatcmpl-{answer.bare_id}",
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage_json(answer),
    }


def render_events(answer: LocalAnswer, include_usage: bool) -> Iterator[bytes]:
    """A chat completion as a stream of chunks."""
    head: JsonObject = {
        "id": f"chatcmpl-{answer.bare_id}",
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.model,
    }
    no_usage: JsonObject = {"usage": None} if include_usage else {}

    def chunk(delta: JsonObject, reason: str | None) -> bytes:
        choice: JsonObject = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse_bytes(dump_text({**head, "choices": [choice], **no_usage}))

    yield chunk({"role": "assistant", "content": "", "refusal": None}, None)
    for piece in answer.pieces():
        yield chunk({"content": piece}, None)
    yield chunk({}, "stop")
    if include_usage:
        yield sse_bytes(dump_text({**head, "choices": [], "usage": _usage_json(answer)}))
    yield sse_bytes(DONE)


FORM = Form(
    read_request=read_request,
    read_answer=read_answer,
    assembly=ChatAssembly,
    render=render,
    render_events=render_events,
    static_keys=frozenset({"tools", "functions", "response_format"}),
    message_key="messages",
)
