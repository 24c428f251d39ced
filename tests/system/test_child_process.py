"""Child processes: started again when they die, ended in time, and never left behind by a parent that is killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from freehold.system.child_process import Supervisor, end_process, last_line, start_process
from freehold.system.lifeline import tied

WAIT_S = 60.0
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
ECHO = """
import sys, time
print("ready", sys.stdin.read(), flush=True)
print("to the log", file=sys.stderr, flush=True)
time.sleep(600)
"""


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_process_that_dies_is_started_again_and_told_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[list[str]] = []
    log = tmp_path / "log"
    one = Supervisor(
        "the echo", _python(ECHO), told=b"secret", hear=heard.append, log=log, logger=logging.getLogger("test")
    )
    one.start()
    try:
        _until(lambda: one.is_ready)
        first = one.pid or 0
        assert b"secret" not in Path(f"/proc/{first}/cmdline").read_bytes()
        assert os.getpgid(first) == first, "Ctrl-C is for its parent"
        os.kill(first, signal.SIGKILL)
        _until(lambda: one.is_ready and one.pid not in (None, first))
    finally:
        one.stop(WAIT_S)
    assert heard == [["ready", "secret"]] * 2
    assert (one.deaths, one.pid, one.is_ready) == (1, None, False)
    assert "the echo ended (exit code -9) and is started again" in caplog.text
    assert last_line(log) == "to the log"
    assert _is_gone(first)


def test_a_start_that_is_not_allowed_counts_as_a_death_and_is_tried_again() -> None:
    answers: list[Sequence[str] | None] = [None, None, _python("print('ready', flush=True); input()")]
    one = Supervisor("it", lambda: answers.pop(0) if len(answers) > 1 else answers[0], told=None, hear=lambda _: None)
    one.start()
    _until(lambda: one.deaths >= 2)
    one.stop(WAIT_S)
    assert one.pid is None


def test_a_process_that_does_not_end_is_killed() -> None:
    one = Supervisor("it", _python(STUBBORN), hear=lambda _: None)
    one.start()
    _until(lambda: one.is_ready)
    pid = one.pid or 0
    one.stop(0.05)
    assert _is_gone(pid)
    alone = start_process(_python(STUBBORN), is_heard=True)
    assert alone.stdout is not None
    with alone.stdout as said:
        assert said.readline() == b"ready\n"
        end_process(alone, 0.05)
    assert alone.returncode == -signal.SIGKILL


def test_what_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    one = Supervisor("it", [str(tmp_path / "nothing")])
    one.start()
    _until(lambda: one.deaths >= 2)
    one.stop(WAIT_S)


def test_a_tied_command_does_not_outlive_a_parent_that_is_killed() -> None:
    code = (
        "import os, subprocess, sys; from freehold.system.lifeline import tied\n"
        "child = subprocess.Popen(tied([sys.executable, '-c', 'print(1, flush=True); input()']),"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(_python(code), capture_output=True, check=False, timeout=WAIT_S)
    assert done.returncode == -signal.SIGKILL
    _until(lambda: _is_gone(int(done.stdout)))


def test_a_tied_command_is_the_process_that_was_started() -> None:
    done = subprocess.run(tied(_python("import os; print(os.getpid())")), capture_output=True, check=True)
    assert done.stderr == b""
    assert int(done.stdout) > 0


@pytest.mark.parametrize(
    "arguments", [["freehold.serve.reference", "nowhere", "1"], ["freehold.system.lifeline", "1", "9", "true"]]
)
def test_a_child_whose_parent_is_gone_ends_at_once(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, check=False, timeout=WAIT_S)
    assert done.returncode == 1
    assert b"the process that started this one is gone" in done.stderr
