"""Bodies that are too large, too deep, compressed beyond reason or no text at all: bounded memory, right answer."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from abuse.town import CHAT_PATH, LATE_BYTES, MIB, Town, chat
from fidelity.running import running
from fidelity.upstream import CLOSE, SSE_HEAD, End, Seen, always, chunk, plain, served
from fidelity.wire import Got, Line, request

JSON = (b"content-type", b"application/json")
BOMB_BYTES = 10 * 2**30
PLAIN_BYTES = 16 * MIB


def gzip_bomb() -> bytes:
    """10 MB that are 10 GB, as gzip members in a row."""
    return gzip.compress(bytes(PLAIN_BYTES), mtime=0) * (BOMB_BYTES // PLAIN_BYTES)


def deflate_bomb() -> bytes:
    """10 MB that are 10 GB, as one deflate stream."""
    packer = zlib.compressobj(wbits=-15)
    first = packer.compress(bytes(PLAIN_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(PLAIN_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (BOMB_BYTES // PLAIN_BYTES) + packer.flush()


BOMBS = {"gzip": gzip_bomb, "deflate": deflate_bomb}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_in_a_request_does_not_go_off(town: Town, coding: str) -> None:
    bomb = BOMBS[coding]()
    assert len(bomb) < 12 * MIB
    before = town.gateway.peak_bytes()
    got = town.ask(request(b"POST", CHAT_PATH, [JSON, (b"content-encoding", coding.encode())], bomb))
    assert got.status in (200, 400, 413)
    if got.status == 200:
        assert town.upstream.seen[0].body == bomb
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 400 * MIB


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_in_a_response_does_not_go_off(town: Town, coding: str, is_stream: bool) -> None:
    """The client asked for it and gets it, byte for byte; Freehold does not have to know what is in it."""
    bomb = BOMBS[coding]()
    kind = b"text/event-stream" if is_stream else b"application/json"
    town.upstream.script = always(plain(bomb, kind=kind, headers=[(b"content-encoding", coding.encode())]))
    before = town.gateway.peak_bytes()
    got = town.ask(chat(stream=is_stream, stream_options={"include_usage": True}), timeout_s=60)
    assert (got.status, got.is_whole, got.body == bomb) == (200, True, True)
    town.gateway.call(lambda call: call["id"] == got.header(b"freehold-call-id").decode())
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 400 * MIB


DEEP: Mapping[str, bytes] = {
    "arrays": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no end": b"[" * 100_000,
}


@pytest.mark.parametrize("form", DEEP)
@pytest.mark.parametrize("path", [CHAT_PATH, b"/v1/messages", b"/v1/responses", b"/v1/files"])
def test_deep_json_in_a_request(town: Town, form: str, path: bytes) -> None:
    """Refused in the caller's dialect, or passed on as it came."""
    body = b'{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":%b}]}' % DEEP[form]
    town.upstream.script = always(plain(b"{}"))
    got = town.ask(request(b"POST", path, [JSON], body))
    assert (got.status, got.is_whole) in ((200, True), (400, True))
    if got.status == 400:
        assert json.loads(got.body)["error"]["type"] == "freehold_error"
        assert town.upstream.seen == []
    else:
        assert [seen.body for seen in town.upstream.seen] == [body]


@pytest.mark.parametrize("form", DEEP)
@pytest.mark.parametrize("is_stream", [False, True])
def test_deep_json_in_a_response(town: Town, form: str, is_stream: bool) -> None:
    body = b'{"choices":[{"index":0,"delta":{"content":%b}}],"usage":%b}' % (DEEP[form], DEEP[form])
    if is_stream:
        body = b"data: " + body + b"\n\ndata: [DONE]\n\n"
    town.upstream.script = always(plain(body, kind=b"text/event-stream" if is_stream else b"application/json"))
    got = town.ask(chat(stream=is_stream))
    assert (got.status, got.is_whole, got.body == body) == (200, True, True)


ODD: Mapping[str, bytes] = {
    "invalid UTF-8": b'{"model":"gpt-x","messages":[{"role":"user","content":"caf\xe9 \xff\xfe"}]}',
    "overlong UTF-8": b'{"model":"gpt-x","messages":[{"role":"user","content":"\xc0\xaf"}]}',
    "cut UTF-8": b'{"model":"gpt-x","messages":[{"role":"user","content":"\xe6\x9d"}]}',
    "UTF-16": '{"model":"gpt-x","messages":[]}'.encode("utf-16"),
    "NUL": b'{"model":"gpt-x\0","messages":[]}',
    "NaN": b'{"model":"gpt-x","temperature":NaN,"messages":[]}',
    "a number of 10,000 digits": b'{"model":"gpt-x","n":%b,"messages":[]}' % (b"9" * 10_000),
    "100,000 keys": b'{"model":"gpt-x",%b,"messages":[]}' % b",".join(b'"k%d":1' % n for n in range(100_000)),
    "one key 10,000 times": b'{%b,"messages":[]}' % b",".join([b'"model":"gpt-x"'] * 10_000),
    "half a surrogate pair": b'{"model":"gpt-x\\ud800","user":"\\udfff","messages":[]}',
}


@pytest.mark.parametrize("form", ODD)
@pytest.mark.parametrize("path", [CHAT_PATH, b"/v1/messages", b"/v1/responses"])
def test_odd_bodies_pass_as_they_came_or_are_refused(town: Town, form: str, path: bytes) -> None:
    town.upstream.script = always(plain(b'{"model": "\xff\\ud800"}'))
    got = town.ask(request(b"POST", path, [JSON], ODD[form]))
    assert got.status in (200, 400)
    assert [seen.body for seen in town.upstream.seen] == ([ODD[form]] if got.status == 200 else [])
    assert got.status == 200 or json.loads(got.body)["error"]["type"] == "freehold_error"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_it_has_come(town: Town, is_chunked: bool) -> None:
    """100 MB: by its declared length at once, else when the limit is passed, and never kept whole."""
    framing = b"transfer-encoding: chunked" if is_chunked else b"content-length: %d" % (100 * MIB)
    head = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n%b\r\n\r\n" % (CHAT_PATH, framing)
    part = chunk(b" " * MIB) if is_chunked else b" " * MIB

    async def send() -> tuple[Got, int]:
        line = Line(town.port)
        sent = 0
        await line.send(head)
        try:
            while sent < 100 and (is_chunked or sent < 1):
                await line.send(part)
                sent += 1
        except ConnectionError:
            pass
        got = await line.read(timeout_s=30)
        line.close()
        return got, sent

    before = town.gateway.peak_bytes()
    got, sent = town.upstream.run(send())
    assert got.status == 413 or (is_chunked and sent < 100)  # a refusal may be lost on one who never stops to read
    if got.status:
        assert json.loads(got.body)["error"]["code"] == "body_too_large"
    assert town.upstream.seen == []
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 250 * MIB


def test_a_body_that_waits_to_be_asked_for_is_refused_before_it_is_sent(town: Town) -> None:
    raw = b"POST %b HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"
    got = town.ask(raw % (CHAT_PATH, 100 * MIB), timeout_s=20)
    assert got.status in (413, 417)


def test_a_body_that_waits_to_be_asked_for_is_asked_for(town: Town) -> None:
    body = json.dumps({"model": "gpt-x", "messages": []}).encode()

    async def send() -> tuple[bytes, Got]:
        line = Line(town.port)
        await line.send(b"POST %b HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n" % CHAT_PATH)
        await line.send(b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        asked = await line.read_interim(timeout_s=20)
        await line.send(body)
        got = await line.read(timeout_s=20)
        line.close()
        return asked, got

    asked, got = town.upstream.run(send())
    assert asked.startswith(b"HTTP/1.1 100")
    assert got.status == 200
    assert [seen.body for seen in town.upstream.seen] == [body]


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Town]:
    """A gateway that takes larger bodies."""
    with served(echo_digest) as upstream, running(tmp_path, upstream, settings="max_body_mb = 128") as gateway:
        gateway.limit_memory(3000 * MIB)
        yield Town(upstream, gateway)


async def echo_digest(seen: Seen) -> AsyncIterator[bytes | End]:
    """Answers with the digest of what came."""
    yield plain(hashlib.sha256(seen.body).hexdigest().encode(), kind=b"text/plain")


@pytest.mark.slow
def test_a_body_of_100_mb_passes_where_the_limit_allows_it(roomy: Town) -> None:
    body = bytes(range(256)) * (100 * MIB // 256)
    got = roomy.ask(
        request(b"POST", b"/v1/files", [(b"content-type", b"application/octet-stream")], body), timeout_s=120
    )
    assert (got.status, got.body.decode()) == (200, hashlib.sha256(body).hexdigest())
    assert len(roomy.gateway.call(lambda call: call["path"] == "/v1/files")["request_body"]) > 10 * MIB


def test_a_stream_of_200_mb_passes_and_is_not_kept(town: Town) -> None:
    """An endless stream: what it costs does not grow with it, and what was not kept is said."""
    event = chunk(b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 2**17))

    async def endless(_: Seen) -> AsyncIterator[bytes | End]:
        yield SSE_HEAD
        while True:
            yield event

    town.upstream.script = endless
    before = town.gateway.peak_bytes()
    came, call_id = town.upstream.run(_read_for_a_while(town, chat(stream=True, n=1), 200 * MIB))
    assert came >= 200 * MIB
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 500 * MIB
    call = town.gateway.call(lambda call: call["id"] == call_id)
    assert call["error"] == "client_gone"
    assert "response_not_kept" in call["tags"]


def test_an_event_without_an_end_is_no_reason_to_keep_it(town: Town) -> None:
    """A line that never ends, in a stream that is edited: it goes on, or is broken off, but does not pile up."""

    async def endless(_: Seen) -> AsyncIterator[bytes | End]:
        yield SSE_HEAD + chunk(b"data: ")
        for _part in range(200):
            yield chunk(b"x" * MIB)
        yield CLOSE

    town.upstream.script = endless
    before = town.gateway.peak_bytes()
    town.upstream.run(_read_for_a_while(town, chat(stream=True), 190 * MIB))
    assert town.gateway.peak_bytes() - before < LATE_BYTES + 150 * MIB


async def _read_for_a_while(town: Town, raw: bytes, size_bytes: int) -> tuple[int, str]:
    """Read so much of a response and hang up; returns how much came, and the call's id."""
    line = Line(town.port)
    came = [0]

    def seen(got: Got) -> None:
        came[0] += len(got.body)
        got.body.clear()
        if came[0] >= size_bytes:
            line.abort()

    await line.send(raw)
    async with asyncio.timeout(60):
        got = await line.read(seen=seen, timeout_s=600)
    line.abort()
    return came[0], got.header(b"freehold-call-id").decode()
