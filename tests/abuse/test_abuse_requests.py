"""Requests that two readers may read differently, and requests that are none: one answer, never two requests for one.

`/v1/smuggled` stands in each where only a wrong reader sees a request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from abuse.town import CHAT_PATH, LATE_BYTES, MIB, Town, chat
from fidelity.wire import Line, request

SILENCE_S = 0.3
HIDDEN = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\n"
SMALL = b"5\r\nhello\r\n0\r\n\r\n"


def chunked(coding: bytes) -> bytes:
    """A request whose coding only some take for chunked: to others it has no body, and hides another request."""
    return POST + coding + b"\r\n\r\n" + SMALL + HIDDEN


# must be refused: what they mean is in doubt
REFUSED: Mapping[str, bytes] = {
    "length and chunked": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + SMALL + HIDDEN,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "two lengths in one": POST + b"Content-Length: 0, 5\r\n\r\n" + HIDDEN,
    "length with plus": POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "length in hex": POST + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
    "length with a gap": POST + b"Content-Length: 0 0\r\n\r\n" + HIDDEN,
    "length beyond numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + HIDDEN,
    "xchunked": chunked(b"Transfer-Encoding: xchunked"),
    "chunked, then identity": chunked(b"Transfer-Encoding: chunked, identity"),
    "identity": chunked(b"Transfer-Encoding: identity"),
    "space before the colon": chunked(b"Transfer-Encoding : chunked"),
    "tab before the colon": POST + b"Content-Length\t: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "vertical tab": chunked(b"Transfer-Encoding:\x0bchunked"),
    "NUL in a value": POST + b"X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a name": POST + b"X\0A: a\r\nContent-Length: 0\r\n\r\n",
    "bare CR in a value": POST + b"X-A: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "no colon": POST + b"Transfer-Encoding chunked\r\nContent-Length: 0\r\n\r\n",
    "empty name": POST + b": a\r\nContent-Length: 0\r\n\r\n",
    "chunk size in hex with prefix": POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "chunk size beyond numbers": POST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nhello\r\n",
    "chunk longer than its size": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "no chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "space in the target": b"GET /v1/mod els HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in the target": b"GET /v1/mod\0els HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no such method": b"SMUGGLE /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /v1/models\r\n\r\n",
    "no such version": b"GET /v1/models HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "nothing but signs": b"\r\n".join([b"!" * 99] * 99) + b"\r\n\r\n",
    "CONNECT": b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n",
}
# may be refused, or read as the one request that they are
EITHER: Mapping[str, bytes] = {
    "the same length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "the same length twice in one": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "chunked twice": chunked(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked").removesuffix(HIDDEN),
    "folded header": POST + b"X-A: a\r\n  Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + SMALL,
    "bare LF": POST.replace(b"\r\n", b"\n") + b"Content-Length: 5\n\nhello",
    "bare LF in a header": POST + b"X-A: a\nX-B: b\r\nContent-Length: 5\r\n\r\nhello",
    "bare LF after a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "absolute target": b"POST http://elsewhere.example/v1/files HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 5\r\n\r\nhello",
    "two hosts": POST + b"Host: elsewhere.example\r\nContent-Length: 5\r\n\r\nhello",
    "no host": b"POST /v1/files HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    "chunk extension": POST + b'Transfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0\r\n\r\n',
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 9\r\nX-A: b\r\n\r\n",
    "empty lines first": b"\r\n\r\n" + POST + b"Content-Length: 5\r\n\r\nhello",
    "coding in capitals": POST + b"TRANSFER-ENCODING:CHUNKED\r\n\r\n" + SMALL,
    "HTTP/1.0": b"POST /v1/files HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
}


def statuses(town: Town, raw: bytes) -> list[int]:
    """The responses on one connection until it is closed, or silent."""

    async def read() -> list[int]:
        line = Line(town.port)
        await line.send(raw)
        got = await line.read(timeout_s=10)
        found = []
        while got.status:
            found.append(got.status)
            if not line.is_open:
                break
            got = await line.read(timeout_s=SILENCE_S)
        line.close()
        return found

    return town.upstream.run(read())


@pytest.mark.parametrize("form", REFUSED)
def test_a_request_of_doubtful_meaning_is_refused(town: Town, form: str) -> None:
    found = statuses(town, REFUSED[form])
    assert len(found) == 1
    assert found[0] in (400, 404, 405, 413, 431, 501, 505)
    assert town.upstream.seen == []


@pytest.mark.parametrize("form", EITHER)
def test_an_odd_request_is_one_request_or_none(town: Town, form: str) -> None:
    found = statuses(town, EITHER[form])
    assert len(found) == 1
    if found[0] != 200:
        assert found[0] in (400, 403, 404, 501)
        assert town.upstream.seen == []
        return
    (seen,) = town.upstream.seen
    assert (seen.method, seen.target, seen.body) == ("POST", b"/v1/files", b"hello")
    assert [value for name, value in seen.headers if name == b"host"] == [b"127.0.0.1:%d" % town.upstream.port]
    assert not any(b"\r" in value or b"\n" in value for _, value in seen.headers)
    assert not {b"upgrade", b"http2-settings"} & {name for name, _ in seen.headers}


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n" + SMALL])
def test_an_offer_of_http2_is_answered_in_http1(town: Town, framing: bytes) -> None:
    """The JDK's HttpClient makes it by default; the connection goes on."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n"
    assert statuses(town, (POST + offer + framing) * 2) == [200, 200]
    assert [(seen.method, seen.target, seen.body) for seen in town.upstream.seen] == [
        ("POST", b"/v1/files", b"hello")
    ] * 2
    for seen in town.upstream.seen:
        assert not {b"connection", b"upgrade", b"http2-settings"} & {name for name, _ in seen.headers}


FLOODS: Mapping[str, bytes] = {
    "10,000 headers": chat().replace(b"\r\n", b"\r\n" + b"".join(b"x-%d: v\r\n" % n for n in range(10_000)), 1),
    "10,000 times one": chat().replace(b"\r\n", b"\r\n" + b"cookie: a=b\r\n" * 10_000, 1),
    "a value of 1 MB": chat().replace(b"\r\n", b"\r\nx-long: " + b"v" * MIB + b"\r\n", 1),
    "a name of 1 MB": chat().replace(b"\r\n", b"\r\n" + b"n" * MIB + b": v\r\n", 1),
    "a target of 1 MB": request(b"GET", b"/v1/models?" + b"q" * MIB),
    "a method of 1 MB": b"G" * MIB + b" /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a chunk extension of 1 MB": POST
    + b"Transfer-Encoding: chunked\r\n\r\n5;"
    + b"e" * MIB
    + b"\r\nhello\r\n0\r\n\r\n",
    "trailers of 1 MB": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"x-a: b\r\n" * (MIB // 8) + b"\r\n",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_are_refused_and_cost_little(town: Town, flood: str) -> None:
    before = town.gateway.peak_bytes()
    for _ in range(3):
        got = town.ask(FLOODS[flood], timeout_s=20)
        is_in_body = "chunk" in flood or "trailers" in flood
        assert got.status in ((400, 413, 414, 431) + ((0, 200) if is_in_body else ()))
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 40 * MIB


def test_a_header_that_never_ends_is_cut_short(town: Town) -> None:
    """The refusal comes while the client still sends: a client does not decide how much is read."""

    async def flood() -> int:
        line = Line(town.port)
        sent = 0
        try:
            await line.send(b"GET /v1/models HTTP/1.1\r\nx-endless: ")
            while sent < 64 * MIB:
                await line.send(b"v" * 65_536)
                sent += 65_536
        except ConnectionError:
            pass
        line.abort()
        return sent

    assert town.upstream.run(flood()) < 64 * MIB
    assert town.upstream.seen == []


def test_an_error_of_a_request_that_could_be_read_is_in_its_dialect(town: Town) -> None:
    got = town.ask(request(b"POST", CHAT_PATH, [], b"\xff not json"))
    assert (got.status, json.loads(got.body)["error"]["type"]) == (400, "freehold_error")
    got = town.ask(request(b"POST", b"/v1/messages", [(b"anthropic-version", b"1")], b"[]"))
    assert (got.status, json.loads(got.body)["type"]) == (400, "error")


def test_requests_in_a_row_are_answered_in_a_row(town: Town) -> None:
    """Pipelining: several requests in one write are several requests, and no answer goes to another."""

    async def pipeline() -> list[bytes]:
        line = Line(town.port)
        await line.send(b"".join(chat(n=n) for n in range(1, 6)))
        answers = [await line.read() for _ in range(5)]
        line.close()
        return [bytes(got.body) for got in answers]

    bodies = town.upstream.run(pipeline())
    assert [len(json.loads(body)["choices"]) for body in bodies] == [1, 2, 3, 4, 5]
    assert len(town.upstream.seen) == 5
