"""What recording costs a call once it has been answered: reading the journal, assembling, storing, sorting.

    python bench/gateway.py --record [--against CHECKOUT]

A journal of plain chat calls (`gateway_chat`) is delivered and sorted by `freehold tasks` in a state folder of its own.
The first calls make the task known and are not counted; of the CPU time of the others that of the same command with
nothing to do is taken off. With `--against`, this checkout and the other one take turns on the same journal.

Not covered: the gateway's workers, which are measured under load; calls of tasks that nobody knows yet.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from gateway_chat import MODEL, completion, request_bodies
from gateway_host import BenchError
from gateway_report import Aim

from freehold.model.ids import uuid7
from freehold.record import Decision, Exchange, Journal, RequestSide, ResponseSide

ROOT = Path(__file__).parents[2]
KNOWN_CALLS = 2_000
LARGEST_RATIO = 0.45
_LEAST_TIMES_IDLE = 1.3
"""A start of the command is told to a few hundredths of its time; what is measured has to be well beyond that."""
_TURN_S = 600.0


@dataclass(frozen=True, slots=True)
class RecordCost:
    """CPU microseconds a call of one checkout, one figure a round."""

    name: str
    rounds_us: tuple[float, ...]

    @property
    def call_us(self) -> float:
        """The median round."""
        return statistics.median(self.rounds_us)


def measure_record(checkouts: Mapping[str, Path], folder: Path, *, calls: int, rounds: int) -> list[RecordCost]:
    """Measure all checkouts in turns, `rounds` times; BenchError when one of them does not do the work."""
    for checkout in checkouts.values():
        if not (checkout / "src" / "freehold").is_dir():
            raise BenchError(f"there is no Freehold in {str(checkout)!r}")
    known, counted = folder / "known", folder / "counted"
    _fill(known, KNOWN_CALLS)
    _fill(counted, calls)
    found: dict[str, list[float]] = {name: [] for name in checkouts}
    for _ in range(rounds):
        for name, checkout in checkouts.items():
            found[name].append(_call_us(checkout, folder / "state", known, counted, calls))
    return [RecordCost(name, tuple(us)) for name, us in found.items()]


def print_record(costs: Sequence[RecordCost]) -> None:
    """One line a checkout."""
    for cost in costs:
        rounds = ", ".join(f"{us:.0f}" for us in cost.rounds_us)
        print(f"record, {cost.name}: {cost.call_us:.0f} CPU us a call to read, assemble, store and sort ({rounds})")


def record_aims(costs: Sequence[RecordCost]) -> list[Aim]:
    """How the first checkout compares with the second; nothing where there is one alone."""
    if len(costs) < 2:
        return []
    ratio = costs[0].call_us / costs[1].call_us
    text = f"recording costs at most {LARGEST_RATIO} of {costs[1].name}"
    return [Aim(text, f"{ratio:.2f}", ratio <= LARGEST_RATIO)]


def _fill(folder: Path, calls: int) -> None:
    """A journal with so many answered calls."""
    answer = completion()
    journal = Journal(folder)
    for body in islice(cycle(request_bodies(MODEL)), calls):
        sent = RequestSide(
            id=uuid7(),
            created_at=time.time(),
            dialect="openai-chat",
            method="POST",
            path="/v1/chat/completions",
            body=body,
        )
        got = ResponseSide(status=200, body=answer, latency_ms=12.3, ttft_ms=11.1, gateway_ms=0.2)
        journal.append(Exchange(sent, Decision(provider="openai"), got))
    journal.close()


def _call_us(checkout: Path, state: Path, known: Path, counted: Path, calls: int) -> float:
    """CPU microseconds for each of the counted calls in a fresh state folder."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(mode=0o700)
    _hand_over(known, state)
    _tasks(checkout, state)
    _hand_over(counted, state)
    work_s = _tasks(checkout, state)
    idle_s = _tasks(checkout, state)
    if work_s < _LEAST_TIMES_IDLE * idle_s:
        raise BenchError(f"{calls:,} calls are too few to be told from the start of the command; give more --calls")
    return (work_s - idle_s) / calls * 1e6


def _hand_over(journal: Path, state: Path) -> None:
    """Put the writers of a journal into that of a state folder."""
    for writer in journal.iterdir():
        if writer.is_dir():
            shutil.copytree(writer, state / "journal" / writer.name)


def _tasks(checkout: Path, state: Path) -> float:
    """Run `freehold tasks` until all calls are sorted; CPU seconds of all turns."""
    deadline = time.monotonic() + _TURN_S
    spent_s = 0.0
    while True:
        environment = {**os.environ, "PYTHONPATH": str(checkout.absolute() / "src")}
        command = [sys.executable, "-m", "freehold", "--state", str(state), "tasks"]
        process = subprocess.Popen(
            command, env=environment, cwd=state, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        spent_s += usage.ru_utime + usage.ru_stime
        if process.returncode != 0:
            raise BenchError(f"freehold tasks of {checkout.name!r} failed: {said.strip().splitlines()[-1:]}")
        if "not sorted yet" not in said:
            return spent_s
        if time.monotonic() > deadline:
            raise BenchError(f"freehold tasks of {checkout.name!r} does not come to an end")
