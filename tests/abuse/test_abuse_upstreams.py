"""Providers that break off, lie about lengths or do not speak HTTP: the client is never told that half is a whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping

import pytest
from abuse.town import LATE_BYTES, MIB, Town, chat
from fidelity.provider import chat_stream
from fidelity.upstream import CLOSE, LAST_CHUNK, RESET, SSE_HEAD, End, Seen, always, chunk, plain
from fidelity.wire import Got, Line, request

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SMALL = b'{"id":"x","choices":[]}'
STREAM = SSE_HEAD + b"".join(chunk(event) for event in chat_stream({})[:3]) + chunk(b"data: [DONE]\n\n") + LAST_CHUNK
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n" + chunk(SMALL[:9]) + chunk(SMALL[9:]) + LAST_CHUNK
POISON = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON"
ASK = {"stream": True, "stream_options": {"include_usage": True}}

WHOLE: Mapping[str, tuple[bytes, bytes]] = {
    "by its length": (chat(), plain(SMALL, headers=[(b"x-a", b"b")])),
    "chunked": (chat(), CHUNKED),
    "stream": (chat(**ASK), STREAM),
    "no body": (chat(), b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n"),
}


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("form", WHOLE)
def test_a_provider_that_ends_at_any_byte(town: Town, form: str, end: End) -> None:
    """Swept over each byte of a response: a whole one is whole, and of any other the client can tell that it is not."""
    raw, response = WHOLE[form]
    places = range(len(response) + 1) if end is CLOSE else range(0, len(response) + 1, 7)
    town.upstream.seen.clear()
    wrong = []
    for place in places:
        town.upstream.script = always(response[:place], end)
        direct, through = town.ask_directly(raw), town.ask(raw, timeout_s=20)
        if not _is_fair(direct, through):
            wrong.append((place, through))
    assert wrong == []
    assert len(town.upstream.seen) == 2 * len(places)


def _is_fair(direct: Got, through: Got) -> bool:
    """A head that did not come is an error of the gateway's own, a body that did not come whole is not whole."""
    if b"[DONE]\n\n" in through.body:
        return direct.body == through.body  # ended by its own word, whatever became of the framing
    if direct.status == 0:
        error = json.loads(through.body)["error"]
        return (through.status, through.is_whole, error["type"]) == (502, True, "freehold_error")
    if (through.status, through.is_whole) == (502, True) and not direct.is_whole:
        return through.header(b"freehold-error") != b""  # it broke off before anything was passed on
    return (through.status, through.is_whole) == (direct.status, direct.is_whole) and direct.body.startswith(
        through.body
    )


MALFORMED: Mapping[str, bytes] = {
    "no chunk size": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "negative chunk size": OK + b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk size beyond numbers": OK + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk longer than its size": OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "chunk shorter than its size": OK + b"transfer-encoding: chunked\r\n\r\n9\r\nhello\r\n0\r\n\r\n",
    "no last chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "a chunk of almost nothing": OK + b"transfer-encoding: chunked\r\n\r\nffffffff\r\nhello",
    "more promised than sent": OK + b"content-length: 100\r\n\r\nhello",
    "length beyond numbers": OK + b"content-length: 99999999999999999999999\r\n\r\nhello",
    "negative length": OK + b"content-length: -5\r\n\r\nhello",
    "no length": OK + b"content-length: five\r\n\r\nhello",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 9\r\n\r\nhello",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no HTTP": b"\x00\x01\x02" * 99,
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a status in words": b"HTTP/1.1 OK 200\r\ncontent-length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/9": b"HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n",
    "NUL in a header": OK + b"x-a: a\0b\r\ncontent-length: 0\r\n\r\n",
    "bare CR in a header": OK + b"x-a: a\rset-cookie: b\r\ncontent-length: 0\r\n\r\n",
    "no colon": OK + b"x-a\r\ncontent-length: 0\r\n\r\n",
    "another protocol's switch": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello",
    "nothing but 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a head of 10 MB": OK + b"x-a: b\r\n" * (10 * MIB // 8) + b"content-length: 0\r\n\r\n",
    "a header of 10 MB": OK + b"x-a: " + b"v" * (10 * MIB) + b"\r\ncontent-length: 0\r\n\r\n",
    "1xx without an end": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 100_000,
}


def test_a_malformed_response_is_no_whole_response(town: Town) -> None:
    """502 when it shows in the head, and a broken connection when it shows in the body; recorded with an error."""
    before = town.gateway.peak_bytes()
    answers = {}
    for form, response in MALFORMED.items():
        town.upstream.script = always(response, CLOSE)
        answers[form] = town.ask(chat(), timeout_s=20)
    assert len(town.upstream.seen) == len(MALFORMED) == 26
    assert {form: got for form, got in answers.items() if not _tells_the_truth(form, got)} == {}
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 100 * MIB
    ids = {form: got.header(b"freehold-call-id").decode() for form, got in answers.items()}
    calls = town.gateway.recorded(ids.values())
    assert [form for form, call_id in ids.items() if not calls[call_id]["error"]] == []


def _tells_the_truth(form: str, got: Got) -> bool:
    if got.status == 502:
        return got.is_whole and json.loads(got.body)["error"]["type"] == "freehold_error"
    return (got.status, got.is_whole) == (200, False) and bytes(got.body) in MALFORMED[form]


LEAKING: Mapping[str, bytes] = {
    "more sent than promised": plain(SMALL) + POISON,
    "a body where none is": b"HTTP/1.1 204 No Content\r\n\r\n" + POISON,
    "a body after a 304": b"HTTP/1.1 304 Not Modified\r\ncontent-length: %d\r\n\r\n" % len(POISON) + POISON,
    "after the last chunk": CHUNKED + POISON,
    "length and chunked": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + LAST_CHUNK + POISON,
    "two answers": POISON + POISON,
}


@pytest.mark.parametrize("form", LEAKING)
def test_what_a_provider_sends_unasked_answers_nobody(town: Town, form: str) -> None:
    """The rest of one response never becomes the response to somebody else."""
    town.upstream.script = always(LEAKING[form])
    for _ in range(3):
        first = town.ask(chat(), timeout_s=20)
        assert b"HTTP/1.1" not in first.body
        assert first.body.count(b"POISON") <= (form == "two answers")
    town.upstream.script = always(plain(SMALL))
    for _ in range(3):
        got = town.ask(chat(), timeout_s=20)
        assert (got.status, got.body) == (200, SMALL)


@pytest.mark.parametrize("head", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nlink: </x>", b"199 Odd"])
def test_what_comes_before_a_response_is_not_the_response(town: Town, head: bytes) -> None:
    """1xx responses of the provider; the client's own reader skips them, should they be passed on."""
    town.upstream.script = always(b"HTTP/1.1 %b\r\n\r\n" % head * 3 + plain(SMALL))
    got = town.ask(chat())
    assert (got.status, got.body) == (200, SMALL)


SSE: Mapping[str, bytes] = {
    "invalid UTF-8": b'data: {"choices":[{"index":0,"delta":{"content":"caf\xe9 \xff"}}]}\n\ndata: [DONE]\n\n',
    "no JSON": b"data: {not json\n\ndata: 7\n\ndata: [1]\n\ndata: null\n\ndata: [DONE]\n\n",
    "wrong types": b'data: {"choices":{"a":1},"usage":[],"id":[[]],"model":{}}\n\ndata: {"choices":[null,7,[]]}\n\n',
    "no fields": b"hello\n\n\n\n\n:\n\n: : :\n\ndata\n\n\x00\n\n",
    "every line end": b"data: {}\r\rdata: {}\n\ndata: {}\r\n\r\ndata: {}\r\n\n",
    "no end": b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"cho',
    "a line of 1 MB": b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * MIB + b'"}}]}\n\ndata: [DONE]\n\n',
    "100,000 empty events": b"\n" * 100_000 + b"data: [DONE]\n\n",
    "100,000 data lines": b"data: x\n" * 100_000 + b"\ndata: [DONE]\n\n",
    "an end before the end": b'data: [DONE]\n\ndata: {"choices":[]}\n\ndata: [DONE]\n\n',
    "an unlikely index": b'data: {"choices":[{"index":99999999999},{"index":-1},{"index":1e99}]}\n\ndata: [DONE]\n\n',
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbfdata: {}\n\ndata: [DONE]\n\n",
    "HTML": b"<html>502 Bad Gateway</html>",
    "nothing": b"",
}


@pytest.mark.parametrize("is_edited", [False, True])
@pytest.mark.parametrize("form", SSE)
def test_a_malformed_stream_passes_as_it_came(town: Town, form: str, is_edited: bool) -> None:
    body = SSE[form]
    pieces = [body[n : n + 999] for n in range(0, min(len(body), 20_000), 999)] + [body[20_979:]]
    town.upstream.script = always(SSE_HEAD, *(chunk(piece) for piece in pieces if piece), LAST_CHUNK)
    got = town.ask(chat(**({"stream": True} if is_edited else ASK)), timeout_s=20)
    assert (got.status, got.is_whole, got.body == body) == (200, True, True)


def test_a_slow_provider_holds_up_nobody_else(town: Town) -> None:
    """200 calls wait for a provider that says nothing; the next is answered at once."""
    gate = town.upstream.event()

    async def slow(seen: Seen) -> AsyncIterator[bytes | End]:
        if seen.header(b"x-slow"):
            await gate.wait()
        yield plain(SMALL)

    async def ask() -> list[Got]:
        lines = [Line(town.port) for _ in range(200)]
        for line in lines:
            await line.send(request(b"GET", b"/v1/files", [(b"x-slow", b"1")]))
        quick = Line(town.port)
        await quick.send(request(b"GET", b"/v1/files"))
        answers = [await quick.read(timeout_s=20)]
        gate.set()
        answers += [await line.read(timeout_s=60) for line in lines]
        for line in [quick, *lines]:
            line.close()
        return answers

    town.upstream.script = slow
    answers = town.upstream.run(ask())
    assert [(got.status, got.body) for got in answers] == [(200, SMALL)] * 201
