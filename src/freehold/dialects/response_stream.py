"""Response events, put together into the response that they stand for.

The last event has the response, whole as a rule. Behind many gateways, and with `store: false`, its output is empty or
its items are: there the items that came before take their place.

Not covered: reading it (`openai_responses`).
"""

from __future__ import annotations

from freehold.dialects.failure import UNNAMED, failure_of
from freehold.dialects.values import JsonObject, as_count, as_list, as_object, as_text, raw_text

_LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_PARTS = {
    "output_text": ("content", "message", "output_text", "text"),
    "refusal": ("content", "message", "refusal", "refusal"),
    "reasoning_text": ("content", "reasoning", "reasoning_text", "text"),
    "reasoning": ("content", "reasoning", "reasoning_text", "text"),
    "reasoning_summary_text": ("summary", "reasoning", "summary_text", "text"),
    "reasoning_summary": ("summary", "reasoning", "summary_text", "text"),
}
"""Where the text of an event goes: the item's member, the item's type, the part's type, the part's member."""
_FIELDS = {
    "function_call_arguments": ("function_call", "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "input"),
    "mcp_call_arguments": ("mcp_call", "arguments"),
    "code_interpreter_call_code": ("code_interpreter_call", "code"),
}
"""Where the text of an event goes that belongs to a member of an item: the item's type, the member."""
_FILLED = frozenset({"content", "summary", "arguments", "input", "text", "refusal", "code"})
_MOST_PARTS = 256


class ResponseAssembly:
    """Response events into a response."""

    def __init__(self) -> None:
        self.is_ended = False
        self.error: str | None = None
        self._error_body: object = None
        self._response: JsonObject = {}
        self._items: dict[int, JsonObject] = {}
        self._places: dict[str, int] = {}

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
        if isinstance(data.get("response"), dict):
            self._response = as_object(data["response"])
        if kind in _LAST_EVENTS:
            self._end(kind)
        elif kind in ("error", "response.error") or (not kind and data.get("error")):
            self._error_body = data.get("error") or data
            self.error = failure_of(data) or UNNAMED
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._take_item(as_object(data.get("item")), data)
        elif kind in ("response.content_part.added", "response.content_part.done"):
            self._take_part("content", "content_index", data)
        elif kind in ("response.reasoning_summary_part.added", "response.reasoning_summary_part.done"):
            self._take_part("summary", "summary_index", data)
        elif kind.startswith("response."):
            what, _, how = kind.removeprefix("response.").rpartition(".")
            if how in ("delta", "done"):
                self._take_text(what, data, is_done=how == "done")

    def _end(self, kind: str) -> None:
        self.is_ended = True
        failure = failure_of(self._response) or (UNNAMED if kind == "response.failed" else None)
        self.error = failure or self.error

    def _place(self, data: JsonObject, item_id: str, kind: str) -> int:
        """The place of an event's item: what it says, or where the item of this id is, or the last of its type."""
        index = as_count(data.get("output_index"))
        if index is None and item_id:
            index = self._places.get(item_id)
        elif index is None:
            alike = [place for place, item in self._items.items() if item.get("type") == kind]
            index = max(alike, default=None)
        if index is None:
            index = max(self._items, default=-1) + 1
        if item_id:
            self._places[item_id] = index
        return index

    def _take_item(self, item: JsonObject, data: JsonObject) -> None:
        item_id, kind = as_text(item.get("id")), as_text(item.get("type"))
        is_new = as_text(data.get("type")).endswith(".added") and not item_id and data.get("output_index") is None
        index = max(self._items, default=-1) + 1 if is_new else self._place(data, item_id, kind)
        before = self._items.get(index, {})
        self._items[index] = _filled(item, before) if before.get("type") == kind else dict(item)

    def _item(self, data: JsonObject, kind: str) -> JsonObject:
        fresh: JsonObject = {"type": kind, "role": "assistant"} if kind == "message" else {"type": kind}
        return self._items.setdefault(self._place(data, as_text(data.get("item_id")), kind), fresh)

    def _take_part(self, member: str, index_key: str, data: JsonObject) -> None:
        part = as_object(data.get("part"))
        item = self._item(data, "reasoning" if member == "summary" else "message")
        parts = as_list(item.get(member))
        place = as_count(data.get(index_key))
        parts, place = _padded(parts, len(parts) if place is None else place, {"type": part.get("type")})
        parts[place] = _filled(part, as_object(parts[place]))
        item[member] = parts

    def _take_text(self, what: str, data: JsonObject, *, is_done: bool) -> None:
        """Add a delta, or put the whole text in place of what the deltas gave."""
        if what in _FIELDS:
            kind, member = _FIELDS[what]
            item = self._item(data, kind)
            whole = data.get(member) if is_done else data.get("delta")
            item[member] = _told(item.get(member), whole, is_done=is_done)
        elif what in _PARTS:
            member, kind, part_type, key = _PARTS[what]
            item = self._item(data, kind)
            place = as_count(data.get("summary_index" if member == "summary" else "content_index")) or 0
            parts, place = _padded(as_list(item.get(member)), place, {"type": part_type, key: ""})
            part = dict(as_object(parts[place]))
            part[key] = _told(part.get(key), data.get(key) if is_done else data.get("delta"), is_done=is_done)
            parts[place] = part
            item[member] = parts

    def body(self) -> JsonObject:
        """The response so far; items without content are those that came before."""
        came = [self._items[index] for index in sorted(self._items)]
        output = as_list(self._response.get("output"))
        body = self._response
        if not output and came:
            body = {**body, "output": came}
        elif output and self._items:
            body = {**body, "output": [self._whole(n, as_object(item)) for n, item in enumerate(output)]}
        elif not self.is_ended:
            body = {**body, "output": came}
        return body if self._error_body is None or body.get("error") else {**body, "error": self._error_body}

    def _whole(self, place: int, item: JsonObject) -> JsonObject:
        """An item of the last event, filled with what came before where it is empty."""
        index = self._places.get(as_text(item.get("id")), place)
        before = self._items.get(index, {})
        return _filled(item, before) if before.get("type") == item.get("type") else item


def _padded(parts: list[object], place: int, filler: JsonObject) -> tuple[list[object], int]:
    """Parts with one at `place`, and where that is: a stream may leave some out, but not any number of them."""
    padded = list(parts)
    while len(padded) <= place and len(padded) < _MOST_PARTS:
        padded.append(dict(filler))
    return padded, min(place, len(padded) - 1)


def _told(old: object, new: object, *, is_done: bool) -> object:
    if not isinstance(new, str):
        return old if old is not None else ""
    return (new or raw_text(old)) if is_done else raw_text(old) + new


def _filled(item: JsonObject, before: JsonObject) -> JsonObject:
    """An item or part with what stood there before in place of what is empty now."""
    kept = {key: value for key, value in before.items() if value not in (None, "", [], {}) and not item.get(key)}
    return {**item, **{key: value for key, value in kept.items() if key in _FILLED}}
