"""Child processes: started, started again when they die, and ended.

    start_process, end_process      one process, once
    Supervisor                      a process that is started again when it dies, on a thread of its own

A child has a process group of its own: Ctrl-C is for its parent, which ends it in good order. What it needs to know
and is a secret it reads from stdin, where no list of processes shows it. Not covered: how a child notices that its
parent was killed (`system.lifeline`), what it does.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_STEADY_S = 30.0
Hear = Callable[[list[str]], None]
Command = Callable[[], Sequence[str] | None]


def start_process(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    takes_input: bool = False,
    is_heard: bool = False,
    inherited: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process with these files `inherited`; what it writes goes to the end of `log`, or to our own stderr.

    stdin is a pipe where it `takes_input`, and stdout one where it `is_heard`.
    """
    with contextlib.ExitStack() as files:
        sink = None if log is None else files.enter_context(log.open("ab"))
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_heard else sink,
            stderr=sink,
            env=environment,
            pass_fds=inherited,
            process_group=0,
        )


def end_process(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Ask a process to end, wait for it, and kill it when that takes longer than this."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """The last line of a child's log that says anything."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


class Supervisor(threading.Thread):
    """Runs a command until it is stopped, and after each death once more, with growing pauses where it keeps dying.

    `command` gives the words of each start; None where it must not be started now, which counts as a death. `told` is
    written to stdin. The words of each line on stdout go to `hear`, on this thread; the word `ready` alone or at the
    beginning says that it does its work. `changed` is notified when it is ready and when it has died. `logger` is told
    of deaths; `what` names the process there.
    """

    def __init__(
        self,
        what: str,
        command: Sequence[str] | Command,
        *,
        told: bytes | None = None,
        hear: Hear | None = None,
        inherited: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        changed: threading.Condition | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(name=f"freehold-{what.replace(' ', '-')}", daemon=True)
        self.what = what
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready = False
        self.deaths = 0
        self.changed = changed or threading.Condition()
        self._command: Command = command if callable(command) else lambda: command
        self._told = told
        self._hear = hear
        self._inherited = tuple(inherited)
        self._environment = environment
        self._log = log
        self._logger = logger
        self._ending = threading.Event()

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        return None if self.process is None else self.process.pid

    def run(self) -> None:
        """Run the process again and again."""
        pause_s = _FIRST_PAUSE_S
        while not self._ending.is_set():
            began_at = time.monotonic()
            code = self._run_once()
            with self.changed:
                self.process, self.is_ready = None, False
                self.deaths += not self._ending.is_set()
                self.changed.notify_all()
            if self._ending.is_set():
                return
            if self._logger is not None and code is not None:
                self._logger.error("%s ended (exit code %d) and is started again", self.what, code)
            if time.monotonic() - began_at > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def end(self) -> None:
        """Ask it to end, and start it no more; a process may take a second call as a wish to hurry."""
        self._ending.set()
        if process := self.process:
            process.terminate()

    def join_or_kill(self, patience_s: float) -> None:
        """Wait until it has ended, and kill it when that takes longer than this."""
        self.join(max(0.0, patience_s))
        if self.is_alive():
            if self._logger is not None:
                self._logger.error("%s does not end and is killed", self.what)
            if process := self.process:
                process.kill()
            self.join()

    def stop(self, patience_s: float) -> None:
        """End it and wait for that, and kill it when that takes longer than this."""
        self.end()
        self.join_or_kill(patience_s)

    def _run_once(self) -> int | None:
        """Run the process until it dies; its exit code, or None where it must not be started."""
        command = self._command()
        if command is None:
            return None
        try:
            process = start_process(
                command,
                environment=self._environment,
                log=self._log,
                takes_input=self._told is not None,
                is_heard=self._hear is not None,
                inherited=self._inherited,
            )
        except OSError as error:  # of memory, processes or files there are none left just now
            if self._logger is not None:
                self._logger.error("%s cannot be started (%s); it is tried again", self.what, error.strerror)
            return None
        self.process = process
        if self._ending.is_set():
            process.terminate()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # a child that dies at once reads nothing
                process.stdin.write(self._told or b"")
        if process.stdout is not None:
            with process.stdout:
                for line in process.stdout:
                    self._take(line.decode("utf-8", "replace").split())
        return process.wait()

    def _take(self, words: list[str]) -> None:
        if self._hear is not None:
            self._hear(words)
        if words[:1] == ["ready"]:
            with self.changed:
                self.is_ready = True
                self.changed.notify_all()
