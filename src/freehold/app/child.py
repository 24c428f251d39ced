"""A process of the parent's: started, started again when it dies, and stopped.

A child is told its settings on stdin and answers on stdout, a few words a line: `ready` once it does its work, and
others that its owner hears. It dies with its parent (`app.lifeline`). Not covered: what it does (`app.worker`,
`app.sorter`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_STEADY_S = 30.0
_LOG = logging.getLogger("freehold.up")


def _hears_nothing(words: list[str]) -> None:
    del words


class Child(threading.Thread):
    """Runs `command` again and again until it is stopped; `what` names it in the log.

    The process holds the files `inherited` and is given `told` on stdin. `hear` is called with the words of each line
    that it says, on this thread; `changed` is notified when it is ready and when it has died.
    """

    def __init__(
        self,
        what: str,
        command: Sequence[str],
        told: bytes,
        *,
        inherited: Sequence[int] = (),
        hear: Callable[[list[str]], None] = _hears_nothing,
        changed: threading.Condition | None = None,
    ) -> None:
        super().__init__(name=f"freehold-{what.replace(' ', '-')}", daemon=True)
        self.what = what
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready = False
        self.deaths = 0
        self._command = [*command, "--parent", str(os.getpid())]
        self._told = told
        self._inherited = tuple(inherited)
        self._hear = hear
        self._changed = changed or threading.Condition()
        self._ending = threading.Event()

    def run(self) -> None:
        """Run the process, and after each death once more, with growing pauses where it keeps dying."""
        pause_s = _FIRST_PAUSE_S
        while not self._ending.is_set():
            began_at = time.monotonic()
            code = self._run_once()
            if self._ending.is_set():
                return
            if time.monotonic() - began_at > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            _LOG.error("%s ended (exit code %d) and is started again", self.what, code)
            with self._changed:
                self.deaths += 1
                self._changed.notify_all()
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def end(self) -> None:
        """Ask it to end; asked a second time, a worker waits for nothing."""
        self._ending.set()
        if self.process is not None:
            self.process.terminate()

    def join_or_kill(self, patience_s: float) -> None:
        """Wait until it has ended, and kill it when that takes longer than this."""
        self.join(max(0.0, patience_s))
        if self.is_alive():
            _LOG.error("%s does not end and is killed", self.what)
            if self.process is not None:
                self.process.kill()
            self.join()

    def _run_once(self) -> int:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._inherited,
            process_group=0,  # Ctrl-C is for the parent, which lets the calls under way end
        )
        self.process = process
        if self._ending.is_set():
            process.terminate()
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdout, contextlib.suppress(BrokenPipeError):  # a child that dies at once reads nothing
            with process.stdin:
                process.stdin.write(self._told)
            for line in process.stdout:
                self._take(line.decode("utf-8", "replace").split())
        return process.wait()

    def _take(self, words: list[str]) -> None:
        if words == ["ready"]:
            with self._changed:
                self.is_ready = True
                self._changed.notify_all()
        self._hear(words)
