"""The parent's watch over its workers, with scripted ones."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freehold.app import supervisor
from freehold.app.periodic import Periodic
from freehold.app.sockets import Sockets, listening
from freehold.app.supervisor import Workers
from freehold.errors import BusyError, StateError

WAIT_S = 60.0
SCRIPT = """
import os, signal, sys
told = sys.stdin.read()
open("{place}/" + str(os.getpid()), "w").write(told)
signal.signal(signal.SIGTERM, lambda *_: (print("lost 2", flush=True), os._exit(1)))
print("ready", flush=True)
while True:
    signal.pause()
"""
DYING = "import sys; sys.stdin.read(1)"


@pytest.fixture
def door() -> Iterator[Sockets]:
    opened = listening("127.0.0.1", 0, 2)
    yield opened
    if opened.socket.fileno() >= 0:
        opened.close()


def _workers(door: Sockets, code: str) -> Workers:
    return Workers(door, b"settings", command=(sys.executable, "-c", code))


def _wait_for_new(workers: Workers, gone: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while gone in workers.pids or len(workers.pids) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_that_dies_is_started_again(tmp_path: Path, door: Sockets, caplog: pytest.LogCaptureFixture) -> None:
    workers = _workers(door, SCRIPT.format(place=tmp_path))
    workers.start()
    first = set(workers.pids)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"settings"}
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    _wait_for_new(workers, victim)
    assert len(set(workers.pids) & first) == 1
    assert "(exit code -9) and is started again" in caplog.text
    deadline = time.monotonic() + WAIT_S
    while len(list(tmp_path.iterdir())) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.sched_yield()
    workers.stop(grace_s=WAIT_S)
    assert all(not Path(f"/proc/{pid}").exists() for pid in [*first, *workers.pids])
    assert workers.lost_calls >= 2


def test_workers_that_never_serve_are_given_up(door: Sockets) -> None:
    workers = _workers(door, DYING)
    with pytest.raises(StateError, match="does not start"):
        workers.start()
    workers.stop(grace_s=0)


def test_a_worker_that_does_not_end_is_killed(door: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_CLOSING_S", 0.1)
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True)\nwhile True: signal.pause()"
    workers = _workers(door, code)
    workers.start()
    pids = workers.pids
    workers.stop(grace_s=0)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_real_worker_without_its_parent_ends_at_once(door: Sockets) -> None:
    command = [sys.executable, "-m", "freehold.app.worker", "--number", "1", *door.options]
    done = subprocess.run(
        [*command, "--parent", "1"], pass_fds=door.files, input=b"", capture_output=True, timeout=WAIT_S
    )
    assert done.returncode == 1
    assert b"the process that started this one is gone" in done.stderr


def test_workers_share_a_port_that_nobody_else_gets(door: Sockets) -> None:
    for count in (1, 2):
        with pytest.raises(BusyError, match=f"Port {door.port} of 127.0.0.1 is in use"):
            listening("127.0.0.1", door.port, count)


def test_periodic_work_survives_its_failures(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.app.periodic._AFTER_FAILURE_S", 0.001)
    caplog.set_level(logging.INFO)
    outcomes = iter([StateError("away", hint=""), StateError("away", hint=""), ValueError("odd"), None, None])
    done = threading.Event()

    def work() -> None:
        outcome = next(outcomes, "end")
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == "end":
            done.set()

    periodic = Periodic("trial", work, pause_s=0.001)
    periodic.start()
    assert done.wait(WAIT_S)
    periodic.stop()
    assert [record.message for record in caplog.records] == [
        "freehold-trial: away It is tried again.",
        "freehold-trial failed; it is tried again.",
        "freehold-trial works again.",
    ]
    assert periodic.problem is None
