"""Chat completion chunks, put together into the chat completion that they stand for.

Not covered: reading it (`openai_chat`).
"""

from __future__ import annotations

from freehold.dialects.choices import ChoicesAssembly, is_finished, latest
from freehold.dialects.parts import joined_content
from freehold.dialects.tool_calls import joined_tool_calls, without_indexes
from freehold.dialects.values import JsonObject, as_count, as_list, as_object, raw_text

_SAID_ONCE = frozenset({"id", "type", "role", "name", "format", "signature"})


class ChatAssembly(ChoicesAssembly):
    """Chat completion chunks into a chat completion."""

    kept_out = frozenset({"choices", "usage", "object", "obfuscation", "error"})

    def __init__(self) -> None:
        super().__init__()
        self._usage: object = None

    def add(self, name: str, data: JsonObject) -> None:
        """Take one chunk."""
        super().add(name, data)
        self._usage = data.get("usage") or self._usage

    def _add_choice(self, chunk: JsonObject) -> None:
        index = as_count(chunk.get("index")) or 0
        delta = as_object(chunk.get("delta")) or as_object(chunk.get("message"))
        if index not in self._choices and not delta and "delta" not in chunk and not chunk.get("finish_reason"):
            return  # results of a content filter for a choice that never comes
        fresh: JsonObject = {"index": index, "message": {"role": "assistant", "content": None}, "logprobs": None}
        choice = self._choices.setdefault(index, {**fresh, "finish_reason": None})
        merge_delta(as_object(choice["message"]), delta)
        for key, value in chunk.items():
            if key == "logprobs":
                choice[key] = _extended(choice[key], value)
            elif key == "finish_reason":
                choice[key] = value if is_finished(value) else choice[key]
            elif key not in ("index", "delta", "message"):
                choice[key] = latest(choice.get(key), value)

    def body(self) -> JsonObject:
        """The chat completion so far."""
        body: JsonObject = {**super().body(), "object": "chat.completion"}
        return body if self._usage is None else {**body, "usage": self._usage}

    def _finished(self, choice: JsonObject) -> JsonObject:
        message = dict(as_object(choice.get("message")))
        if calls := as_list(message.get("tool_calls")):
            message["tool_calls"] = without_indexes(calls)
        return {**choice, "message": message}


def merge_delta(whole: JsonObject, delta: JsonObject) -> None:
    """Add a delta to what there is: texts are joined, lists matched by `index`, the rest replaced."""
    for key, new in delta.items():
        old = whole.get(key)
        if key in ("content", "reasoning_content", "reasoning"):
            whole[key] = joined_content(old, new)
        elif key == "tool_calls":
            whole[key] = joined_tool_calls(as_list(old), [new] if isinstance(new, dict) else as_list(new))
        elif isinstance(new, str) and isinstance(old, str) and key not in _SAID_ONCE:
            whole[key] = raw_text(old) + new
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
        places = [n for n, item in enumerate(merged) if as_object(item).get("index") == fields.get("index")]
        if "index" in fields and places:
            merge_delta(as_object(merged[places[0]]), fields)
        else:
            fresh: JsonObject = {}
            merge_delta(fresh, fields)
            merged.append(fresh if fields else delta)
    return merged


def _extended(old: object, new: object) -> object:
    """Log-probabilities so far and those of a chunk, list by list."""
    if not isinstance(new, dict):
        return old
    both = dict(as_object(old))
    for key, value in new.items():
        both[key] = as_list(both.get(key)) + value if isinstance(value, list) else both.get(key, value)
    return both
