"""Content encodings: bodies pass encoded and are recorded decoded.

gzip and deflate are always there; brotli (`br`) and `zstd` when a package for them is installed. What the record could
not read is taken out of the client's `accept-encoding`, so that no exchange is lost to it.

Not covered: encoding.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Protocol

_PACKAGES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd")}
_CLASSES = {"br": "Decompressor", "zstd": "ZstdDecompressor"}
_PIECE_BYTES = 2**14
_GZIP_WBITS, _ZLIB_WBITS, _RAW_WBITS = 31, 15, -15


class DecodeError(ValueError):
    """Bytes that are not what their content-encoding says."""


class Decoder(Protocol):
    """Turns encoded bytes into decoded ones as they come; DecodeError when they are broken."""

    def feed(self, chunk: bytes) -> bytes:
        """Decode the next bytes."""


class _Zlib:
    """gzip (several members, too) and deflate (with or without its zlib header)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner = zlib.decompressobj(wbits)
        self._is_fresh = True

    def feed(self, chunk: bytes) -> bytes:
        decoded = bytearray()
        while chunk:
            if self._inner.eof:
                self._inner = zlib.decompressobj(self._wbits)
            decoded += self._decompress(chunk)
            chunk = self._inner.unused_data
        return bytes(decoded)

    def _decompress(self, chunk: bytes) -> bytes:
        try:
            decoded = self._inner.decompress(chunk)
        except zlib.error as error:
            if not self._is_fresh or self._wbits != _ZLIB_WBITS:
                raise DecodeError(str(error)) from error
            self._wbits, self._is_fresh = _RAW_WBITS, False
            self._inner = zlib.decompressobj(_RAW_WBITS)
            return self._decompress(chunk)
        self._is_fresh = False
        return decoded


class _Packaged:
    """brotli and zstd, through whichever package is there."""

    def __init__(self, decompress: Callable[[bytes], bytes]) -> None:
        self._decompress = decompress

    def feed(self, chunk: bytes) -> bytes:
        try:
            return self._decompress(chunk)
        except Exception as error:  # every package has an error class of its own
            raise DecodeError(str(error)) from error


class _Chain:
    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders

    def feed(self, chunk: bytes) -> bytes:
        for decoder in self._decoders:
            chunk = decoder.feed(chunk)
        return chunk


def decoder_for(content_encoding: str) -> Decoder | None:
    """A decoder for a `content-encoding` header; None when one of its codings cannot be decoded here."""
    decoders: list[Decoder] = []
    for coding in reversed(content_encoding.lower().split(",")):
        name = coding.strip()
        if name in ("", "identity"):
            continue
        decoder = _decoder(name)
        if decoder is None:
            return None
        decoders.append(decoder)
    return _Chain(decoders)


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
        decompressor = getattr(module, _CLASSES[name])()
        return _Packaged(decompressor.process if name == "br" else decompressor.decompress)
    return None


def decode_body(content_encoding: str, body: bytes, *, limit_bytes: int) -> bytes | None:
    """A whole body decoded; None when it cannot be, or when that would be more than `limit_bytes`."""
    decoder = decoder_for(content_encoding)
    decoded = bytearray()
    for start in range(0, len(body), _PIECE_BYTES):
        try:
            decoded += decoder.feed(body[start : start + _PIECE_BYTES]) if decoder else b""
        except DecodeError:
            return None
        if len(decoded) > limit_bytes:
            return None
    return bytes(decoded) if decoder else None


def readable_encodings(accept_encoding: str) -> str:
    """An `accept-encoding` header without the codings that the record could not read; often the same text."""
    offered = accept_encoding.split(",")
    kept = [item for item in offered if _is_readable(item.partition(";")[0].strip().lower())]
    if len(kept) == len(offered):
        return accept_encoding
    return ",".join(kept).strip() or "identity"


def _is_readable(coding: str) -> bool:
    return coding in ("", "identity", "gzip", "x-gzip", "deflate") or _decoder(coding) is not None
