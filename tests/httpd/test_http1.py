"""HTTP/1.1 itself, byte by byte over loopback: framing, order, limits, and peers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.httpd.client import Origin, Pool, Response, Timeouts, UpstreamError
from freehold.httpd.request import ClientGoneError, Request
from freehold.httpd.server import Limits, Server

WAIT_S = 20.0
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Echo:
    """A handler that says what it got; `requests` holds all that it was handed."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.gone = asyncio.Event()

    async def __call__(self, request: Request) -> None:
        self.requests.append(request)
        if request.problem is not None:
            request.start(413 if request.problem == "too_large" else 408, [])
            request.finish(request.problem.encode())
            return
        if request.target == b"/wait":
            try:
                with request.attended():
                    await asyncio.get_running_loop().create_future()
            except ClientGoneError:
                self.gone.set()
            return
        said = b"%b %b %b" % (request.method.encode(), request.target, request.body)
        if request.target == b"/stream":
            request.start(200, [])
            for byte in said:
                request.write(bytes([byte]))
            request.finish()
            return
        request.start(200, [(b"content-length", b"%d" % len(said))])
        request.finish(said)


def refuse(refusal: str) -> Any:
    status = {"bad_request": 400, "head_too_large": 431, "timeout": 408}[refusal]
    return status, [(b"content-length", b"0")], b""


def with_server(work: Callable[[int, Echo, Server], Awaitable[None]], limits: Limits | None = None) -> None:
    async def main() -> None:
        echo = Echo()
        server = Server(echo, limits or Limits(body_bytes=1000, head_bytes=2000), refuse)
        taken = socket.create_server(("127.0.0.1", 0))
        await server.start(taken)
        try:
            async with asyncio.timeout(WAIT_S):
                await work(taken.getsockname()[1], echo, server)
        finally:
            await server.stop(0)

    asyncio.run(main())


async def talk(port: int, *pieces: bytes) -> bytes:
    """What the server says until it closes; the last piece should make it close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


CLOSE = b"connection: close\r\n"


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 90), max_size=6))
def test_requests_in_any_pieces_are_answered_in_order(cuts: set[int]) -> None:
    whole = (
        b"POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r\none"
        b"POST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\no\r\n0\r\n\r\n"
        b"GET /c HTTP/1.1\r\n" + CLOSE + b"\r\n"
    )
    ends = sorted(cuts)
    pieces = [whole[start:end] for start, end in zip([0, *ends], [*ends, len(whole)], strict=True)]

    async def work(port: int, echo: Echo, server: Server) -> None:
        answer = await talk(port, *pieces)
        assert [part for part in (b"POST /a one", b"POST /b two", b"GET /c ") if part in answer] == [
            b"POST /a one",
            b"POST /b two",
            b"GET /c ",
        ]
        assert answer.index(b"/a one") < answer.index(b"/b two") < answer.index(b"/c ")

    with_server(work)


def test_streams_are_chunked_and_old_clients_get_a_closed_connection() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        new = await talk(port, b"GET /stream HTTP/1.1\r\n" + CLOSE + b"\r\n")
        assert b"transfer-encoding: chunked" in new
        assert new.endswith(b"1\r\n \r\n0\r\n\r\n")
        old = await talk(port, b"GET /stream HTTP/1.0\r\n\r\n")
        assert b"chunked" not in old
        assert old.endswith(b"\r\n\r\nGET /stream ")
        head = await talk(port, b"HEAD /x HTTP/1.1\r\n" + CLOSE + b"\r\n")
        assert b"content-length: 8" in head
        assert head.endswith(b"\r\n\r\n")

    with_server(work)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /x HTTP/1.1\r\na : b\r\n\r\n",
        b"GET /x HTTP/1.1\r\na: b\0c\r\n\r\n",
        b"GET /x HTTP/1.1\r\na: b\r\n folded\r\n\r\n",
        b"POST /x HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /x HTTP/1.1\r\ncontent-length: +5\r\n\r\nabcde",
        b"POST /x HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_two_servers_could_read_differently_is_refused(request_bytes: bytes) -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        answer = await talk(port, request_bytes + b"GET /smuggled HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert all(request.target != b"/smuggled" for request in echo.requests)
        assert all(request.problem is not None for request in echo.requests)

    with_server(work)


OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAA\r\n"


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 900), max_size=6))
def test_an_offer_of_another_protocol_is_ignored_in_any_pieces(cuts: set[int]) -> None:
    """As the JDK's HttpClient makes it: with bodies of both kinds, and requests behind it on the same connection."""
    whole = (
        b"POST /a HTTP/1.1\r\n" + OFFER + b"content-length: 3\r\n\r\none"
        b"POST /b HTTP/1.1\r\n" + OFFER + b"transfer-encoding: chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\no\r\n0\r\n\r\n"
        b"GET /c HTTP/1.1\r\n" + OFFER + b"\r\n"
        b"POST /d HTTP/1.1\r\nconnection: upgrade\r\nUPGRADE: TLS/1.0, any/2\r\ncontent-length: 4\r\n\r\nfour"
        b"GET /e HTTP/1.1\r\n" + OFFER + CLOSE + b"\r\n"
    )
    ends = sorted(cuts)
    pieces = [whole[start:end] for start, end in zip([0, *ends], [*ends, len(whole)], strict=True)]

    async def work(port: int, echo: Echo, server: Server) -> None:
        answer = await talk(port, *pieces)
        said = [(request.method, request.target, request.body) for request in echo.requests]
        assert said == [
            ("POST", b"/a", b"one"),
            ("POST", b"/b", b"two"),
            ("GET", b"/c", b""),
            ("POST", b"/d", b"four"),
            ("GET", b"/e", b""),
        ]
        assert answer.count(b"HTTP/1.1 200 OK") == 5
        assert not any(name.lower() == b"upgrade" for request in echo.requests for name, _ in request.headers)

    with_server(work)


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"content-length: +5\r\n\r\nabcde",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ],
)
def test_behind_an_offer_nothing_is_smuggled(framing: bytes) -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        hidden = b"GET /smuggled HTTP/1.1\r\n\r\n"
        for offer in (
            OFFER,
            b"upgrade: h2c\r\nconnection: upgrade\r\n",
            b"connection: upgrade\r\nupgrade: websocket\r\n",
        ):
            answer = await talk(port, b"POST /x HTTP/1.1\r\n" + offer + framing + hidden)
            assert answer.startswith(b"HTTP/1.1 400 ")
        assert echo.requests == []

    with_server(work)


def test_behind_a_websocket_nothing_is_read() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        head = b"GET /x HTTP/1.1\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\n"
        answer = await talk(port, head + b"GET /smuggled HTTP/1.1\r\n\r\n")
        assert (answer.count(b"HTTP/1.1"), [request.target for request in echo.requests]) == (1, [b"/x"])
        with_body = head.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\nhello")
        assert (await talk(port, with_body)).startswith(b"HTTP/1.1 400 ")
        tunnel = b"CONNECT x:1 HTTP/1.1\r\n" + OFFER + b"\r\n"
        await talk(port, tunnel + b"GET /smuggled HTTP/1.1\r\n\r\n")
        assert [request.target for request in echo.requests] == [b"/x", b"x:1"]

    with_server(work)


def test_an_offer_keeps_the_limits() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        head = b"POST /x HTTP/1.1\r\n" + OFFER
        assert (await talk(port, head + b"a: " + b"x" * 3000 + b"\r\n\r\n")).startswith(b"HTTP/1.1 431 ")
        assert (await talk(port, head + b"content-length: 2000\r\n\r\nabc")).startswith(b"HTTP/1.1 413 ")
        many = await talk(port, (b"GET /x HTTP/1.1\r\n" + OFFER + b"\r\n") * 2000 + b"GET /x HTTP/1.0\r\n\r\n")
        assert many.count(b"HTTP/1.1 200 OK") == 2001
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"expect: 100-continue\r\ncontent-length: 3\r\n" + CLOSE + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.read()).endswith(b"POST /x abc")
        writer.close()

    with_server(work, Limits(body_bytes=1000, head_bytes=2000))


def test_heads_that_are_too_large() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        for head in (b"a: " + b"x" * 3000, b"\r\n".join(b"h%d: x" % n for n in range(600)), b"a: " + b"x" * 300_000):
            answer = await talk(port, b"GET /x HTTP/1.1\r\n" + head + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 431 ")
        assert echo.requests == []

    with_server(work)


def test_bodies_that_are_too_large_are_answered_before_they_have_come() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        declared = await talk(port, b"POST /x HTTP/1.1\r\ncontent-length: 2000\r\n\r\nabc")
        counted = await talk(port, b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 1500)
        asked = await talk(port, b"POST /x HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2000\r\n\r\n")
        for answer in (declared, counted, asked):
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"connection: close" in answer
            assert answer.endswith(b"too_large\r\n0\r\n\r\n")

    with_server(work)


def test_expect_continue() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /x HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n" + CLOSE + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.read()).endswith(b"POST /x abc")
        writer.close()

    with_server(work)


def test_a_client_that_hangs_up() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\n\r\n")
        while not echo.requests:
            await asyncio.sleep(0)
        writer.close()
        await echo.gone.wait()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /x HTTP/1.1\r\ncontent-length: 5\r\n\r\nab")
        await writer.drain()
        while not any(connection._reading for connection in server.connections):
            await asyncio.sleep(0)
        writer.close()
        while len(echo.requests) < 2:
            await asyncio.sleep(0)
        assert (echo.requests[1].problem, echo.requests[1].is_gone) == ("gone", True)

    with_server(work)


def test_clients_that_stand_still() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        head = talk(port, b"GET /x HT")
        body = talk(port, b"POST /x HTTP/1.1\r\ncontent-length: 5\r\n\r\nab")
        idle = talk(port, b"GET /x HTTP/1.1\r\n\r\n")
        answers = await asyncio.gather(head, body, idle)
        assert answers[0].startswith(b"HTTP/1.1 408 ")
        assert answers[1].startswith(b"HTTP/1.1 408 ")
        assert answers[2].startswith(b"HTTP/1.1 200 ")

    with_server(work, Limits(client_wait_s=0.2, keepalive_s=0.2))


def test_stopping_lets_requests_end() -> None:
    async def work(port: int, echo: Echo, server: Server) -> None:
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        waiting = asyncio.create_task(talk(port, b"GET /wait HTTP/1.1\r\n\r\n"))
        while not echo.requests:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(server.stop(WAIT_S))
        assert await idle_reader.read() == b""
        idle_writer.close()
        echo.requests[0].start(200, [(b"content-length", b"2")])
        echo.requests[0].finish(b"ok")
        echo.requests[0].task.cancel()
        assert (await waiting).endswith(b"ok")
        await stopping

    with_server(work)


# the client


def ask_scripted(
    script: list[bytes], work: Callable[[Pool, Origin, list[bytes]], Awaitable[None]], *, ends: bool = True
) -> None:
    """Ask an upstream that answers its n-th connection with `script[n]`, and closes it if `ends`."""

    async def main() -> None:
        seen: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number = len(seen)
            seen.append(b"")
            seen[number] += await reader.readuntil(b"\r\n\r\n")
            writer.write(script[min(number, len(script) - 1)])
            await writer.drain()
            if not ends:
                seen[number] += await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        pool = Pool()
        try:
            async with asyncio.timeout(WAIT_S):
                await work(pool, Origin(False, "127.0.0.1", port), seen)
        finally:
            pool.close()
            server.close()

    asyncio.run(main())


async def got(pool: Pool, origin: Origin, *, is_head: bool = False, **timeouts: float) -> tuple[Response, bytes]:
    method = b"HEAD" if is_head else b"GET"
    head = method + b" /x HTTP/1.1\r\nhost: localhost\r\n\r\n"
    response = await pool.ask(origin, head, b"", is_head=is_head, timeouts=Timeouts(**timeouts))
    return response, await response.read_all(2**20)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK, 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 404 No\r\n\r\n", 404, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 599 Odd\r\ncontent-length: 0\r\n\r\n", 599, b""),
    ],
)
def test_responses(answer: bytes, status: int, body: bytes) -> None:
    async def work(pool: Pool, origin: Origin, seen: list[bytes]) -> None:
        response, whole = await got(pool, origin)
        assert (response.status, whole, response.is_whole) == (status, body, True)

    ask_scripted([answer], work)


def test_head_has_no_body_whatever_its_length_says() -> None:
    async def work(pool: Pool, origin: Origin, seen: list[bytes]) -> None:
        response, whole = await got(pool, origin, is_head=True)
        assert (whole, response.header(b"content-length")) == (b"", "5")

    ask_scripted([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], work, ends=False)


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"])
def test_every_place_where_an_upstream_can_break_off(answer: bytes) -> None:
    """Cut after each byte: an error, of a kind that fits, and never half a body as if it were whole."""

    async def work(pool: Pool, origin: Origin, seen: list[bytes]) -> None:
        kinds = set()
        for _ in range(len(answer)):
            with pytest.raises(UpstreamError) as raised:
                await got(pool, origin)
            kinds.add(raised.value.kind)
        assert kinds == {"closed"}
        assert len(seen) == len(answer), "one connection for each: nothing was repeated"

    ask_scripted([answer[:end] for end in range(len(answer))], work)


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"x" * 2**19,
    ],
)
def test_malformed_responses(answer: bytes) -> None:
    async def work(pool: Pool, origin: Origin, seen: list[bytes]) -> None:
        with pytest.raises(UpstreamError) as raised:
            await got(pool, origin)
        assert raised.value.kind == "malformed"

    ask_scripted([answer], work, ends=False)


def test_timeouts_say_which() -> None:
    async def work(pool: Pool, origin: Origin, seen: list[bytes]) -> None:
        for timeouts, kind in (
            ({"first_byte_s": 0.03}, "first_byte_timeout"),
            ({"idle_s": 0.03}, "idle_timeout"),
            ({"total_s": 0.03}, "total_timeout"),
        ):
            with pytest.raises(UpstreamError) as raised:
                await got(pool, origin, **timeouts)
            assert raised.value.kind == kind

    half = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"
    ask_scripted([b"", half, half], work, ends=False)


def test_connections_are_kept_and_spoilt_ones_are_not() -> None:
    async def work(pool: Pool, origin: Origin, seen: list[bytes]) -> None:
        await got(pool, origin)
        assert pool._idle[origin][0].is_usable
        pool._idle[origin][0].data_received(b"HTTP/1.1 200 OK\r\n\r\nnobody asked for this")
        assert not pool._idle[origin][0].is_usable
        await got(pool, origin)
        assert len(seen) == 2

    ask_scripted([OK], work, ends=False)


def test_nobody_listens() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with pytest.raises(UpstreamError) as raised:
            await got(Pool(), Origin(False, "127.0.0.1", port))
        assert raised.value.kind == "unreachable"

    asyncio.run(main())
