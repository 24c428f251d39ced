"""A response, kept as it passes: decoded, and assembled when it is a stream.

Not covered: holding the bytes up. The capture sees a copy; what it cannot decode it keeps as it came.
"""

from __future__ import annotations

from freehold.core.call import Dialect
from freehold.core.dialects import StreamAssembler
from freehold.record.encoding import DecodeError, Decoder, decoder_for


class ResponseCapture:
    """Feed it the body of a response; `body()` is what the record keeps.

    A body larger than `limit_bytes` is not kept at all, and `note` says so: the record never holds half a body.
    """

    def __init__(self, dialect: Dialect, *, is_stream: bool, content_encoding: str, limit_bytes: int) -> None:
        self.note: dict[str, str] = {}
        self.is_stream = is_stream
        self._encoding = content_encoding
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._decoder: Decoder | None = decoder_for(content_encoding) if content_encoding else None
        self._assembler = StreamAssembler(dialect) if is_stream else None
        self._chunks: list[bytes] = []
        if content_encoding and self._decoder is None:
            self._give_up_decoding()

    @property
    def is_ended(self) -> bool:
        """The last event of a stream has come; never holds for what is not a stream."""
        return self._assembler is not None and self._assembler.is_ended

    @property
    def closing_bytes(self) -> int:
        """How many of the last bytes may not go to the client before the call is durable: the closing event's."""
        if self._assembler is None:
            return 0
        return self._size_bytes if self._decoder else self._assembler.closing_bytes

    @property
    def is_complete(self) -> bool:
        """Nothing that matters is missing, as far as the content tells."""
        return self._assembler is None or self._assembler.is_complete

    @property
    def error(self) -> str | None:
        """What an error event of a stream said."""
        return self._assembler.error if self._assembler else None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._size_bytes += len(chunk)
        if self._size_bytes > self._limit_bytes:
            self._drop()
            return
        self._chunks.append(chunk)
        if self._assembler is None:
            return
        try:
            self._assembler.feed(self._decoder.feed(chunk) if self._decoder else chunk)
        except DecodeError:
            self._give_up_decoding()

    def finish(self) -> None:
        """Take the end of the body."""
        if self._assembler:
            self._assembler.finish()

    def body(self) -> bytes:
        """What the record keeps of the body; to be asked for once, at the end."""
        if self._assembler:
            return self._assembler.body()
        raw = b"".join(self._chunks)
        try:
            return self._decoder.feed(raw) if self._decoder else raw
        except DecodeError:
            self._give_up_decoding()
            return raw

    def _give_up_decoding(self) -> None:
        self.note["response_encoding"] = self._encoding
        self._decoder = None
        self._assembler = None

    def _drop(self) -> None:
        self.note["response_not_kept"] = f"more than {self._limit_bytes} bytes"
        self._decoder = None
        self._assembler = None
        self._chunks.clear()
