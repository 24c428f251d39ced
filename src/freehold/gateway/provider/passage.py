"""The body of one response on its way to the client: what may pass now, what is held back, what the record keeps.

A response that was asked as a stream and begins like one is passed on as one, whatever its content type says.

Not covered: reading from the provider and writing to the client (`gateway.provider.exchange`).
"""

from __future__ import annotations

from freehold.dialects import StreamAssembler
from freehold.dialects.sse import begins_as_stream
from freehold.gateway.provider.edits import UsageStrip
from freehold.gateway.provider.stream_end import ClosingScan
from freehold.model.call import Dialect
from freehold.record import decode_body

_LOOKED_AT_BYTES, _LARGEST_START_BYTES = 512, 2**20
_TAIL_BYTES = 2**16


class Passage:
    """`is_stream` is None until the first bytes tell; `is_ended` holds once the closing event of a stream is whole."""

    __slots__ = (
        "_dialect",
        "_kept",
        "_kept_bytes",
        "_limit_bytes",
        "_scan",
        "_start",
        "_strip",
        "encoding",
        "is_stream",
        "note",
    )

    def __init__(
        self,
        dialect: Dialect,
        *,
        encoding: str,
        is_stream: bool,
        may_be_stream: bool,
        limit_bytes: int,
        strip: UsageStrip | None,
    ) -> None:
        self.is_stream: bool | None = is_stream or (None if may_be_stream else False)
        self.encoding = encoding
        self.note: dict[str, str] = {}
        self._dialect = dialect
        self._limit_bytes = limit_bytes
        self._strip = None if encoding or not (is_stream or may_be_stream) else strip
        self._scan = ClosingScan(dialect) if is_stream else None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._start = b""

    @property
    def is_edited(self) -> bool:
        """Whether something may be taken out of it."""
        return self._strip is not None

    @property
    def is_ended(self) -> bool:
        """The closing event has come."""
        return self._scan is not None and self._scan.is_ended

    @property
    def held(self) -> bytes:
        """The closing event, as far as it has come."""
        return self._scan.held if self._scan is not None else b""

    @property
    def kept(self) -> bytes:
        """What the record keeps: all that came, or nothing of a body that is too large."""
        if len(self._kept) > 1:
            self._kept = [b"".join(self._kept)]
        return self._kept[0] if self._kept else b""

    @property
    def tells_failure(self) -> bool:
        """Whether the end of what came of a stream is an error of the provider's."""
        tail = self.kept[-_TAIL_BYTES:]
        if not self.is_stream or self.encoding or b"error" not in tail:
            return False
        assembler = StreamAssembler(self._dialect)
        assembler.feed(tail)
        assembler.finish()
        return assembler.error is not None

    def keep(self, chunk: bytes) -> None:
        """Keep bytes for the record."""
        self._kept_bytes += len(chunk)
        if self._kept_bytes <= self._limit_bytes:
            self._kept.append(chunk)
        elif self._kept or not self.note:
            self._kept.clear()
            self.note["response_not_kept"] = f"more than {self._limit_bytes} bytes"

    def replace(self, body: bytes) -> None:
        """Put another body in place of the whole one that came; it is not encoded."""
        self._kept, self.encoding = [body], ""

    def take(self, chunk: bytes) -> bytes:
        """Take bytes that came; returns those that may go to the client now."""
        self.keep(chunk)
        if self.is_stream is None:
            chunk = self._look(chunk)
        if self._strip is not None and chunk:
            chunk = self._strip.feed(chunk)
        if self._scan is None or self.encoding:
            return chunk
        return self._scan.feed(chunk)

    def rest(self) -> bytes:
        """What is still held at the end of the body."""
        start, self._start = self._start, b""
        if self.is_stream is None:
            self.is_stream, self._strip = False, None
        rest = start + (self._strip.finish() if self._strip is not None else b"")
        if self._scan is None or self.encoding:
            return rest
        return self._scan.feed(rest) + self._scan.held

    def trailing(self, chunk: bytes) -> bytes:
        """What of the bytes after the closing event goes to the client."""
        return self._strip.feed(chunk) if self._strip is not None else chunk

    def finish(self) -> bytes:
        """What is left after them."""
        return self._strip.finish() if self._strip is not None else b""

    def _look(self, chunk: bytes) -> bytes:
        """Decide by the first bytes whether this is a stream; returns what of them may pass.

        The beginning of a mark waits for its rest. Space passes: providers send it to keep a connection open.
        """
        self._start += chunk
        plain: bytes | None = self._start
        if self.encoding:
            plain = decode_body(self.encoding, self.kept[:_LOOKED_AT_BYTES], limit_bytes=_LARGEST_START_BYTES)
        found = begins_as_stream(plain) if plain is not None else False
        if found is None and not self.encoding and self._start.strip():
            return b""
        if found is not None:
            self.is_stream = found
            self._scan = ClosingScan(self._dialect) if found else None
            self._strip = self._strip if found else None
        passing, self._start = self._start, b""
        return passing
