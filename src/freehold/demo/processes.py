"""The processes of a demonstration: a simulated provider and a gateway, started, watched and restarted.

A process that dies, even by `kill -9`, is started again on the same port; clients retry meanwhile. All of them end
with the block that started them. Not covered: the engines (the gateway watches its own).
"""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from freehold.errors import EngineError

_PR_SET_PDEATHSIG = 1
_DEATHS_BEFORE_READY = 3
_READY_S = 300.0


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
    keeper = _Keeper(name, [sys.executable, "-m", *arguments], log)
    keeper.start()
    try:
        _wait_until_ready(keeper, ready_url)
        yield
    finally:
        keeper.stop()


class _Keeper(threading.Thread):
    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        super().__init__(name=f"watch-{name}", daemon=True)
        self.label = name
        self.log = log
        self._command = command
        self.deaths = 0
        self._ending = threading.Event()
        self._process = self._spawn()

    def run(self) -> None:
        while not self._ending.is_set():
            if self._process.poll() is not None:
                self.deaths += 1
                self._ending.wait(0.3)
                if not self._ending.is_set():
                    self._process = self._spawn()
            self._ending.wait(0.1)

    def stop(self) -> None:
        self._ending.set()
        self.join(timeout=5)
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as sink:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_ready(keeper: _Keeper, url: str) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and keeper.deaths < _DEATHS_BEFORE_READY:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  (loopback, our own)
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    lines = keeper.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise EngineError(
        f"The {keeper.label} did not start: {lines[-1] if lines else 'it said nothing'!r}.", hint=f"See {keeper.log}."
    )
