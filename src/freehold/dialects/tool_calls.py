"""Tool calls of an answer in the OpenAI manner: read in whatever shape they come, and put together out of a stream.

Not covered: the tools of the responses API (`openai_responses`), and whether a tool exists.
"""

from __future__ import annotations

from freehold.dialects.values import (
    JsonObject,
    as_count,
    as_list,
    as_object,
    as_text,
    dump_text,
    parse_anyhow,
    raw_text,
)
from freehold.model.exchange import ToolCall

_ARGUMENT_KEYS = ("arguments", "input", "parameters", "args")


def read_tool_calls(message: JsonObject) -> tuple[ToolCall, ...]:
    """The tool calls of a chat message; the old `function_call` is one, too."""
    calls = message.get("tool_calls")
    items = [calls] if isinstance(calls, dict) else as_list(calls)
    found = tuple(_tool_call(as_object(item)) for item in items if item)
    legacy = as_object(message.get("function_call"))
    return found if found or not legacy else (_tool_call({"function": legacy}),)


def _tool_call(item: JsonObject) -> ToolCall:
    function = as_object(item.get("function")) or as_object(item.get("custom")) or item
    given = next((function[key] for key in _ARGUMENT_KEYS if function.get(key) is not None), None)
    return ToolCall(as_text(item.get("id")), as_text(function.get("name")), arguments_text(given))


def arguments_text(arguments: object) -> str:
    """Arguments as the JSON text that they are; some backends send them as an object."""
    if isinstance(arguments, dict):
        return dump_text(arguments)
    if isinstance(arguments, list):
        return dump_text({"": arguments})[4:-1]
    return as_text(arguments)


def joined_tool_calls(calls: list[object], deltas: list[object]) -> list[object]:
    """Tool calls so far and the deltas of a chunk.

    A delta with an id of its own begins a call, also at an index that another call has; one without belongs to the
    newest call at its index, or to the newest of all where it has no index.
    """
    joined = [dict(as_object(call)) for call in calls]
    for delta in (_nested(as_object(item)) for item in deltas):
        if not delta:
            continue
        place = _place_of(joined, delta)
        if place is None:
            joined.append({})
            place = len(joined) - 1
        _take(joined[place], delta)
    return list(joined)


def _nested(delta: JsonObject) -> JsonObject:
    """A delta whose name and arguments stand in `function`, also where a backend leaves that out."""
    if "function" in delta or "custom" in delta or not {"name", *_ARGUMENT_KEYS} & delta.keys():
        return delta
    inner = {key: value for key, value in delta.items() if key in ("name", *_ARGUMENT_KEYS)}
    return {key: value for key, value in delta.items() if key not in inner} | {"function": inner}


def _place_of(calls: list[JsonObject], delta: JsonObject) -> int | None:
    call_id, index = as_text(delta.get("id")), as_count(delta.get("index"))
    if call_id:
        for place in reversed(range(len(calls))):
            if calls[place].get("id") == call_id and index in (None, as_count(calls[place].get("index"))):
                return None if _is_told_again(calls[place], delta) else place
    near = [n for n, call in enumerate(calls) if index is None or as_count(call.get("index")) == index]
    if not near:
        return None
    return None if _begins_anew(calls[near[-1]], delta) else near[-1]


def _begins_anew(call: JsonObject, delta: JsonObject) -> bool:
    """Whether a delta cannot be the continuation of a call: it names a function, and that call is named and told."""
    name, call_name = _function(delta).get("name"), _function(call).get("name")
    if not name or not call_name:
        return False
    if delta.get("id") and call.get("id") and delta["id"] != call["id"]:
        return True
    return name != call_name or _is_whole(_function(call).get("arguments"))


def _is_told_again(call: JsonObject, delta: JsonObject) -> bool:
    """Whether a delta of the same id is another call all the same: both have whole arguments."""
    new = _function(delta).get("arguments")
    is_beginning = isinstance(new, dict) or raw_text(new).lstrip().startswith("{")
    old = _function(call).get("arguments")
    return is_beginning and bool(_function(delta).get("name")) and old not in ({}, "{}") and _is_whole(old)


def _is_whole(arguments: object) -> bool:
    if isinstance(arguments, dict):
        return True
    text = raw_text(arguments).strip()
    return text.endswith("}") and (text == "{}" or bool(parse_anyhow(text)))


def _function(call: JsonObject) -> JsonObject:
    return as_object(call.get("function")) or as_object(call.get("custom"))


def _take(call: JsonObject, delta: JsonObject) -> None:
    """Add a delta to its call: what is said once stays as it was first said, arguments are joined."""
    for key, value in delta.items():
        if key in ("function", "custom") and isinstance(value, dict):
            call[key] = _joined_function(as_object(call.get(key)), value)
        elif value not in (None, "") and not call.get(key):
            call[key] = value
        else:
            call.setdefault(key, value)


def _joined_function(old: JsonObject, new: JsonObject) -> JsonObject:
    joined = dict(old)
    for key, value in new.items():
        if key in _ARGUMENT_KEYS:
            joined[key] = _joined_arguments(joined.get(key), value)
        elif value not in (None, "") and not joined.get(key):
            joined[key] = value
        else:
            joined.setdefault(key, value)
    return joined


def _joined_arguments(old: object, new: object) -> object:
    """Arguments so far and what is added; empty ones at the beginning only keep a place."""
    if new in (None, ""):
        return old if old is not None else new
    if old in (None, "", {}):
        return new
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **new}
    old_text, new_text = (value if isinstance(value, str) else arguments_text(value) for value in (old, new))
    return new_text if old_text == "{}" and new_text.lstrip().startswith("{") else old_text + new_text


def without_indexes(calls: list[object]) -> list[object]:
    """Finished tool calls in the order of their indexes, or as they came where these say nothing."""
    items = [as_object(call) for call in calls]
    indexes = [as_count(item.get("index")) for item in items]
    known = [index for index in indexes if index is not None]
    if len(known) == len(items):
        order = sorted(range(len(items)), key=lambda n: known[n])
        items = [items[n] for n in order]
    return [{key: value for key, value in item.items() if key != "index"} for item in items]
