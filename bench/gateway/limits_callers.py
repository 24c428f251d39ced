"""The load of `limits_kills`: calls at a constant rate, by callers that retry once where their connection breaks off.

    python bench/gateway/limits_callers.py --port N --bodies FILE --ids FILE --rate 500 --seconds 120

A caller's wait runs from when its call was due to the end of its answer, the retry included. The ids of all calls that
were answered whole are written to a file. SIGTERM ends the load after what is under way. Prints one JSON line. Not
covered: loads without retries (`gateway_steady`).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway_steady import Connection, Load, percentile

_PATH = "/v1/chat/completions"
_ID = b"freehold-call-id: "


@dataclass(slots=True, eq=False)
class Caller(Connection):
    """A connection that knows what it asked, so that it can be asked again on another one."""

    request: bytes = b""
    is_second: bool = field(default=False)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request for the first time."""
        self.request, self.is_second = request, False
        super(Caller, self).ask(request, due)

    @property
    def call_id(self) -> str:
        """The id of the call that was answered."""
        return bytes(self.answer).partition(_ID)[2].partition(b"\r\n")[0].decode()


class Callers(Load):
    """Callers that retry once; `answered` holds the ids of the calls that were answered whole."""

    def __init__(self, port: int, requests: Sequence[bytes], *, rate: float, seconds: float) -> None:
        super().__init__(port, requests, rate=rate, seconds=seconds, is_first=False)
        self.answered: list[str] = []
        self.retried = 0

    def end(self) -> None:
        """Send nothing more."""
        self._total = len(self.latencies_s) + self.failed + len(self._open) - len(self._idle)

    def _connect(self) -> Connection:
        plain = super()._connect()
        self._open[plain.socket] = caller = Caller(plain.socket)
        return caller

    def _take(self, connection: Connection) -> None:
        before = len(self.latencies_s)
        super()._take(connection)
        if len(self.latencies_s) > before and isinstance(connection, Caller):
            self.answered.append(connection.call_id)

    def _cut(self, connection: Connection) -> None:
        assert isinstance(connection, Caller)
        request, due, is_second = connection.request, connection.due, connection.is_second
        self._close(connection)
        if is_second:
            self.failed += 1
            return
        self.retried += 1
        again = self._connect()
        assert isinstance(again, Caller)
        try:
            again.ask(request, due)
        except OSError:
            self._close(again)
            self.failed += 1
        else:
            again.is_second = True


def main() -> int:
    """Run the load that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="file with one request body a line")
    parser.add_argument("--ids", type=Path, required=True, help="where the ids of answered calls go, one a line")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, required=True, help="at most so long")
    chosen = parser.parse_args()
    head = f"POST {_PATH} HTTP/1.1\r\nhost: 127.0.0.1:{chosen.port}\r\n"
    head += "content-type: application/json\r\nauthorization: Bearer sk-bench\r\n"
    bodies = chosen.bodies.read_bytes().splitlines()
    requests = [f"{head}content-length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    load = Callers(chosen.port, requests, rate=chosen.rate, seconds=chosen.seconds)
    signal.signal(signal.SIGTERM, lambda *_: load.end())
    load.run()
    chosen.ids.write_text("\n".join(load.answered), encoding="utf-8")
    waits_ms = [1000 * wait_s for wait_s in load.latencies_s]
    counts = {"answered": len(load.answered), "failed": load.failed, "unanswered": load.unanswered}
    times = {"p50_ms": percentile(waits_ms, 0.5), "p99_ms": percentile(waits_ms, 0.99), "longest_ms": max(waits_ms)}
    print(json.dumps({**counts, "retried": load.retried, **(times if waits_ms else {})}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
