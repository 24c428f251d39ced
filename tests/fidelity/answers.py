"""Generated responses: every status, framing, coding and stream that a provider may send back.

A stream has two forms, as a provider writes it that was asked for the usage of its tokens and as one that was not; both
are cut at the same events. Not covered: responses that are not HTTP/1.1 (`tests/abuse`).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from fidelity.asks import Ask
from fidelity.streams import STREAMS, events
from fidelity.upstream import LAST_CHUNK, Header, chunk
from fidelity.values import odd, value, word

STATUSES = tuple(range(200, 600))


@dataclass(frozen=True)
class Piece:
    """One write of the provider; before the next one the client has `due_bytes` of the body (None: the head)."""

    raw: bytes
    due_bytes: int | None = None


@dataclass(frozen=True)
class Answer:
    """A response: what it is without and with usage; `is_closing` ends the connection behind it."""

    plain: tuple[Piece, ...]
    with_usage: tuple[Piece, ...]
    is_closing: bool
    is_stream: bool


def answer(rng: Random, ask: Ask) -> Answer:
    """One response to this request."""
    is_stream = b"stream" in ask.body and ask.path in STREAMS and rng.random() < 0.85
    status = 200 if is_stream or rng.random() < 0.4 else rng.choice(STATUSES)
    framing = rng.choice(("length", "chunked", "chunked", "close"))
    headers = _headers(rng, status)
    if is_stream:
        return _stream(rng, ask, framing, headers)
    body = b"" if status in (204, 205, 304) or rng.random() < 0.1 else _body(rng)
    if body and rng.random() < 0.2:
        coding, body = rng.choice(((b"gzip", gzip.compress(body)), (b"Deflate", zlib.compress(body)), (b"x-own", body)))
        headers.append((b"Content-Encoding", coding))
    if status in (204, 304) or ask.method == b"HEAD":
        framing = "none"
        if status != 204 and rng.random() < 0.7:
            headers.append((b"Content-Length", b"1234"))
        elif ask.method == b"HEAD" and status not in (204, 304) and rng.random() < 0.5:
            headers.append((b"Transfer-Encoding", b"chunked"))
        body = b""
    raw = _head(rng, status, framing, headers, len(body)) + _framed(rng, body, framing)
    cuts = sorted(rng.randrange(len(raw)) for _ in range(rng.choice((0, 0, 1, 4))))
    pieces = tuple(Piece(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True))
    return Answer(pieces, pieces, framing == "close", is_stream=False)


def _headers(rng: Random, status: int) -> list[Header]:
    others: list[Header] = [
        (b"X-Request-Id", b"req_%d" % rng.randrange(10**9)),
        (b"x-ratelimit-remaining-tokens", b"149984"),
        (b"anthropic-ratelimit-requests-reset", b"2026-11-23T10:00:00Z"),
        (b"OpenAI-Processing-MS", b"12"),
        (b"ETag", b'W/"x"'),
        (b"Cache-Control", b"no-store"),
        (b"vary", b"Accept-Encoding, Origin"),
        (b"Strict-Transport-Security", b"max-age=1"),
        (b"access-control-allow-origin", b"*"),
        (b"X-Empty", b""),
        (b"x-utf8", "café".encode()),
        (b"x-latin", b"caf\xe9"),
        (b"x-long", b"v" * 4000),
        (b"Trailer", b"x-none"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"Link", b"<https://a.example/>; rel=next"),
    ]
    chosen = rng.sample(others, rng.randrange(6))
    if status in (429, 503, 529):
        chosen += [(b"Retry-After", rng.choice((b"17", b"Wed, 21 Oct 2026 07:28:00 GMT"))), (b"retry-after-ms", b"170")]
    if 300 <= status < 400:
        chosen.append((b"Location", b"/v1/elsewhere?x=%20"))
    if rng.random() < 0.3:
        chosen += [(b"Set-Cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2"), (b"Set-Cookie", b"a=1; Path=/")]
    if rng.random() < 0.1:
        chosen += [(b"Connection", b"keep-alive, X-Hop"), (b"Keep-Alive", b"timeout=5"), (b"x-hop", b"1")]
    return chosen


def _body(rng: Random) -> bytes:
    match rng.randrange(6):
        case 0:
            return rng.randbytes(rng.choice((1, 1000, 200_000)))
        case 1:
            return b'{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit"}}'
        case 2:
            return b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
        case 3:
            return b"<html>\xff bad gateway</html>"
    return odd(rng, [("id", word(rng)), ("choices", value(rng)), ("usage", value(rng)), ("model", "gpt-x")]).encode()


def _head(rng: Random, status: int, framing: str, headers: Sequence[Header], size: int, kind: bytes = b"") -> bytes:
    version = b"HTTP/1.0" if framing == "close" and rng.random() < 0.3 else b"HTTP/1.1"
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" if rng.random() < 0.02 else b""
    lines = [b"%b %d %b" % (version, status, rng.choice((b"OK", b"", b"Any reason at all")))]
    lines += [name + b": " + text for name, text in headers]
    lines += [
        b"Content-Type: " + (kind or rng.choice((b"application/json", b"text/plain; charset=utf-8", b"audio/mpeg")))
    ]
    match framing:
        case "length":
            lines.append(b"Content-Length: %d" % size)
        case "chunked":
            lines.append(b"Transfer-Encoding: chunked")
        case "close":
            lines.append(b"Connection: close")
    return early + b"\r\n".join(lines) + b"\r\n\r\n"


def _framed(rng: Random, body: bytes, framing: str) -> bytes:
    if framing != "chunked":
        return body
    size = rng.choice((1 + len(body), 7, 4096)) if len(body) < 5000 else 65_536
    chunks = [chunk(body[n : n + size]) for n in range(0, len(body), size)]
    if chunks and rng.random() < 0.1:
        chunks[0] = b"00" + chunks[0].replace(b"\r\n", b";name=value\r\n", 1)
    return b"".join(chunks) + LAST_CHUNK


def _stream(rng: Random, ask: Ask, framing: str, headers: list[Header]) -> Answer:
    written = events(rng, ask.path)
    kind = rng.choice((b"text/event-stream", b"text/event-stream; charset=utf-8"))
    visible = [len(event.plain) for event in written]
    is_edited = ask.wants_usage_hidden
    forms = [[event.plain for event in written], [event.with_usage for event in written]]
    if not is_edited and rng.random() < 0.15:
        packer = zlib.compressobj(wbits=31)
        packed = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in forms[0]] + [packer.flush()]
        headers.append((b"content-encoding", b"gzip"))
        visible, forms = [len(part) for part in packed], [packed, packed]
    pieces = []
    for parts in forms:
        head = Piece(_head(rng, 200, framing, headers, sum(map(len, parts)), kind), -1)
        due = visible if is_edited else [len(part) for part in parts]
        pieces.append((head, *_pieces(rng, parts, due, framing, is_cut_inside=not is_edited)))
    return Answer(pieces[0], pieces[1], framing == "close", is_stream=True)


def _pieces(
    rng: Random, parts: list[bytes], visible: list[int], framing: str, *, is_cut_inside: bool
) -> Iterator[Piece]:
    """The writes of a stream; the client may be kept waiting for its last event alone, however that is cut."""
    seen = 0
    last = max((n for n, size in enumerate(visible) if size), default=0)
    for n, (part, size) in enumerate(zip(parts, visible, strict=True)):
        cuts = sorted(rng.sample(range(1, len(part)), rng.randrange(3))) if is_cut_inside and len(part) > 9 else []
        for start, stop in zip([0, *cuts], [*cuts, len(part)], strict=True):
            due = seen + stop if is_cut_inside else seen + size
            if stop > start:
                raw = part[start:stop]
                yield Piece(chunk(raw) if framing == "chunked" else raw, due if n < last else None)
        seen += size
    if framing == "chunked":
        yield Piece(LAST_CHUNK)
