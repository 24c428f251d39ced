"""Encoded bodies are read, whatever the coding; what would take too much memory is not."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
import zlib
from importlib import import_module
from typing import Any

import brotli
import pytest
from exchanges import LIMIT_BYTES, an_exchange, as_call
from msgspec.structs import replace

from freehold.ops.doctor.machine import check_encodings
from freehold.record import decode_body, encoding, missing_encodings, readable_encodings

zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

PLAIN = b'{"model": "m-1", "input": "Where is my card? Wo ist meine Karte?"}' * 50
CODINGS = {
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN),
    "deflate": zlib.compress(PLAIN),
    "br": brotli.compress(PLAIN),
    "zstd": zstd.compress(PLAIN),
    "identity": PLAIN,
    "ZSTD": zstd.compress(PLAIN),
    " br , identity": brotli.compress(PLAIN),
    "gzip, zstd": zstd.compress(gzip.compress(PLAIN)),
    "zstd, br, gzip": gzip.compress(brotli.compress(zstd.compress(PLAIN))),
    "br, br": brotli.compress(brotli.compress(PLAIN)),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_every_coding_is_read_up_to_the_limit(coding: str) -> None:
    assert decode_body(coding, CODINGS[coding], limit_bytes=len(PLAIN)) == PLAIN
    assert decode_body(coding, CODINGS[coding], limit_bytes=len(PLAIN) - 1) is None


def test_several_frames_are_one_body() -> None:
    frames = zstd.compress(PLAIN[:100]) + zstd.compress(PLAIN[100:])
    assert decode_body("zstd", frames, limit_bytes=LIMIT_BYTES) == PLAIN
    large = b"".join(zstd.compress(PLAIN) for _ in range(300))
    assert decode_body("zstd", large, limit_bytes=10**6) == PLAIN * 300


@pytest.mark.parametrize(
    ("label", "real"), [("gzip", "zstd"), ("zstd", "gzip"), ("br", "zstd"), ("deflate", "gzip"), ("martian", "gzip")]
)
def test_a_wrong_label_is_seen_by_the_first_bytes(label: str, real: str) -> None:
    assert decode_body(label, CODINGS[real], limit_bytes=LIMIT_BYTES) == PLAIN


@pytest.mark.parametrize("label", ["gzip", "zstd", "br"])
def test_a_label_on_what_is_not_encoded(label: str) -> None:
    assert decode_body(label, PLAIN, limit_bytes=LIMIT_BYTES) is None
    exchange = an_exchange()
    call = as_call(replace(exchange, request=replace(exchange.request, content_encoding=label)))
    assert (call.model_asked, call.tags["request_encoding"]) == ("m", label)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "gzip, gzip", "zstd, zstd"])
def test_a_small_body_does_not_unpack_into_gigabytes(coding: str) -> None:
    bomb = b"\0" * 200_000_000
    for name in reversed(coding.split(", ")):
        bomb = {"gzip": gzip.compress, "br": _quickly, "zstd": zstd.compress}[name](bomb)
    tracemalloc.start()
    try:
        assert decode_body(coding, bomb, limit_bytes=1_000_000) is None
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def _quickly(data: bytes) -> bytes:
    return brotli.compress(data, quality=1)


def test_a_window_beyond_what_http_allows_is_not_opened() -> None:
    wide = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
    unsized = zstd.ZstdCompressor(options=wide)
    body = unsized.compress(PLAIN * 2000) + unsized.flush()
    assert decode_body("zstd", body, limit_bytes=10**9) is None


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
def test_a_body_that_was_cut_is_read_as_far_as_it_goes(coding: str) -> None:
    whole = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress}[coding](bytes(range(256)) * 900)
    decoded = decode_body(coding, whole[: len(whole) - 3], limit_bytes=10**6)
    assert decoded is not None
    assert (bytes(range(256)) * 900).startswith(decoded)


def test_a_request_in_any_coding_has_model_and_text() -> None:
    raw = json.dumps({"model": "gpt-x", "messages": [{"role": "user", "content": "Where?"}]}).encode()
    packed = {"gzip": gzip.compress(raw), "br": brotli.compress(raw), "zstd": zstd.compress(raw)}
    for coding, body in packed.items():
        exchange = an_exchange()
        call = as_call(replace(exchange, request=replace(exchange.request, body=body, content_encoding=coding)))
        assert (call.model_asked, call.request_body) == ("gpt-x", raw)
        assert "request_encoding" not in call.tags


def test_what_cannot_be_read_is_not_asked_for_and_the_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_encodings() == {}
    assert check_encodings() == []
    assert readable_encodings("gzip, br;q=1.0, zstd") == "gzip, br;q=1.0, zstd"
    monkeypatch.setattr(encoding, "_PACKAGES", {"br": ("no_such_package",), "zstd": ("no_such_package",)})
    assert readable_encodings("gzip, br;q=1.0, zstd") == "gzip"
    assert missing_encodings() == {"br": "brotli", "zstd": "backports.zstd"}
    finding = check_encodings()[0]
    assert (finding.level, finding.hint) == ("warn", "pip install brotli backports.zstd")
    assert "br or zstd" in finding.text
