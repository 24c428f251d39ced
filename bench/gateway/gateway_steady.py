"""An open-loop load: requests at a constant rate, whatever becomes of them, and how long each took.

    python bench/gateway/gateway_steady.py --port N --path /v1/chat/completions --bodies FILE --rate 500 --seconds 20

Every request has a time at which it is due, and its latency runs from then, so that one which waits behind a slow
answer counts its wait too (no coordinated omission). One thread on `select`, whose timeouts have microseconds where
those of epoll and of asyncio are rounded to milliseconds. With --first, latency ends with the first event of a stream
instead of with the end of the answer. Prints one JSON line. Not covered: the most that a gateway can do, which is
wrk's part.
"""

from __future__ import annotations

import argparse
import json
import math
import select
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_CONNECTIONS = 512  # fewer than the 1,024 file descriptors that select takes
_GRACE_S = 5.0  # how long answers are awaited after the last request was due


@dataclass(slots=True, eq=False)
class Connection:
    """A kept-alive connection and the answer that is on its way."""

    socket: socket.socket
    due: float = 0.0
    first_at: float | None = None
    answer: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request that was due at this time."""
        self.due, self.first_at = due, None
        self.answer.clear()
        self.socket.sendall(request)

    def read(self) -> bool:
        """Take what came; True once the answer is whole. ConnectionError when the other side is gone."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("closed")
        self.answer += data
        head, gap, body = bytes(self.answer).partition(b"\r\n\r\n")
        if self.first_at is None and b"data:" in body:
            self.first_at = time.monotonic()
        if not gap:
            return False
        for line in head.lower().split(b"\r\n")[1:]:
            if line.startswith(b"content-length:"):
                return len(body) >= int(line[15:])
        return body.endswith(b"0\r\n\r\n")

    @property
    def is_good(self) -> bool:
        """Whether the answer's status is 200."""
        return self.answer[9:12] == b"200"


class Load:
    """One run: what is due, what is under way, what came back."""

    def __init__(self, port: int, requests: Sequence[bytes], *, rate: float, seconds: float, is_first: bool) -> None:
        self._port, self._requests, self._rate, self._is_first = port, requests, rate, is_first
        self._total = max(1, int(rate * seconds))
        self._idle: list[Connection] = []
        self._open: dict[socket.socket, Connection] = {}
        self._sent = 0
        self._start = time.monotonic() + 0.05
        self.latencies_s: list[float] = []
        self.failed = 0
        self.unanswered = 0

    def run(self) -> None:
        """Send everything at its time; give up on what has not come some seconds after the last one."""
        deadline = self._start + self._total / self._rate + _GRACE_S
        while len(self.latencies_s) + self.failed < self._total and time.monotonic() < deadline:
            self._send_due()
            readable, _, _ = select.select(list(self._open), [], [], self._pause_s(deadline))
            for ready in readable:
                self._take(self._open[ready])
        self._give_up()

    def _due(self, number: int) -> float:
        return self._start + number / self._rate

    def _pause_s(self, deadline: float) -> float:
        is_waiting = self._sent < self._total and (self._idle or len(self._open) < _CONNECTIONS)
        until = self._due(self._sent) if is_waiting else deadline
        return max(0.0, until - time.monotonic())

    def _send_due(self) -> None:
        while self._sent < self._total and self._due(self._sent) <= time.monotonic():
            if not self._idle and len(self._open) >= _CONNECTIONS:
                return
            connection = self._idle.pop() if self._idle else self._connect()
            number = self._sent
            self._sent += 1
            try:
                connection.ask(self._requests[number % len(self._requests)], self._due(number))
            except OSError:
                self._cut(connection)

    def _connect(self) -> Connection:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open[opened] = Connection(opened)
        return self._open[opened]

    def _take(self, connection: Connection) -> None:
        is_idle = connection in self._idle
        try:
            is_whole = connection.read()
        except OSError:
            # A server may close a connection that it has not used for a while: that is no failed request.
            if is_idle:
                self._close(connection)
            else:
                self._cut(connection)
            return
        if is_whole:
            ended = connection.first_at if self._is_first else time.monotonic()
            if connection.is_good and ended is not None:
                self.latencies_s.append(ended - connection.due)
            else:
                self.failed += 1
            self._idle.append(connection)

    def _cut(self, connection: Connection) -> None:
        """The connection of a request broke off before its answer was whole."""
        self.failed += 1
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        del self._open[connection.socket]
        connection.socket.close()

    def _give_up(self) -> None:
        """Count those that never came with the time they have waited, so that they are not left out of the tail."""
        now = time.monotonic()
        waiting = [c.due for c in self._open.values() if c not in self._idle]
        waiting += [self._due(number) for number in range(self._sent, self._total)]
        self.unanswered = len(waiting)
        self.latencies_s += [now - due for due in waiting]
        for connection in list(self._open.values()):
            self._close(connection)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def main() -> int:
    """Run the load that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", required=True, help="file with one request body a line")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--first", action="store_true", help="measure to the first event of a stream")
    chosen = parser.parse_args()
    head = f"POST {chosen.path} HTTP/1.1\r\nhost: 127.0.0.1:{chosen.port}\r\n"
    head += "".join(f"{header}\r\n" for header in chosen.header)
    with open(chosen.bodies, "rb") as lines:
        requests = [f"{head}content-length: {len(b)}\r\n\r\n".encode() + b for b in lines.read().splitlines()]
    load = Load(chosen.port, requests, rate=chosen.rate, seconds=chosen.seconds, is_first=chosen.first)
    load.run()
    counts = {"answered": len(load.latencies_s) - load.unanswered, "failed": load.failed, "unanswered": load.unanswered}
    times = {}
    if load.latencies_s:
        times = {f"p{p}_ms": round(percentile(load.latencies_s, p / 100) * 1e3, 3) for p in (50, 99)}
    print(json.dumps({**counts, **times}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
