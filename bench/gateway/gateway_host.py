"""The machine under `gateway.py`: which cores do what, processes that end with the benchmark, what they use.

Linux alone: cores are set by affinity and usage is read from /proc. Not covered: what is started (`gateway_systems`,
`gateway_peers`).
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_S = 20.0
_TOOLS = {"wrk": "wrk", "nginx": "nginx-light"}


class BenchError(Exception):
    """Something cannot be measured; the message is the reason, in one line."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Cores for the gateway under test, and those for the load generator and the upstream."""

    gateway: tuple[int, ...]
    load: tuple[int, ...]


def split_cores(gateways: int = 1) -> Cores:
    """The first cores for the gateway, another for the load; on one core both share it. BenchError when too few."""
    usable = sorted(os.sched_getaffinity(0))
    if gateways > 1 and len(usable) <= gateways:
        raise BenchError(f"{gateways} gateway processes and the load need {gateways + 1} cores, here are {len(usable)}")
    return Cores(gateway=tuple(usable[:gateways]), load=(usable[min(gateways, len(usable) - 1)],))


def require_tools() -> None:
    """BenchError, with the line that installs them, when wrk or nginx is missing or this is not Linux."""
    if platform.system() != "Linux":
        raise BenchError("the benchmark reads /proc and sets cores by affinity: it runs on Linux alone")
    if missing := [package for tool, package in _TOOLS.items() if find_tool(tool) is None]:
        raise BenchError(f"not installed: {', '.join(missing)} (Debian: apt-get install {' '.join(missing)})")


def find_tool(name: str) -> str | None:
    """Where a program lies; Debian keeps nginx out of a user's path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Processes:
    """What the benchmark has started; all of it ends when it is closed, and dies when the benchmark is killed."""

    folder: Path
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _logs: dict[int, Path] = field(default_factory=dict)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        cores: Sequence[int],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        is_own_session: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start a program on these cores, in a session of its own unless told otherwise, its output in NAME.log."""
        log = self.folder / f"{name}.log"

        def prepare() -> None:
            os.sched_setaffinity(0, cores)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        with log.open("ab") as sink:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=clean_environment(env or {}),
                cwd=cwd,
                start_new_session=is_own_session,
                preexec_fn=prepare,
            )
        self._running.append(process)
        self._logs[process.pid] = log
        return process

    def wait_until_listening(self, process: subprocess.Popen[bytes], port: int, *, timeout_s: float) -> None:
        """Return once the port takes connections; BenchError with the log's last line when it does not."""
        deadline = time.monotonic() + timeout_s
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        how = f"did not listen within {timeout_s:.0f} s" if process.poll() is None else f"ended ({process.returncode})"
        raise BenchError(f"{how}: {self.last_line(process)}")

    def last_line(self, process: subprocess.Popen[bytes]) -> str:
        """The last line that a process wrote, or what to say when there is none."""
        lines = self._logs[process.pid].read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a process as its operator would, then kill what is left of its tree."""
        members = tree(process.pid)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_STOP_S)
        for pid in [process.pid, *members] if process.returncode is None else _alive(members):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        self._running.remove(process)

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._running)

    def stop_since(self, count: int) -> None:
        """End what was started after there were this many, the newest first."""
        for process in reversed(self._running[count:]):
            self.stop(process)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far and resident bytes now, of one or more processes; shared pages count once."""

    cpu_s: float = 0.0
    resident_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.resident_bytes + other.resident_bytes)


@dataclass(frozen=True, slots=True)
class TreeUsage:
    """A process and, apart, all that descends from it."""

    root: Usage
    rest: Usage

    @property
    def total(self) -> Usage:
        """Both together."""
        return self.root + self.rest


def tree_usage(pid: int) -> TreeUsage:
    """What a process and its descendants use; a descendant that has ended counts where its parent reaped it."""
    rest = Usage()
    for member in tree(pid):
        rest += _usage(member)
    return TreeUsage(root=_usage(pid), rest=rest)


def tree(pid: int) -> list[int]:
    """All descendants of a process, by their parents in /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment for what is measured: no proxies, none of Freehold's own settings, then `more`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FREEHOLD_") and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
    }
    return {**kept, **more}


def busy_share(seconds: float) -> float:
    """Share of all cores' time that other work takes now."""
    before = _core_ticks()
    time.sleep(seconds)
    idle, total = (after - start for after, start in zip(_core_ticks(), before, strict=True))
    return 1 - idle / total if total else 0.0


def processor() -> str:
    """The processor's name as /proc tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _core_ticks() -> tuple[int, int]:
    """Ticks that the cores were idle (waiting for a disk is idle), and all ticks."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _usage(pid: int) -> Usage:
    fields = _stat(pid)
    if not fields:
        return Usage()
    ticks = sum(int(value) for value in fields[11:15])  # utime, stime, and those of children it has reaped
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), _pss_bytes(pid) or int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


def _pss_bytes(pid: int) -> int:
    """Resident bytes, where a page that N processes share counts a Nth in each; 0 where the kernel does not tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none for a process that is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _alive(pids: Sequence[int]) -> list[int]:
    return [pid for pid in pids if (fields := _stat(pid)) and fields[0] != "Z"]
