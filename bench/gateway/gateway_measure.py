"""Measure one system: plain calls, calls at a steady rate, many calls, streams.

A system that keeps a record is waited for: a stage ends when every call that was answered is in it, so the CPU time
of recording is counted and the seconds that it lags behind are known. Not covered: the tables (`gateway_report`).
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway_chat import CHUNKS
from gateway_figures import Burst, Cpu, Many, Plain, Record, Result, Steady, Streams
from gateway_host import BenchError, Cores, Processes, TreeUsage, tree_usage
from gateway_load import Client
from gateway_systems import Running, Site, System

RATE = 500.0  # plain calls a second for the latency
STREAM_RATE = 50.0  # paced streams a second for the time to the first chunk
_SLICE_S = 10  # memory is looked at this often during the many calls
_COUNT_EVERY_S = 0.5
_STALLED_S = 15.0  # a record that has not grown for so long will not get the calls that it lacks

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long everything takes; `deadline` (monotonic) ends a quick run, `many_s` Freehold's many calls."""

    seconds: int
    rounds: int
    calls: int
    many_s: float
    others_many_s: float
    start_s: float
    drain_s: float
    deadline: float = math.inf

    def left_s(self) -> float:
        """Seconds until the deadline, not less than none."""
        return max(0.0, self.deadline - time.monotonic())


@dataclass(slots=True)
class Bench:
    """Where systems are measured: the two upstreams and the plan; each system's files go when it is done."""

    processes: Processes
    static_port: int
    stream_port: int
    plan: Plan
    is_kept: bool = False

    def measure(self, system: System, cores: Cores) -> Result:
        """Measure a system on both upstreams; what fails is said in the result, which keeps what was measured."""
        result = Result(name=system.name, version="", keeps=system.keeps)
        try:
            result = replace(result, version=system.version())
            for part, port, stages in (("plain", self.static_port, _plain), ("stream", self.stream_port, _streams)):
                with self._running(system, part, port, cores) as stage:
                    for more in stages(stage, result):
                        result = more
                    stage.check()
        except (BenchError, OSError, ValueError, sqlite3.Error, subprocess.SubprocessError) as reason:
            result = replace(result, problem=str(reason) or repr(reason))
        return result

    @contextmanager
    def _running(self, system: System, part: str, port: int, cores: Cores) -> Iterator[Stage]:
        tell(f"{system.name}: starting ({part})")
        folder = self.processes.folder / f"{system.name.replace(' ', '-')}-{part}"
        folder.mkdir()
        mark = self.processes.count
        timeout_s = min(self.plan.start_s, self.plan.left_s())
        site = Site(folder=folder, upstream_port=port, cores=cores, processes=self.processes, timeout_s=timeout_s)
        try:
            running = system.start(site)
            yield Stage(system, running, Client(running.endpoint, cores, folder), self.plan)
        finally:
            self.processes.stop_since(mark)
            if not self.is_kept:
                shutil.rmtree(folder, ignore_errors=True)


class Stage:
    """A running system under measurement, and what it has answered so far."""

    def __init__(self, system: System, running: Running, client: Client, plan: Plan) -> None:
        self.name, self.client, self.plan = system.name, client, plan
        self.many_s = plan.many_s if system.kind == "freehold" else plan.others_many_s
        self._running = running
        self._answered = 0

    def begin(self, what: str, seconds: float) -> None:
        """Say what comes; BenchError when it would not end before the plan's deadline, or the system has ended."""
        self.check()
        if seconds > self.plan.left_s():
            raise BenchError(f"no time left for: {what}")
        tell(f"{self.name}: {what}")

    def check(self) -> None:
        """BenchError when the system does not run any more."""
        if self._running.process is not None and (code := self._running.process.poll()) is not None:
            raise BenchError(f"it ended while it was measured ({code})")

    def probe(self, *, is_stream: bool) -> None:
        """One request, looked at."""
        self.client.probe(is_stream=is_stream)
        self._answered += 1

    def burst(self, seconds: int, *, is_stream: bool = False) -> Burst:
        """A burst of the client, counted."""
        found = self.client.burst(seconds, is_stream=is_stream)
        self._answered += found.answered
        return found

    def steady(self, rate: float, *, is_stream: bool = False) -> Steady:
        """A steady load of the client, counted."""
        found = self.client.steady(rate, self.plan.seconds, is_stream=is_stream)
        self._answered += found.answered
        return found

    def usage(self) -> TreeUsage | None:
        """What the system's processes use now; None for the upstream itself."""
        return tree_usage(self._running.process.pid) if self._running.process is not None else None

    def resident_bytes(self) -> int:
        """Resident bytes of the system's processes now."""
        return used.total.resident_bytes if (used := self.usage()) else 0

    def record(self) -> Record | None:
        """Wait until all that was answered is in the record, or it grows no more; None for a system without one."""
        if self._running.recorded is None:
            return None
        start = moved_at = time.monotonic()
        deadline = min(start + self.plan.drain_s, self.plan.deadline)
        recorded = self._running.recorded()
        while recorded < self._answered and time.monotonic() < min(deadline, moved_at + _STALLED_S):
            time.sleep(_COUNT_EVERY_S)
            before, recorded = recorded, self._running.recorded()
            moved_at = time.monotonic() if recorded > before else moved_at
        lag_s = time.monotonic() - start if recorded >= self._answered else None
        return Record(answered=self._answered, recorded=recorded, lag_s=lag_s)


def tell(text: str) -> None:
    """Progress on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _plain(stage: Stage, result: Result) -> Iterator[Result]:
    plan = stage.plan
    stage.begin("warming up", 2)
    stage.probe(is_stream=False)
    stage.burst(1 if plan.rounds == 1 else 3)
    stage.record()
    stage.begin(f"requests/s at 32 connections, {plan.rounds} x {plan.seconds} s", plan.rounds * plan.seconds)
    bursts, cpu = _with_cpu(stage, lambda: [stage.burst(plan.seconds) for _ in range(plan.rounds)])
    rounds = tuple(burst.per_s for burst in bursts)
    plain = Plain(
        per_s=statistics.median(rounds),
        rounds=rounds,
        failed=sum(burst.failed for burst in bursts),
        cpu=_each(cpu, sum(burst.answered for burst in bursts)),
    )
    yield (result := replace(result, plain=plain, record=stage.record()))
    stage.begin(f"latency at {RATE:g} requests/s, {plan.seconds} s", plan.seconds)
    steady = stage.steady(RATE)
    yield (result := replace(result, steady=steady, record=stage.record()))
    if stage.usage() is not None and stage.many_s:
        stage.begin(f"memory over {plan.calls:,} calls, at most {stage.many_s:.0f} s", plan.seconds)
        many = _many(stage)
        record = stage.record()
        yield replace(result, many=replace(many, after_bytes=stage.resident_bytes()), record=record)


def _many(stage: Stage) -> Many:
    before = highest = stage.resident_bytes()
    calls, failed, spent_s = 0, 0, 0.0
    slice_s = max(1, min(_SLICE_S, int(stage.many_s)))
    while calls < stage.plan.calls and spent_s < stage.many_s:
        missing_s = (stage.plan.calls - calls) / (calls / spent_s) if calls else slice_s
        burst = stage.burst(max(1, min(slice_s, round(missing_s))))
        calls, failed, spent_s = calls + burst.answered, failed + burst.failed, spent_s + burst.duration_s
        highest = max(highest, stage.resident_bytes())
    return Many(
        calls=calls,
        failed=failed,
        per_s=calls / spent_s,
        before_bytes=before,
        after_bytes=highest,
        highest_bytes=highest,
    )


def _streams(stage: Stage, result: Result) -> Iterator[Result]:
    plan = stage.plan
    stage.begin("streams: warming up", 2)
    stage.probe(is_stream=True)
    stage.burst(1, is_stream=True)
    stage.record()
    stage.begin(f"streams: chunks/s at 32 connections, {plan.seconds} s", plan.seconds)
    burst, cpu = _with_cpu(stage, lambda: stage.burst(plan.seconds, is_stream=True))
    chunks = burst.answered * CHUNKS
    streams = Streams(chunks_per_s=burst.per_s * CHUNKS, failed=burst.failed, cpu=_each(cpu, chunks))
    yield (result := replace(result, streams=streams, stream_record=stage.record()))
    stage.begin(f"streams: time to the first chunk at {STREAM_RATE:g} streams/s, {plan.seconds} s", plan.seconds)
    first_chunk = stage.steady(STREAM_RATE, is_stream=True)
    yield replace(result, first_chunk=first_chunk, stream_record=stage.record())


def _with_cpu(stage: Stage, load: Callable[[], T]) -> tuple[T, Cpu | None]:
    """Run a load; the CPU microseconds that it and the recording of it took."""
    before = stage.usage()
    found = load()
    stage.record()
    after = stage.usage()
    if before is None or after is None:
        return found, None
    parent_s = after.root.cpu_s - before.root.cpu_s
    children_s = after.rest.cpu_s - before.rest.cpu_s
    return found, Cpu(parent_us=parent_s * 1e6, children_us=children_s * 1e6)


def _each(cpu: Cpu | None, count: int) -> Cpu | None:
    return Cpu(parent_us=cpu.parent_us / count, children_us=cpu.children_us / count) if cpu and count else None
