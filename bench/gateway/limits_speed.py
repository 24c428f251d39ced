"""A case of `limits.py`: what a call costs the worker, as CPU time, and how that compares with the other checkout.

Both gateways are loaded at the same time, each with half of the rate, so that whatever else the machine does hits both
alike. Two starts of the same code differ by several percent (where its memory lies, how its sets are ordered), so each
turn starts both anew, the other one first every other time. CPU time at a rate that both keep up with is what capacity
comes down to, and is steadier than the most calls that go through. Not covered: latency (`gateway.py`), a busy hour
(`steady.py`).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from gateway_host import BenchError, Processes, tree, tree_usage
from steady_figures import Options, Row, at_least
from steady_scene import Scene

BY_TURNS = True
LEAST_SPEED = 0.97
TURNS = 8
_WARM_S = 2.0


def measure(options: Options) -> list[Row]:
    """This checkout's cost of a call, beside that of `options.other` where there is one."""
    costs = [_turn(options, number) for number in range(TURNS)]
    here = statistics.median(turn["here"] for turn in costs)
    if options.other is None:
        return [Row(name="CPU time of a worker for a call", value=here, unit="µs")]
    there = statistics.median(turn["other"] for turn in costs)
    ratios = [turn["other"] / turn["here"] for turn in costs]
    note = f"by turns {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
    return [
        Row(name="CPU time of a worker for a call", value=here, unit="µs", against=there),
        at_least("speed, this checkout over the other", statistics.median(ratios), LEAST_SPEED, "times", note),
    ]


def _turn(options: Options, number: int) -> dict[str, float]:
    """Microseconds of CPU time that each side's worker took for a call, side by side."""
    sides = {"here": options}
    if options.other is not None:
        sides["other"] = replace(options, checkout=options.other)
    names = list(sides) if number % 2 else list(reversed(sides))
    rate, seconds = options.rate / len(sides), max(1.0, options.seconds / TURNS)
    below = {name: replace(sides[name].below(f"{name}-{number}"), rate=rate) for name in names}
    with _started(options, below) as scenes, ThreadPoolExecutor(len(scenes)) as loads:
        list(loads.map(lambda scene: scene.load(_WARM_S), scenes.values()))
        costs = loads.map(lambda scene: _cost_us(scene, seconds), scenes.values())
        return dict(zip(scenes, costs, strict=True))


@contextmanager
def _started(options: Options, sides: dict[str, Options]) -> Iterator[dict[str, Scene]]:
    processes = Processes(options.folder)
    try:
        scenes = {name: Scene(side, processes) for name, side in sides.items()}
        for scene in scenes.values():
            scene.start()
        yield scenes
    finally:
        processes.stop_since(0)


def _cost_us(scene: Scene, seconds: float) -> float:
    """Microseconds of CPU time that the worker took for each call of a load."""
    worker = _worker(scene)
    before = tree_usage(worker).root.cpu_s
    loaded = scene.load(seconds)
    return 1e6 * (tree_usage(worker).root.cpu_s - before) / loaded.answered


def _worker(scene: Scene) -> int:
    assert scene.gateway is not None
    for pid in tree(scene.gateway.pid):
        with suppress(OSError):
            if b"freehold.app.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    raise BenchError("the gateway has no worker")
