"""Message events, put together into the message that they stand for.

The first event counts output tokens before there are any: where the stream breaks off before it says better, that count
is left out.

Not covered: reading the message (`anthropic_messages`).
"""

from __future__ import annotations

from freehold.dialects.choices import is_finished
from freehold.dialects.failure import UNNAMED, failure_of
from freehold.dialects.values import JsonObject, as_count, as_list, as_object, as_text, parse_anyhow, raw_text

_JOINED = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


class MessageAssembly:
    """Message events into a message."""

    def __init__(self) -> None:
        self.is_ended = False
        self.error: str | None = None
        self._error_body: object = None
        self._message: JsonObject = {}
        self._blocks: dict[int, JsonObject] = {}
        self._inputs: dict[int, str] = {}
        self._is_counted = False

    @property
    def is_complete(self) -> bool:
        """`message_stop` has come, or why the message stopped has been said."""
        return self.is_ended or is_finished(self._message.get("stop_reason"))

    def end(self) -> None:
        """A `[DONE]` mark is not part of this dialect; some backends send it all the same."""
        self.is_ended = True

    def add(self, name: str, data: JsonObject) -> None:
        """Take one event."""
        match data.get("type") or name:
            case "message_start":
                self._message = {**as_object(data.get("message")), "stop_reason": None}  # it has only begun
            case "content_block_start":
                index = as_count(data.get("index"))
                place = len(self._blocks) if index is None else index
                self._blocks[place] = dict(as_object(data.get("content_block")))
            case "content_block_delta":
                self._add_delta(as_count(data.get("index")), as_object(data.get("delta")))
            case "message_delta":
                self._message.update(as_object(data.get("delta")))
                said = {key: value for key, value in as_object(data.get("usage")).items() if value is not None}
                self._message["usage"] = {**as_object(self._message.get("usage")), **said}
                self._is_counted = self._is_counted or "output_tokens" in said
            case "message_stop":
                self.is_ended = True
            case "error":
                self.error, self._error_body = failure_of(data) or UNNAMED, data.get("error") or data
            case _ if data.get("error"):
                self.error, self._error_body = failure_of(data), data["error"]
            case _:
                pass

    def _add_delta(self, index: int | None, delta: JsonObject) -> None:
        place = max(self._blocks, default=0) if index is None else index
        kind = as_text(delta.get("type"))
        fresh: JsonObject = {"type": "text", "text": ""}
        if kind == "thinking_delta":
            fresh = {"type": "thinking", "thinking": ""}
        block = self._blocks.setdefault(place, fresh)
        if kind == "input_json_delta":
            self._inputs[place] = self._inputs.get(place, "") + raw_text(delta.get("partial_json"))
        elif kind == "citations_delta":
            block["citations"] = [*as_list(block.get("citations")), delta.get("citation")]
        elif kind in _JOINED:
            key = _JOINED[kind]
            block[key] = raw_text(block.get(key)) + raw_text(delta.get(key))
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
        body: JsonObject = {**self._message, "content": blocks}
        if "usage" in body and not self._is_counted and not self.is_complete:
            body["usage"] = {key: value for key, value in as_object(body["usage"]).items() if key != "output_tokens"}
        return body if self._error_body is None else {**body, "error": self._error_body}
