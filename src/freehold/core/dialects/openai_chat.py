"""OpenAI chat completions: requests, answers, streams.

Not covered: audio answers are kept when a stream is assembled, but never read.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.core.dialects.fields import left_to_provider
from freehold.core.dialects.form import Form, LocalAnswer
from freehold.core.dialects.plain import (
    begun_answer,
    is_marked_to_go_on,
    is_turn,
    role_of_last,
    smallest_limit,
    without_thoughts,
)
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
from freehold.core.sse import DONE, sse_bytes

_TEXT_TYPES = frozenset({"text", "refusal"})
_SAID_ONCE = frozenset({"id", "type", "role", "name"})
_KEPT_OUT = frozenset({"choices", "usage", "object", "obfuscation"})


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
    return Asked(
        dialect="openai-chat",
        model=as_name(data.get("model")),
        messages=as_messages(pairs),
        tools=canonical_json(data["tools"]) if as_list(data.get("tools")) else None,
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
    text, _ = content_text(message.get("content"), _TEXT_TYPES)
    return Answer(
        text=text or as_text(message.get("refusal")),
        tool_calls=tuple(_tool_call(as_object(item)) for item in as_list(message.get("tool_calls"))),
        finish_reason=as_name(choice.get("finish_reason")),
        model=as_name(data.get("model")),
        system_fingerprint=as_name(data.get("system_fingerprint")),
        usage=usage_of(
            data, input_key="prompt_tokens", output_key="completion_tokens", details_key="prompt_tokens_details"
        ),
        is_refusal=bool(message.get("refusal")),
    )


def _tool_call(item: JsonObject) -> ToolCall:
    function = as_object(item.get("function")) or as_object(item.get("custom"))
    arguments = function.get("arguments", function.get("input"))
    return ToolCall(as_text(item.get("id")), as_text(function.get("name")), as_text(arguments))


class ChatAssembly:
    """Chat completion chunks into a chat completion."""

    def __init__(self) -> None:
        self.is_ended = False
        self.error: str | None = None
        self._top: JsonObject = {}
        self._usage: object = None
        self._choices: dict[int, JsonObject] = {}

    @property
    def is_complete(self) -> bool:
        """`[DONE]` has come, or every choice has its finish reason."""
        finished = [choice.get("finish_reason") is not None for choice in self._choices.values()]
        return self.is_ended or (bool(finished) and all(finished))

    def end(self) -> None:
        """Take the `[DONE]` mark."""
        self.is_ended = True

    def add(self, name: str, data: JsonObject) -> None:
        """Take one chunk."""
        if data.get("error") or name == "error":
            error = data.get("error")
            self.error = as_text(as_object(error).get("message")) or as_text(error) or "error event"
        for key, value in data.items():
            if key not in _KEPT_OUT and (value is not None or key not in self._top):
                self._top[key] = value
        self._usage = data.get("usage") or self._usage
        for item in as_list(data.get("choices")):
            self._add_choice(as_object(item))

    def _add_choice(self, chunk: JsonObject) -> None:
        index = as_count(chunk.get("index")) or 0
        fresh: JsonObject = {"index": index, "message": {"role": "assistant", "content": None}, "logprobs": None}
        choice = self._choices.setdefault(index, {**fresh, "finish_reason": None})
        merge_delta(as_object(choice["message"]), as_object(chunk.get("delta")))
        for key, value in chunk.items():
            if key == "logprobs":
                choice[key] = _extended(choice[key], value)
            elif key not in ("index", "delta") and value is not None:
                choice[key] = value

    def body(self) -> JsonObject:
        """The chat completion so far."""
        choices = [_without_indexes(self._choices[index]) for index in sorted(self._choices)]
        body: JsonObject = {**self._top, "object": "chat.completion", "choices": choices}
        if self._usage is not None:
            body["usage"] = self._usage
        return body


def merge_delta(whole: JsonObject, delta: JsonObject) -> None:
    """Add a delta to what there is: texts are joined, lists matched by `index`, the rest replaced."""
    for key, new in delta.items():
        old = whole.get(key)
        if isinstance(new, str) and isinstance(old, str) and key not in _SAID_ONCE:
            whole[key] = old + new
        elif isinstance(new, dict) and isinstance(old, dict):
            merge_delta(old, new)
        elif isinstance(new, list):
            whole[key] = _merged_items(as_list(old), new)
        elif new is not None and not (key in _SAID_ONCE and old and not new):
            whole[key] = new
        else:
            whole.setdefault(key, new)


def _merged_items(items: list[object], deltas: list[object]) -> list[object]:
    merged = list(items)
    for delta in deltas:
        fields = as_object(delta)
        place = _place_of(merged, fields)
        if place is None:
            fresh: JsonObject = {}
            merge_delta(fresh, fields)
            merged.append(fresh if fields else delta)
        else:
            merge_delta(as_object(merged[place]), fields)
    return merged


def _place_of(items: list[object], delta: JsonObject) -> int | None:
    """Which item a delta belongs to; some backends leave `index` out and give an `id` with each new item."""
    if "index" in delta:
        places = [n for n, item in enumerate(items) if as_object(item).get("index") == delta["index"]]
        return places[0] if places else None
    if "function" in delta and items and delta.get("id") in (None, "", as_object(items[-1]).get("id")):
        return len(items) - 1
    return None


def _extended(old: object, new: object) -> object:
    """Log-probabilities so far and those of a chunk, list by list."""
    if not isinstance(new, dict):
        return old
    both = dict(as_object(old))
    for key, value in new.items():
        both[key] = as_list(both.get(key)) + value if isinstance(value, list) else both.get(key, value)
    return both


def _without_indexes(choice: JsonObject) -> JsonObject:
    message = dict(as_object(choice.get("message")))
    calls = [as_object(item) for item in as_list(message.get("tool_calls"))]
    if calls:
        calls.sort(key=lambda call: as_count(call.get("index")) or 0)
        message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in calls]
    return {**choice, "message": message}


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
