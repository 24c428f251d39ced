"""A streamed response, assembled as it passes.

Not covered: forwarding. The assembler reads a copy of the bytes and never holds them up.
"""

from __future__ import annotations

from freehold.dialects.failure import UNNAMED, failure_of
from freehold.dialects.form import Assembly
from freehold.dialects.sse import DONE, SseEvent, SseParser
from freehold.dialects.values import dump, parse_anyhow


class StreamAssembler:
    """Feed it the bytes of a stream; `body()` is the response so far.

    A stream of an unknown dialect, or one that holds no event of its dialect, is kept as its bytes.
    """

    def __init__(self, assembly: Assembly | None) -> None:
        self._assembly = assembly
        self._parser = SseParser()
        self._raw: list[bytes] = []
        self._is_done = False
        self._is_recognised = False
        self._is_odd = False
        self._error: str | None = None
        self._closing_bytes = 0

    @property
    def is_ended(self) -> bool:
        """The event that ends a stream of this dialect has come."""
        return self._is_done or (self._assembly is not None and self._assembly.is_ended)

    @property
    def is_complete(self) -> bool:
        """Nothing that matters can follow; an unknown stream never lacks anything that we know of."""
        return self._assembly is None or self._is_done or self._assembly.is_complete

    @property
    def error(self) -> str | None:
        """What an error event said, if there was one."""
        return (self._assembly.error if self._assembly else None) or self._error

    @property
    def closing_bytes(self) -> int:
        """How many of the bytes that were fed belong to the event that ends the stream, or came after it."""
        return self._closing_bytes + len(self._parser.rest) if self.is_ended else 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take the next bytes; returns the events that became whole with them."""
        self._raw.append(chunk)
        events = self._parser.feed(chunk)
        for event in events:
            self._add(event)
            self._closing_bytes += len(event.raw) if self.is_ended else 0
        return events

    def finish(self) -> None:
        """Take the end of the stream: a last event may lack its empty line."""
        for event in self._parser.feed(b"\n\n"):
            self._add(event)

    def _add(self, event: SseEvent) -> None:
        if event.data == DONE:
            self._is_done = True
            if self._assembly:
                self._assembly.end()
            return
        data = parse_anyhow(event.data) if event.data and self._assembly else {}
        if not data and self._assembly:
            self._error = _bare_error(event) or self._error
        if data and self._assembly and not self._is_odd:
            self._is_recognised = True
            try:
                self._assembly.add(event.name, data)
            except RecursionError:
                self._is_odd = True  # nested beyond reason: the bytes are kept instead

    def body(self) -> bytes:
        """The JSON that the same request without `stream` would have had, as far as it has come."""
        if self._assembly is None or self._is_odd or not self._is_recognised:
            return b"".join(self._raw)
        return dump(self._assembly.body())


def _bare_error(event: SseEvent) -> str | None:
    """An error that is no event of a dialect: an `error` event with bare words, or a line of JSON without `data:`."""
    if event.name == "error":
        return event.data.strip() or UNNAMED
    line = event.raw.strip()
    return failure_of(parse_anyhow(line)) if not event.data and line.startswith(b"{") else None
