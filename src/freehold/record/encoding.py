"""Content encodings: bodies pass encoded and are recorded decoded.

gzip and deflate are always there; brotli (`br`) and `zstd` when a package for them is installed. What the record could
not read is taken out of the client's `accept-encoding`, so that no exchange is lost to it. Decoding never takes more
memory than was allowed: a small body that unpacks into gigabytes is refused, and the record keeps it as it came.

Not covered: encoding.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Protocol

_PACKAGES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd")}
_PIECE_BYTES = 2**14
_GZIP_WBITS, _ZLIB_WBITS, _RAW_WBITS = 31, 15, -15


class DecodeError(ValueError):
    """Bytes that are not what their content-encoding says, or more than was allowed."""


class Decoder(Protocol):
    """Turns encoded bytes into at most `most` decoded ones; DecodeError when they are broken or more."""

    def feed(self, chunk: bytes, most: int) -> bytes:
        """Decode the next bytes."""


class _Zlib:
    """gzip (several members, too) and deflate (with or without its zlib header)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner = zlib.decompressobj(wbits)
        self._is_fresh = True

    def feed(self, chunk: bytes, most: int) -> bytes:
        decoded = bytearray()
        while chunk:
            if self._inner.eof:
                self._inner = zlib.decompressobj(self._wbits)
            decoded += self._decompress(chunk, most + 1 - len(decoded))
            if len(decoded) > most:
                raise DecodeError(f"more than {most} bytes")
            chunk = self._inner.unused_data
        return bytes(decoded)

    def _decompress(self, chunk: bytes, most: int) -> bytes:
        try:
            decoded = self._inner.decompress(chunk, most)
        except zlib.error as error:
            if not self._is_fresh or self._wbits != _ZLIB_WBITS:
                raise DecodeError(str(error)) from error
            self._wbits, self._is_fresh = _RAW_WBITS, False
            self._inner = zlib.decompressobj(_RAW_WBITS)
            return self._decompress(chunk, most)
        self._is_fresh = False
        return decoded


class _Packaged:
    """brotli and zstd, through whichever package is there."""

    def __init__(self, decompress: Callable[[bytes, int], bytes]) -> None:
        self._decompress = decompress

    def feed(self, chunk: bytes, most: int) -> bytes:
        try:
            decoded = self._decompress(chunk, most + 1)
        except Exception as error:  # every package has an error class of its own
            raise DecodeError(str(error)) from error
        if len(decoded) > most:
            raise DecodeError(f"more than {most} bytes")
        return decoded


def decode_body(content_encoding: str, body: bytes, *, limit_bytes: int) -> bytes | None:
    """A whole body decoded; None when it cannot be, or when that would be more than `limit_bytes`."""
    decoders = _decoders(content_encoding)
    if not decoders:
        return None if decoders is None or len(body) > limit_bytes else body
    decoded = bytearray()
    for start in range(0, len(body), _PIECE_BYTES):
        piece = body[start : start + _PIECE_BYTES]
        try:
            for decoder in decoders:
                piece = decoder.feed(piece, limit_bytes - len(decoded))
        except DecodeError:
            return None
        decoded += piece
    return bytes(decoded)


def readable_encodings(accept_encoding: str) -> str:
    """An `accept-encoding` header without the codings that the record could not read; often the same text."""
    offered = accept_encoding.split(",")
    kept = [item for item in offered if _is_readable(item.partition(";")[0].strip().lower())]
    if len(kept) == len(offered):
        return accept_encoding
    return ",".join(kept).strip() or "identity"


def _is_readable(coding: str) -> bool:
    return coding in ("", "identity", "gzip", "x-gzip", "deflate") or _decoder(coding) is not None


def _decoders(content_encoding: str) -> list[Decoder] | None:
    """The decoders of a `content-encoding` header, in the order of use; None when one of its codings has none."""
    names = [name for coding in content_encoding.lower().split(",") if (name := coding.strip())]
    decoders = [_decoder(name) for name in reversed(names) if name != "identity"]
    known = [decoder for decoder in decoders if decoder is not None]
    return known if len(known) == len(decoders) else None


def _decoder(name: str) -> Decoder | None:
    if name in ("gzip", "x-gzip"):
        return _Zlib(_GZIP_WBITS)
    if name == "deflate":
        return _Zlib(_ZLIB_WBITS)
    for package in _PACKAGES.get(name, ()):
        try:
            module = importlib.import_module(package)
        except ImportError:
            continue
        if name == "zstd":
            return _Packaged(module.ZstdDecompressor().decompress)
        if hasattr(module.Decompressor, "can_accept_more_data"):  # older ones cannot bound what comes out
            return _Packaged(_bounded(module.Decompressor().process))
    return None


def _bounded(process: Callable[..., bytes]) -> Callable[[bytes, int], bytes]:
    return lambda chunk, most: process(chunk, output_buffer_limit=most)
