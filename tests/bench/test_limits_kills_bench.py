"""The bench about kills: a caller that is cut asks again once, and a worker serves once it watches the socket."""

from __future__ import annotations

import importlib
import os
import socket
import threading
from typing import Any

import pytest
from benches import reach_benches

REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nx"
ANSWER = b"HTTP/1.1 200 OK\r\nfreehold-call-id: %d\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the bench."""
    reach_benches(monkeypatch)
    return importlib.import_module


def _serve(listener: socket.socket, cut: int) -> None:
    """Cut so many connections after their request, then answer one request on each."""
    with listener:
        for number in range(cut + 1):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if number >= cut:
                    connection.sendall(ANSWER % number)
                    connection.recv(1000)


@pytest.mark.parametrize(("cut", "retried", "failed", "answered"), [(0, 0, 0, ["0"]), (1, 1, 0, ["1"]), (2, 1, 1, [])])
def test_a_caller_that_is_cut_retries_once(
    bench: Any, cut: int, retried: int, failed: int, answered: list[str]
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    thread = threading.Thread(target=_serve, args=(listener, cut), daemon=True)
    thread.start()
    callers = bench("limits_callers").Callers(port, [REQUEST], rate=1000.0, seconds=0.001)
    callers.run()
    assert (callers.retried, callers.failed, callers.answered) == (retried, failed, answered)
    assert len(callers.latencies_s) == len(answered)


def test_a_worker_accepts_once_it_watches_the_socket(bench: Any) -> None:
    import select

    kills = bench("limits_kills")
    with socket.create_server(("127.0.0.1", 0)) as listener, select.epoll() as epoll:
        port = listener.getsockname()[1]
        assert not kills._accepts(os.getpid(), port)
        epoll.register(listener.fileno(), select.EPOLLIN)
        assert kills._accepts(os.getpid(), port)
