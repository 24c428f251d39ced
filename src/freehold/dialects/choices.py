"""Chunks with choices, put together: what the streams of chat completions and of completions have in common.

Not covered: what a choice is made of (`chat_stream`, `openai_completions`).
"""

from __future__ import annotations

from freehold.dialects.endings import ending_of
from freehold.dialects.failure import UNNAMED, failure_of
from freehold.dialects.values import JsonObject, as_list, as_object, as_text


class ChoicesAssembly:
    """Chunks into one body; a subclass puts the choices together, and names the `kept_out` fields of a chunk."""

    kept_out = frozenset({"choices", "error"})

    def __init__(self) -> None:
        self.is_ended = False
        self.error: str | None = None
        self._error_body: object = None
        self._top: JsonObject = {}
        self._choices: dict[int, JsonObject] = {}

    @property
    def is_complete(self) -> bool:
        """`[DONE]` has come, or every choice has its finish reason."""
        finished = [is_finished(choice.get("finish_reason")) for choice in self._choices.values()]
        return self.is_ended or (bool(finished) and all(finished))

    def end(self) -> None:
        """Take the `[DONE]` mark."""
        self.is_ended = True

    def add(self, name: str, data: JsonObject) -> None:
        """Take one chunk."""
        failure = failure_of(data) or (UNNAMED if name == "error" else None)
        if failure:
            self.error, self._error_body = failure, data.get("error") or data
        for key, value in data.items():
            if key not in self.kept_out:
                self._top[key] = latest(self._top.get(key), value)
        for item in as_list(data.get("choices")):
            self._add_choice(as_object(item))

    def body(self) -> JsonObject:
        """The body so far."""
        choices = [self._finished(self._choices[index]) for index in sorted(self._choices)]
        body: JsonObject = {**self._top, "choices": choices}
        return body if self._error_body is None else {**body, "error": self._error_body}

    def _add_choice(self, chunk: JsonObject) -> None:
        raise NotImplementedError

    def _finished(self, choice: JsonObject) -> JsonObject:
        """A choice as the body has it."""
        return choice


def is_finished(finish_reason: object) -> bool:
    """Whether a chunk's finish reason says that the answer has ended; backends also send an empty one, or "null"."""
    return ending_of(as_text(finish_reason)) != "none"


def latest(old: object, new: object) -> object:
    """The newer of two values, unless it says nothing: Azure's filter chunks have an empty id and model."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **new}
    return old if old and not new else new
