"""Entries: how an exchange lies in a segment of the journal.

    mark (8 bytes)   length of the payload (4)   crc32 of all but itself (4)   payload (MessagePack)

The mark is derived from the writer's random name, so that no body that a client sends can pass for an entry where a
damaged file has to be searched for the next whole one. Payloads are maps with names: a later version reads an earlier
one's entries, and the other way round where it can.

Not covered: files (`record.journal` writes them, `record.segments` reads them).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from freehold.record.read import Exchange

HEAD = struct.Struct("<8sII")
"""Mark, length, checksum."""
_MARK_BYTES = 8
_ENCODER = msgspec.msgpack.Encoder(enc_hook=dict)
_DECODER = msgspec.msgpack.Decoder(Exchange)


class UnreadableError(ValueError):
    """A whole entry that is no exchange to this version of Freehold."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a segment: an entry's `payload`, or None for bytes that are no entry.

    `is_torn`: the stretch is the beginning of an entry whose rest was never written.
    """

    start: int
    end: int
    payload: bytes | None
    is_torn: bool = False


def mark_of(writer: str) -> bytes:
    """The mark of the entries of the writer of this name."""
    return hashlib.blake2b(writer.encode(), digest_size=_MARK_BYTES).digest()


def write_entry(buffer: bytearray, mark: bytes, exchange: Exchange) -> None:
    """Make `buffer` hold the entry of an exchange, and nothing else."""
    try:
        _ENCODER.encode_into(exchange, buffer, HEAD.size)
    except UnicodeEncodeError:
        _ENCODER.encode_into(_encodable(exchange), buffer, HEAD.size)
    HEAD.pack_into(buffer, 0, mark, len(buffer) - HEAD.size, 0)
    HEAD.pack_into(buffer, 0, mark, len(buffer) - HEAD.size, zlib.crc32(buffer))


def read_payload(payload: bytes) -> Exchange:
    """The exchange in a payload; UnreadableError says why there is none."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


def split(data: bytes, mark: bytes, *, is_final: bool) -> Iterator[Piece]:
    """The pieces of a segment's bytes, in order and without gaps; the first byte of `data` begins a piece.

    Bytes that are no entry end where the next whole one begins. At the end they are a piece only if `is_final`:
    otherwise their rest may still be written.
    """
    start = 0
    while start < len(data):
        end = end_of_entry(data, start, mark)
        if end is not None:
            yield Piece(start, end, data[start + HEAD.size : end])
            start = end
            continue
        following = _next_entry(data, start, mark)
        if following is None:
            if is_final:
                yield Piece(start, len(data), None, is_torn=_is_beginning(data, start, mark))
            return
        yield Piece(start, following, None)
        start = following


def declared_bytes(data: bytes, mark: bytes) -> int:
    """How long the entry at the beginning of `data` says that it is; 0 when there is no beginning of one."""
    if len(data) < HEAD.size or not data.startswith(mark):
        return 0
    return HEAD.size + int(HEAD.unpack_from(data)[1])


def end_of_entry(data: bytes, start: int, mark: bytes) -> int | None:
    """Where the whole entry that begins at `start` ends; None when there is none."""
    if len(data) - start < HEAD.size:
        return None
    found, length, checksum = HEAD.unpack_from(data, start)
    end: int = start + HEAD.size + length
    if found != mark or end > len(data):
        return None
    payload = memoryview(data)[start + HEAD.size : end]
    return end if zlib.crc32(payload, zlib.crc32(HEAD.pack(mark, length, 0))) == checksum else None


def _next_entry(data: bytes, start: int, mark: bytes) -> int | None:
    found = data.find(mark, start + 1)
    while found >= 0 and end_of_entry(data, found, mark) is None:
        found = data.find(mark, found + 1)
    return found if found >= 0 else None


def _is_beginning(data: bytes, start: int, mark: bytes) -> bool:
    """Whether the bytes from `start` on are an entry as far as they go, and end too early."""
    if len(data) - start < HEAD.size:
        return mark.startswith(data[start : start + _MARK_BYTES])
    found, length, _ = HEAD.unpack_from(data, start)
    return bool(found == mark and start + HEAD.size + length > len(data))


def _encodable(exchange: Exchange) -> Exchange:
    """The exchange with question marks for lone surrogates, which no encoding takes."""
    request, decision, response = exchange.request, exchange.decision, exchange.response
    return Exchange(
        replace(
            request,
            method=_text(request.method),
            path=_text(request.path),
            content_encoding=_text(request.content_encoding),
            tags=_texts(request.tags),
            user_key=_text_or_none(request.user_key),
            session_key=_text_or_none(request.session_key),
        ),
        replace(
            decision,
            tags=_texts(decision.tags),
            task_key=_text_or_none(decision.task_key),
            coins=replace(
                decision.coins,
                owned=_text_or_none(decision.coins.owned),
                engine=_text_or_none(decision.coins.engine),
                slice=_text_or_none(decision.coins.slice),
            ),
        ),
        replace(
            response,
            content_encoding=_text(response.content_encoding),
            error=_text_or_none(response.error),
            note=_texts(response.note),
        ),
    )


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in texts.items()}


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _text_or_none(text: str | None) -> str | None:
    return None if text is None else _text(text)
