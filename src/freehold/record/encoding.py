"""Content encodings: bodies pass encoded and are recorded decoded.

gzip and deflate come with Python, brotli (`br`) and `zstd` with packages that are installed with Freehold. What the
record could not read is taken out of the client's `accept-encoding`, so that no exchange is lost to it. Decoding never
takes more memory than was allowed: a small body that unpacks into gigabytes is refused, and the record keeps it as it
came. A body with a wrong label is known by its first bytes.

Not covered: encoding.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

_PACKAGES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd")}
_INSTALLED_BY = {"br": "brotli", "zstd": "backports.zstd"}
_BEGINNINGS = ((b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_LARGEST_ZSTD_WINDOW = 23
"""Its logarithm: 8 MiB, the most that HTTP allows (RFC 9659)."""
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


class _Brotli:
    """brotli, through whichever package is there."""

    def __init__(self, process: Callable[..., bytes]) -> None:
        self._process = process

    def feed(self, chunk: bytes, most: int) -> bytes:
        try:
            decoded = self._process(chunk, output_buffer_limit=most + 1)
        except Exception as error:  # every package has an error class of its own
            raise DecodeError(str(error)) from error
        if len(decoded) > most:
            raise DecodeError(f"more than {most} bytes")
        return decoded


class _Zstd:
    """zstd, several frames, too."""

    def __init__(self, fresh: Callable[[], Any]) -> None:
        self._fresh = fresh
        self._inner = fresh()

    def feed(self, chunk: bytes, most: int) -> bytes:
        decoded = bytearray()
        while chunk:
            if self._inner.eof:
                self._inner = self._fresh()
            try:
                decoded += self._inner.decompress(chunk, most + 1 - len(decoded))
            except Exception as error:
                raise DecodeError(str(error)) from error
            if len(decoded) > most:
                raise DecodeError(f"more than {most} bytes")
            chunk = self._inner.unused_data if self._inner.eof else b""
        return bytes(decoded)


def decode_body(content_encoding: str, body: bytes, *, limit_bytes: int) -> bytes | None:
    """A whole body decoded; None when it cannot be, or when that would be more than `limit_bytes`.

    Where the label is wrong, the first bytes tell.
    """
    decoded = _decoded(content_encoding, body, limit_bytes)
    if decoded is None and "," not in content_encoding:
        begun = next((coding for mark, coding in _BEGINNINGS if body.startswith(mark)), None)
        if begun is not None and begun != content_encoding.strip().lower():
            return _decoded(begun, body, limit_bytes)
    return decoded


def missing_encodings() -> dict[str, str]:
    """The codings that cannot be read here, each with the package that would bring it."""
    return {coding: package for coding, package in _INSTALLED_BY.items() if _decoder(coding) is None}


def _decoded(content_encoding: str, body: bytes, limit_bytes: int) -> bytes | None:
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
            options = {module.DecompressionParameter.window_log_max: _LARGEST_ZSTD_WINDOW}
            return _Zstd(partial(module.ZstdDecompressor, options=options))
        if hasattr(module.Decompressor, "can_accept_more_data"):  # older ones cannot bound what comes out
            return _Brotli(module.Decompressor().process)
    return None
