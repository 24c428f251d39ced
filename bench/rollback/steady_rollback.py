"""A case of `steady.py`: calls until a model that turned bad is taken back, without other work and in a busy hour.

One task is moved; its owned model answers wrongly from a known call on, and every answer is audited. Its calls come 20
a second, whatever the watch has seen by then, with the watch as it is by default. The busy hour is the load of
`steady_delivery`, calls of no moved task, beside two busy loops. Not covered: other faults and audit rates
(`rollback.py`, which counts calls alone).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from gateway_host import BenchError, Processes
from rollback_scene import Gateway, Script, both_sides, moved, teach
from steady_figures import Options, Row
from steady_scene import LOOPS, Scene

GAP_S = 0.05
GOOD_CALLS, MOST_CALLS, MOST_S = 40, 1200, 120.0
RUNS = 3
LOADS_MODEL = '["gpt-4o-mini"]'
_LOAD_S = 3600.0  # it is ended with the last run


@dataclass(frozen=True, slots=True)
class Turn:
    """One model that turned bad: calls and seconds until its route was taken back; None where it was not."""

    calls: int | None
    seconds: float


def measure(options: Options) -> list[Row]:
    """Both sides of the comparison, as medians over the runs."""
    processes = Processes(options.folder)
    try:
        quiet, busy = asyncio.run(_measure(options, Scene(options, processes)))
    finally:
        processes.stop_since(0)
    return [
        _row("calls until rollback, no other work", quiet, lambda turn: turn.calls, "calls"),
        _row("calls until rollback in a busy hour", busy, lambda turn: turn.calls, "calls"),
        _row("seconds until rollback, no other work", quiet, lambda turn: turn.seconds, "s"),
        _row("seconds until rollback in a busy hour", busy, lambda turn: turn.seconds, "s"),
    ]


async def _measure(options: Options, scene: Scene) -> tuple[list[Turn], list[Turn]]:
    runs = 1 if options.is_quick else RUNS
    upstream_port = await asyncio.to_thread(scene.start_upstream)
    script = Script()
    async with both_sides(script) as origin:
        lines = ["[providers.load]", f'base_url = "http://127.0.0.1:{upstream_port}/v1"', f"models = {LOADS_MODEL}"]
        gateway = Gateway(options.folder / "gateway", origin, *lines, environment=options.environment)
        task_id = teach(gateway.workspace)
        try:
            await gateway.start()
            options.tell(f"{runs} rollbacks, no other work")
            quiet = [await _turn(gateway, script, task_id, run) for run in range(runs)]
            options.tell(f"{runs} rollbacks beside {options.rate:g} calls/s and {LOOPS} busy loops")
            with ExitStack() as hour:
                hour.enter_context(scene.busy(loops=LOOPS))
                hour.enter_context(scene.load_beside(gateway.port, _LOAD_S))
                await asyncio.sleep(options.seconds / 10)
                busy = [await _turn(gateway, script, task_id, runs + run) for run in range(runs)]
        except AssertionError as error:
            raise BenchError(f"the scene did not come up: {str(error)[-300:]}") from error
        finally:
            await gateway.stop()
            gateway.workspace.store.close()
    return quiet, busy


async def _turn(gateway: Gateway, script: Script, task_id: str, run: int) -> Turn:
    """Move the task, let its model turn bad after a while, and count what is asked until it is taken back."""
    begin = 10_000 * (run + 1)
    turns_at = begin + GOOD_CALLS
    script.owned = lambda number: "wrong" if number >= turns_at else "right"
    version = moved(gateway.workspace, task_id, audit_rate=1.0).version
    await gateway.until_local()
    turned_at = time.monotonic()
    for number in range(begin, turns_at + MOST_CALLS):
        if number == turns_at:
            turned_at = time.monotonic()
        due = time.monotonic() + GAP_S
        answered = await gateway.ask(number)
        if number > turns_at and answered.arm != "owned" and _is_taken_back(gateway, task_id, version):
            return Turn(number - turns_at, time.monotonic() - turned_at)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if number > turns_at and time.monotonic() > turned_at + MOST_S:
            break
    return Turn(None, time.monotonic() - turned_at)


def _is_taken_back(gateway: Gateway, task_id: str, version: int) -> bool:
    return gateway.workspace.store.registry.newest_versions([task_id]).get(task_id) != version


def _row(name: str, turns: list[Turn], figure: Callable[[Turn], float | None], unit: str) -> Row:
    values = [value for turn in turns if turn.calls is not None and (value := figure(turn)) is not None]
    missed = len(turns) - len(values)
    row = Row(name=name, value=statistics.median(values) if values else None, unit=unit)
    note = f"of {len(turns)} runs: {', '.join(f'{value:,.1f}' for value in values)}" if values else ""
    return replace(row, note=f"{note}; {missed} not taken back" if missed else note)
