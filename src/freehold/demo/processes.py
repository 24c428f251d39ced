"""The processes of a demonstration: a simulated provider and a gateway, started, watched and restarted.

A process that dies, even by `kill -9`, is started again on the same port; clients retry meanwhile. All of them end
with the block that started them. Not covered: the engines (the gateway watches its own).
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from freehold.errors import EngineError
from freehold.system.child_process import Supervisor, last_line
from freehold.system.http_client import UnreachableError, send
from freehold.system.lifeline import tied

_DEATHS_BEFORE_READY = 3
_READY_S = 300.0
_PATIENCE_S = 15.0


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def watched(name: str, arguments: Sequence[str], *, ready_url: str, log: Path) -> Iterator[None]:
    """Run `python -m ARGUMENTS...` until the block ends; restart it whenever it dies.

    Waits until `ready_url` answers; EngineError with the log's last line when it does not within five minutes, or when
    the process dies again and again before.
    """
    process = Supervisor(name, tied([sys.executable, "-m", *arguments], signal.SIGTERM), log=log)
    process.start()
    try:
        _wait_until_ready(process, ready_url, log)
        yield
    finally:
        process.stop(_PATIENCE_S)


def _wait_until_ready(process: Supervisor, url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.deaths < _DEATHS_BEFORE_READY:
        try:
            send("GET", url, urlsplit(url).path or "/", headers={}, timeout_s=2)
            return
        except UnreachableError:
            time.sleep(0.1)
    raise EngineError(f"The {process.what} did not start: {last_line(log)!r}.", hint=f"See {log}.")
