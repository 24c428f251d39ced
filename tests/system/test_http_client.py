"""One request: what comes back, and what is said where nothing does; a key is in no error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from freehold.system.http_client import Response, UnreachableError, send

KEY = "sk-secret-0123456789"


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives this answer once; its URL, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join()


def ask(url: str, **more: int) -> Response:
    return send("POST", url, "/v1/x?y=1", b"{}", headers={"authorization": KEY}, timeout_s=20.0, **more)


def test_an_answer_comes_with_its_status_headers_and_body() -> None:
    with answering(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\ncontent-length: 4\r\n\r\nwait") as (url, asked):
        got = ask(f"{url}/v1/elsewhere")
    assert (got.status, got.headers["retry-after"], got.body) == (429, "3", b"wait")
    assert asked[0].startswith(b"POST /v1/x?y=1 HTTP/1.1\r\n")


def test_no_more_than_the_limit_is_read() -> None:
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabcdefghi") as (url, _):
        assert ask(url, most_bytes=3).body == b"abc"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "RemoteDisconnected"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc", "IncompleteRead"),
        (b"nothing of HTTP\r\n\r\n", "BadStatusLine"),
    ],
)
def test_half_an_answer_is_none(answer: bytes, why: str) -> None:
    with answering(answer) as (url, _), pytest.raises(UnreachableError, match=why) as caught:
        ask(url)
    assert KEY not in str(caught.value)


def test_nobody_there_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match="refused") as caught:
        ask(f"http://127.0.0.1:{port}")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_a_key_that_cannot_be_sent_is_not_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnreachableError) as caught:
            send("GET", url, "/", headers={"authorization": f"{KEY}\n"}, timeout_s=20.0)
    assert KEY not in str(caught.value)


def test_no_answer_in_time_says_how_long_it_waited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(UnreachableError, match=r"in 0\.05 s"):
        send("GET", f"http://127.0.0.1:{listener.getsockname()[1]}", "/", headers={}, timeout_s=0.05)
