"""The scene of `steady.py`: a provider, `freehold up` of a checkout, a load, and other work, all on the same cores.

All of it is in one session, so that no process is sheltered from another by the scheduler's groups of sessions. Not
covered: what is measured (`steady_delivery`, `steady_rollback`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway_chat import MODEL, request_bodies
from gateway_host import BenchError, Processes, free_port, tree
from steady_figures import Options

from freehold.record import delivery_lag_s, read_backlog

HERE = Path(__file__).parent
CHAT = "/v1/chat/completions"
START_S, DRAIN_S = 120.0, 60.0
LOOPS = 2
_SAMPLE_S = 1.0
_PATIENCE_S = 120.0  # beyond a load's own seconds, on a machine that is busy on purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What callers saw of a load, in calls and milliseconds."""

    answered: int
    failed: int
    unanswered: int
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class LagSeries:
    """The delivery's lag while a load ran: seconds since it began, and the lag in seconds."""

    at_s: list[float] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)

    @property
    def last_s(self) -> float:
        """The largest of the last five samples."""
        return max(self.lag_s[-5:], default=0.0)

    @property
    def growth(self) -> float:
        """Seconds of lag that came on each second of the second half: the slope of the least squares."""
        half = len(self.at_s) // 2
        x, y = self.at_s[half:], self.lag_s[half:]
        if len(x) < 2:
            return 0.0
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        spread = sum((one - mean_x) ** 2 for one in x)
        return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread


@dataclass(slots=True)
class Scene:
    """A provider and a gateway with so many workers in a folder.

    `lines` are added to its settings, `environment` to what it finds there.
    """

    options: Options
    processes: Processes
    lines: Sequence[str] = ()
    workers: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    gateway: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        """The gateway's state folder."""
        return self.options.folder / "state"

    def start(self) -> None:
        """Start the provider and the gateway; BenchError when one does not come up."""
        upstream_port = self.start_upstream()
        providers = ["[providers.upstream]", f'base_url = "http://127.0.0.1:{upstream_port}/v1"']
        self.port = free_port()
        config = self.options.folder / "freehold.toml"
        gateway = ["[gateway]", f"port = {self.port}", f"workers = {self.workers}"]
        text = [f"state = {json.dumps(str(self.state))}", *gateway, *providers, *self.lines]
        config.write_text("\n".join(text) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "freehold", "--config", str(config), "up"]
        self.gateway = self.spawn("freehold", command, env={**self.options.environment, **self.environment})
        self.processes.wait_until_listening(self.gateway, self.port, timeout_s=START_S)

    def start_upstream(self) -> int:
        """Start the provider of the load and return its port."""
        port = free_port()
        process = self.spawn("upstream", [sys.executable, str(HERE / "steady_upstream.py"), "--port", str(port)])
        self.processes.wait_until_listening(process, port, timeout_s=START_S)
        return port

    def spawn(self, name: str, command: Sequence[str], *, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program of the scene on the scene's cores."""
        return self.processes.start(name, command, cores=self.options.cores, env=env, is_own_session=False)

    @contextmanager
    def busy(self, *, loops: int) -> Iterator[None]:
        """Other work beside whatever runs in the block."""
        if not loops:
            yield
            return
        process = self.spawn("busy", [sys.executable, str(HERE / "steady_busy.py"), "--loops", str(loops)])
        try:
            yield
        finally:
            self.processes.stop(process)

    def load(self, seconds: float) -> Loaded:
        """Calls at the options' rate for so long; returns what callers saw."""
        process = self._start_load(seconds, self.port)
        try:
            said, _ = process.communicate(timeout=seconds + _PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise BenchError("the load did not end") from error
        found = json.loads(said.decode().strip().splitlines()[-1]) if said.strip() else {}
        if "p50_ms" not in found:
            raise BenchError("none of the load's requests was answered")
        return Loaded(**found)

    @contextmanager
    def load_beside(self, port: int, seconds: float) -> Iterator[None]:
        """Calls at the options' rate on this port beside whatever runs in the block."""
        process = self._start_load(seconds, port)
        try:
            yield
        finally:
            process.kill()
            process.communicate()

    def _start_load(self, seconds: float, port: int) -> subprocess.Popen[bytes]:
        bodies = self.options.folder / "bodies.jsonl"
        bodies.write_bytes(b"\n".join(request_bodies(MODEL)) + b"\n")
        command = [sys.executable, str(HERE / "gateway_steady.py"), "--port", str(port), "--path", CHAT]
        command += ["--bodies", str(bodies), "--rate", str(self.options.rate), "--seconds", str(seconds)]
        command += ["--header", "content-type: application/json", "--header", "authorization: Bearer sk-bench"]
        cores = self.options.cores
        return subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cores))

    @contextmanager
    def lag(self) -> Iterator[LagSeries]:
        """The lag of the delivery, sampled once a second while the block runs."""
        series, ending, began_at = LagSeries(), threading.Event(), time.monotonic()

        def sample() -> None:
            while not ending.wait(_SAMPLE_S):
                with suppress(OSError):  # a segment that was delivered and deleted at this moment
                    series.lag_s.append(delivery_lag_s(self.state / "journal", time.time()))
                    series.at_s.append(time.monotonic() - began_at)

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield series
        finally:
            ending.set()
            thread.join()

    def drained_s(self, patience_s: float = DRAIN_S) -> float | None:
        """Seconds until nothing waits in the journal any more; None when that takes longer than the patience."""
        began_at = time.monotonic()
        while time.monotonic() < began_at + patience_s:
            if not read_backlog(self.state / "journal").size_bytes:
                return time.monotonic() - began_at
            time.sleep(0.2)
        return None

    def memory(self) -> dict[str, float]:
        """Resident MiB of each process of the gateway, by what it is."""
        assert self.gateway is not None
        found = {"parent": _resident_mib(self.gateway.pid)}
        for pid in tree(self.gateway.pid):
            found[_what(pid)] = found.get(_what(pid), 0.0) + _resident_mib(pid)
        return found


def _what(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return next((word.rpartition(".")[2] for word in words if word.startswith("freehold.")), Path(words[0]).name)
    return "ended"


def _resident_mib(pid: int) -> float:
    with suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0
