"""What a dialect has to be able to do, and the values that its renderers take.

Not covered: the dialects themselves; each has a module of its own beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from freehold.dialects.values import JsonObject
from freehold.model.exchange import Answer, Asked, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAnswer:
    """An answer produced here, ready to be put into a dialect; `created` is Unix seconds."""

    id: str
    model: str
    text: str
    usage: Usage
    created: int

    @property
    def bare_id(self) -> str:
        """The id without hyphens, as providers write theirs."""
        return self.id.replace("-", "")

    @property
    def input_tokens(self) -> int:
        """Input tokens, 0 where unknown."""
        return self.usage.input_tokens or 0

    @property
    def output_tokens(self) -> int:
        """Output tokens, 0 where unknown."""
        return self.usage.output_tokens or 0

    def pieces(self, size: int = 24) -> Iterator[str]:
        """The text in pieces for a stream."""
        for start in range(0, len(self.text), size):
            yield self.text[start : start + size]


class Assembly(Protocol):
    """Builds the body of a whole response out of the events of a stream."""

    @property
    def is_ended(self) -> bool:
        """The event that ends a stream of this dialect has come."""

    @property
    def is_complete(self) -> bool:
        """Nothing that matters can follow."""

    @property
    def error(self) -> str | None:
        """What an error event said."""

    def add(self, name: str, data: JsonObject) -> None:
        """Take one event."""

    def end(self) -> None:
        """Take the `[DONE]` mark."""

    def body(self) -> JsonObject:
        """The response so far, as one JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One dialect's functions; `static_keys` are the top-level members that hold shared text.

    `paths` are where the dialect of another package is spoken, as a client asks for them: `/v2/generate`.
    """

    read_request: Callable[[JsonObject], Asked]
    read_answer: Callable[[JsonObject], Answer]
    assembly: Callable[[], Assembly] | None = None
    render: Callable[[LocalAnswer], JsonObject] | None = None
    render_events: Callable[[LocalAnswer, bool], Iterator[bytes]] | None = None
    static_keys: frozenset[str] = frozenset()
    message_key: str = ""
    paths: tuple[str, ...] = ()
