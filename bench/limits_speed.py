"""A case of `limits.py`: what a call costs the worker, as CPU time, and how that compares with the other checkout.

Both gateways stand beside each other and are loaded in turns, one of them at a time, so that a slow minute of the
machine hits both alike. CPU time at a rate that both keep up with is what capacity comes down to, and is steadier than
the most calls that go through. Not covered: latency (`gateway.py`), a busy hour (`steady.py`).
"""

from __future__ import annotations

import statistics
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gateway_host import BenchError, Processes, tree, tree_usage
from steady_figures import Options, Row, at_least
from steady_scene import Scene

BY_TURNS = True
LEAST_SPEED = 0.97
TURNS = 5
_WARM_S = 3.0
_PARTS = TURNS * 2


def measure(options: Options) -> list[Row]:
    """This checkout's cost of a call, beside that of `options.other` where there is one."""
    sides = [options.below("here")]
    if options.other is not None:
        sides.append(replace(options.below("other"), checkout=options.other))
    processes = Processes(options.folder)
    try:
        scenes = [Scene(side, processes) for side in sides]
        for scene in scenes:
            scene.start()
            scene.load(_WARM_S)
        costs = [[_cost_us(scene, options.seconds / _PARTS) for scene in scenes] for _ in range(TURNS)]
    finally:
        processes.stop_since(0)
    here = statistics.median(turn[0] for turn in costs)
    if options.other is None:
        return [Row(name="CPU time of a worker for a call", value=here, unit="µs")]
    there = statistics.median(turn[1] for turn in costs)
    ratios = [turn[1] / turn[0] for turn in costs]
    note = f"by turns {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
    return [
        Row(name="CPU time of a worker for a call", value=here, unit="µs", against=there),
        at_least("speed, this checkout over the other", statistics.median(ratios), LEAST_SPEED, "times", note),
    ]


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
