"""A case of `limits.py`: how long does a caller wait while workers are killed, and is a call lost?

Two workers under a load of whole calls; seven times one of them is killed (kill -9), the one that runs the longest, as
soon as both serve. A caller whose connection is cut retries once, as the providers' libraries do, and its wait includes
that. Every call that was answered whole must be in the record. Not covered: kills of the parent (`tests/app`).
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway_chat import MODEL, request_bodies
from gateway_host import BenchError, Processes, tree
from steady_figures import Options, Row, at_most, exactly
from steady_scene import HERE, Scene

KILLS, WORKERS = 7, 2
MOST_WAIT_MS = 300.0
_CALM_S = 5.0
_MOST_S, _PATIENCE_S = 180.0, 30.0
_BETWEEN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """What callers saw of a load: counts of calls, and waits in milliseconds."""

    answered: int
    failed: int
    unanswered: int
    retried: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


def measure(options: Options) -> list[Row]:
    """A load without kills, then one with them."""
    processes = Processes(options.folder)
    scene = Scene(options, processes, workers=WORKERS)
    try:
        scene.start()
        _wait_for_workers(scene)
        options.tell(f"{options.rate:g} calls/s, nobody is killed")
        calm, calm_ids = _load(scene, kills=0)
        options.tell(f"the same while {KILLS} workers are killed, one after the other")
        cut, cut_ids = _load(scene, kills=KILLS)
        drained_s = scene.drained_s()
        lost = (calm_ids | cut_ids) - _recorded(scene.state)
    finally:
        processes.stop_since(0)
    return [
        Row(name="longest wait of a caller, nobody is killed", value=calm.longest_ms, unit="ms"),
        at_most("longest wait of a caller", cut.longest_ms, MOST_WAIT_MS, "ms", _note(cut)),
        Row(name="callers' p99", value=cut.p99_ms, unit="ms"),
        Row(name="callers that had to retry", value=cut.retried, unit="calls"),
        exactly("callers whose retry failed, too", cut.failed + cut.unanswered, 0, "calls"),
        exactly("acknowledged calls that are lost", len(lost), 0, "calls", f"of {len(calm_ids | cut_ids)}"),
        Row(name="everything delivered after", value=drained_s, unit="s", note="" if drained_s else "not in a minute"),
    ]


def _note(waited: Waited) -> str:
    return f"{waited.answered} answered, median {waited.p50_ms:.1f} ms"


def _load(scene: Scene, *, kills: int) -> tuple[Waited, set[str]]:
    """A load that lasts the options' seconds, or until so many workers were killed; the ids that were answered."""
    options = scene.options
    bodies, ids = options.folder / "bodies.jsonl", options.folder / "ids"
    bodies.write_bytes(b"\n".join(request_bodies(MODEL)) + b"\n")
    command = [sys.executable, str(HERE / "limits_callers.py"), "--port", str(scene.port), "--bodies", str(bodies)]
    command += ["--ids", str(ids), "--rate", str(options.rate), "--seconds", str(_MOST_S)]
    cores = options.cores
    load = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cores))
    try:
        time.sleep(1.0)
        began_at = time.monotonic()
        for _ in range(kills):
            os.kill(_wait_for_workers(scene)[0], signal.SIGKILL)
            time.sleep(_BETWEEN_S)
        if kills:
            _wait_for_workers(scene)
        time.sleep(max(0.0, (options.seconds if kills else _CALM_S) - (time.monotonic() - began_at)))
        load.terminate()
        said, _ = load.communicate(timeout=_PATIENCE_S)
    finally:
        load.kill()
        load.wait()
    found = json.loads(said.decode().strip().splitlines()[-1]) if said.strip() else {}
    if "p50_ms" not in found:
        raise BenchError("none of the load's requests was answered")
    return Waited(**found), set(ids.read_text(encoding="utf-8").split())


def _wait_for_workers(scene: Scene) -> list[int]:
    """The workers once all of them accept connections, the one that runs the longest first."""
    assert scene.gateway is not None
    deadline = time.monotonic() + _MOST_S
    while time.monotonic() < deadline:
        found = [pid for pid in tree(scene.gateway.pid) if _is_worker(pid) and _accepts(pid, scene.port)]
        if len(found) == WORKERS:
            return sorted(found, key=_started_at)
        time.sleep(0.05)
    raise BenchError("a worker that was killed was not replaced")


def _is_worker(pid: int) -> bool:
    with suppress(OSError):
        return b"freehold.app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _started_at(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _accepts(pid: int, port: int) -> bool:
    """Whether the process waits for connections: one of its epolls watches a socket that listens on the port."""
    listening = _listening(port)
    watched: set[str] = set()
    listeners: set[str] = set()
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(file)
            if target.removeprefix("socket:[").removesuffix("]") in listening:
                listeners.add(file.name)
            elif target == "anon_inode:[eventpoll]":
                lines = Path(f"/proc/{pid}/fdinfo/{file.name}").read_text().splitlines()
                watched |= {line.split()[1] for line in lines if line.startswith("tfd:")}
    return bool(listeners & watched)


def _listening(port: int) -> set[str]:
    """The inodes of the sockets that listen on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}


def _recorded(state: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{state / 'freehold.db'}?mode=ro", uri=True)) as database:
        return {row[0] for row in database.execute("SELECT id FROM calls")}
