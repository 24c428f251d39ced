"""A case of `limits.py`: how much memory do 100 connections without a key take that each send a body of 50 MB?

The gateway asks for keys; each connection sends as long as it is read. What counts is the most memory that all
processes of the gateway have at a time, beyond what they had before. Not covered: callers with a key.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from gateway_host import Processes, tree
from steady_figures import Options, Row, at_most
from steady_scene import CHAT, Scene

CONNECTIONS, BODY_BYTES = 100, 50 * 2**20
MOST_MIB = 64.0
_CHUNK = bytes(2**16)
_LONGEST_S = 30.0
_LOOK_S = 0.02
_STEADY_LOOKS, _MOST_LOOKS = 8, 40


def measure(options: Options) -> list[Row]:
    """The connections, and the memory."""
    processes = Processes(options.folder)
    scene = Scene(options, processes, environment={"FREEHOLD_GATEWAY_REQUIRE_KEY": "true"})
    try:
        scene.start()
        assert scene.gateway is not None
        before = _settled_mib(scene.gateway.pid)
        options.tell(f"{CONNECTIONS} connections without a key, each with a body of {BODY_BYTES // 2**20} MB")
        most, sent, answered = _send(scene.port, scene.gateway.pid)
    finally:
        processes.stop_since(0)
    note = f"{answered} of {CONNECTIONS} got 401; they could send {sent / 2**20:.1f} MiB in all"
    return [
        at_most("memory for 100 strangers with large bodies", most - before, MOST_MIB, "MiB", note=note),
        Row(name="memory of the gateway before", value=before, unit="MiB"),
    ]


def _send(port: int, pid: int) -> tuple[float, int, int]:
    """The most MiB meanwhile, how many bytes were taken, and how many connections got a 401."""
    looks, ending = [0.0], threading.Event()

    def look() -> None:
        while not ending.wait(_LOOK_S):
            looks.append(_mib(pid))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    strangers = [Stranger(port) for _ in range(CONNECTIONS)]
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline and not all(stranger.is_over for stranger in strangers):
        readable, writable, _ = select.select(*2 * [[s.socket for s in strangers if not s.is_over]], [], 1)
        for stranger in strangers:
            if stranger.socket in readable or stranger.socket in writable:
                stranger.go_on(is_answered=stranger.socket in readable)
    time.sleep(1)
    ending.set()
    thread.join()
    for stranger in strangers:
        stranger.socket.close()
    return max(looks), sum(s.sent for s in strangers), sum(b" 401 " in s.answer[:20] for s in strangers)


class Stranger:
    """A connection without a key that sends a large body for as long as it is taken."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.sent, self.answer, self.is_over = 0, b"", False
        lines = (f"POST {CHAT} HTTP/1.1", "host: here", "content-type: application/json")
        self.socket.sendall("\r\n".join([*lines, f"content-length: {BODY_BYTES}", "", ""]).encode())
        self.socket.setblocking(False)

    def go_on(self, *, is_answered: bool) -> None:
        """Send some more, or take the answer and be over."""
        try:
            if is_answered:
                self.answer, self.is_over = self.socket.recv(2**16), True
            else:
                self.sent += self.socket.send(_CHUNK[: BODY_BYTES - self.sent])
        except BlockingIOError:
            return
        except OSError:
            self.is_over = True


def _mib(pid: int) -> float:
    """Memory that the gateway's processes have for themselves, in MiB."""
    return sum(_anonymous_kib(one) for one in [pid, *tree(pid)]) / 1024


def _settled_mib(pid: int) -> float:
    """The same once it has not grown for some seconds: parts of the gateway are loaded after it is up."""
    seen = [_mib(pid)]
    while len(seen) < _MOST_LOOKS:
        time.sleep(1)
        seen.append(_mib(pid))
        last = seen[-_STEADY_LOOKS:]
        if len(last) == _STEADY_LOOKS and max(last) - min(last) < 1:
            break
    return seen[-1]


def _anonymous_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0
