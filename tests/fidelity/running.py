"""`freehold up` in a folder of its own, in front of a scripted provider; seen from outside alone.

Not covered: what is inside. These tests hold for any gateway that answers on a port and shows its record by
`freehold calls`.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fidelity.upstream import WAIT_S, Upstream

_PLACE = re.compile(r"gateway on http://127\.0\.0\.1:(\d+)/v1")
_STOP_S = 60.0
_SETTLING_LOOKS = 12


class Running:
    """A gateway that runs; `port` is where it listens."""

    def __init__(self, folder: Path, options: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = _free_of_settings() | environment
        self.port = 0
        self.log: list[str] = []
        self._told = threading.Event()
        command = [sys.executable, "-m", "freehold", "up", *options]
        self._process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=self._environment)
        assert self._process.stderr is not None
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        assert self._told.wait(WAIT_S), "the gateway never said where it listens"
        assert self.port, "".join(self.log)
        assert self.ask("GET", "/healthz")[0] == 200, "".join(self.log)

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def _listen(self, stream: IO[str]) -> None:
        for line in stream:
            self.log.append(line)
            if place := _PLACE.search(line):
                self.port = int(place.group(1))
                self._told.set()
        self._told.set()

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One ordinary request; header names of the answer in lower case."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, target, body, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def calls(self, *options: str) -> list[dict[str, Any]]:
        """The record, oldest first, as `freehold calls --json` shows it."""
        command = [sys.executable, "-m", "freehold", "calls", "--json", "-n", "0", *options]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, timeout=4 * WAIT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()][::-1]

    def call(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first call of this kind; it may take a moment to arrive."""
        pause = threading.Event()
        for _ in range(int(WAIT_S)):
            if found := next((call for call in self.calls() if is_it(call)), None):
                return found
            pause.wait(0.2)
        raise AssertionError("no such call was recorded")

    def recorded(self, call_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """These calls by id, once all of them have arrived; fails when one never does."""
        wanted = set(call_ids)
        pause, deadline = threading.Event(), time.monotonic() + WAIT_S
        while True:
            found = {call["id"]: call for call in self.calls() if call["id"] in wanted}
            if len(found) == len(wanted):
                return found
            assert time.monotonic() < deadline, f"never recorded: {sorted(wanted - found.keys())}"
            pause.wait(0.2)

    def one_recorded(self, call_id: str) -> None:
        """Return once this call has arrived, without reading all others."""
        command = [sys.executable, "-m", "freehold", "calls", call_id, "--json"]
        deadline = time.monotonic() + WAIT_S
        while subprocess.run(command, cwd=self.folder, env=self._environment, capture_output=True).returncode:
            assert time.monotonic() < deadline, f"{call_id} was never recorded"

    def memory_bytes(self) -> int:
        """Memory that the gateway and its child processes have for themselves now."""
        return sum(_status_bytes(pid, "RssAnon") for pid in _family(self.pid))

    def peak_bytes(self) -> int:
        """The most memory that the gateway and its child processes have had, each at its own worst moment."""
        return sum(_status_bytes(pid, "VmHWM") for pid in _family(self.pid))

    def settled_bytes(self) -> int:
        """The least memory that it has for itself within some seconds, so that what is under way does not count."""
        pause = threading.Event()
        seen = []
        for _ in range(_SETTLING_LOOKS):
            pause.wait(0.25)
            seen.append(self.memory_bytes())
        return min(seen)

    def limit_memory(self, size_bytes: int) -> None:
        """Let the gateway fail rather than the machine, should it want more than this."""
        for pid in _family(self.pid):
            resource.prlimit(pid, resource.RLIMIT_DATA, (size_bytes, size_bytes))

    def is_alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to stop, as an operator does."""
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask it to stop, and wait until it has; returns its exit status."""
        if self.is_alive():
            self.terminate()
        try:
            return self._process.wait(_STOP_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(_STOP_S)
        self._listener.join(_STOP_S)
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def running(
    folder: Path, upstream: Upstream, *options: str, settings: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A gateway with one provider for each dialect, both of them this upstream; `settings` are lines of `[gateway]`."""
    (folder / "freehold.toml").write_text(
        f"[gateway]\nport = 0\n{settings}\n"
        f'[providers.up]\nbase_url = "http://127.0.0.1:{upstream.port}/v1"\nprices = {{ "gpt*" = [1.0, 2.0] }}\n'
        f'[providers.claude]\nbase_url = "http://127.0.0.1:{upstream.port}"\ndialect = "anthropic"\n',
        encoding="utf-8",
    )
    gateway = Running(folder, options, environment or {})
    try:
        yield gateway
    except BaseException:
        gateway.kill()
        raise
    gateway.stop()


def _free_of_settings() -> dict[str, str]:
    """The environment without the settings and keys of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("FREEHOLD_", "OPENAI_"))}


def _family(pid: int) -> list[int]:
    children = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(child) for child in listing.read_text().split()]
        except OSError:
            continue  # a thread that has ended since
    return [pid] + [member for child in children for member in _family(child)]


def _status_bytes(pid: int, field: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0  # a process that has ended since
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0
