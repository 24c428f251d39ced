"""The gateway's worker processes: started, watched, started again when they die, and stopped.

A worker is told its settings on stdin and answers on stdout: `ready` once it serves, `lost N` when it had to end with
calls that no disk took. It dies with its parent. Not covered: what it does (`app.worker`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from freehold.errors import StateError

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_STEADY_S = 30.0
_DEATHS_BEFORE_READY = 3
_CLOSING_S = 25.0
"""What a worker may need beyond its grace: background calls and a disk that refuses."""
_WORKER = (sys.executable, "-m", "freehold.app.worker")
_LOG = logging.getLogger("freehold.up")


class Workers:
    """One process for each listening socket, told `told` on stdin, and holding the files `inherited`."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        told: bytes,
        *,
        inherited: Sequence[int] = (),
        command: Sequence[str] = _WORKER,
        ending: threading.Event | None = None,
    ) -> None:
        self._changed = threading.Condition()
        self._sockets = sockets
        self._ending = ending or threading.Event()
        self._workers = [
            _Worker(number, [*command, "--number", str(number)], (listener.fileno(), *inherited), told, self._changed)
            for number, listener in enumerate(sockets, start=1)
        ]

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run now."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    @property
    def lost_calls(self) -> int:
        """How many answered calls ended with their workers because no disk took them."""
        return sum(worker.lost_calls for worker in self._workers)

    def start(self) -> None:
        """Start all of them; returns once all serve, or `ending` is set. StateError when one dies again and again."""
        for worker in self._workers:
            worker.start()
        with self._changed:
            while not self._ending.is_set() and not all(worker.is_ready for worker in self._workers):
                if any(worker.deaths >= _DEATHS_BEFORE_READY and not worker.is_ready for worker in self._workers):
                    raise StateError("The gateway does not start.", hint="Its last words stand above.")
                self._changed.wait(0.1)

    def stop(self, grace_s: float) -> None:
        """Let each end the calls under way, for at most `grace_s`, and end it."""
        for listener in self._sockets:
            listener.close()
        for worker in self._workers:
            worker.end()
        deadline = time.monotonic() + grace_s + _CLOSING_S
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                _LOG.error("gateway worker %d does not end and is killed", worker.number)
                worker.kill()
                worker.join()

    def hurry(self) -> None:
        """Let those that are stopping wait for nothing any more."""
        for worker in self._workers:
            worker.end()


class _Worker(threading.Thread):
    def __init__(
        self, number: int, command: Sequence[str], files: Sequence[int], told: bytes, changed: threading.Condition
    ) -> None:
        super().__init__(name=f"freehold-worker-{number}", daemon=True)
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready = False
        self.deaths = 0
        self.lost_calls = 0
        self._command = [*command, "--parent", str(os.getpid()), "--listener", str(files[0])]
        self._files = files
        self._told = told
        self._changed = changed
        self._ending = threading.Event()

    def run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._ending.is_set():
            began_at = time.monotonic()
            code = self._run_once()
            if self._ending.is_set():
                return
            if time.monotonic() - began_at > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            _LOG.error("gateway worker %d ended (exit code %d) and is started again", self.number, code)
            with self._changed:
                self.deaths += 1
                self._changed.notify_all()
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def end(self) -> None:
        """Ask it to end; asked a second time, it waits for nothing."""
        self._ending.set()
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def _run_once(self) -> int:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._files,
            process_group=0,  # Ctrl-C is for the parent, which lets the calls under way end
        )
        self.process = process
        if self._ending.is_set():
            process.terminate()
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdout, contextlib.suppress(BrokenPipeError):  # a worker that dies at once reads nothing
            with process.stdin:
                process.stdin.write(self._told)
            for line in process.stdout:
                self._hear(line.decode("utf-8", "replace").split())
        return process.wait()

    def _hear(self, words: list[str]) -> None:
        match words:
            case ["ready"]:
                with self._changed:
                    self.is_ready = True
                    self._changed.notify_all()
            case ["lost", count] if count.isdigit():
                self.lost_calls += int(count)
