"""A case of `steady.py`: does the delivery keep up with a busy hour, and what does that cost the callers?

A load of whole calls at a rate, first on a machine without other work, then beside two busy loops on the same two
cores. The gateway has a worker for each core, as `docs/running.md` advises for such a load. The lag is how long the
call that has waited the longest in the journal has waited. Not covered: rollback (`steady_rollback`).
"""

from __future__ import annotations

from gateway_host import Processes
from steady_figures import Options, Row, at_most
from steady_scene import LOOPS, Loaded, Scene

MOST_LAG_S, MOST_GROWTH, MOST_RATIO = 10.0, 0.02, 3.0
_WARM_S = 5.0


def measure(options: Options) -> list[Row]:
    """Both loads, and the rows about them."""
    processes = Processes(options.folder)
    scene = Scene(options, processes, workers=len(options.cores))
    try:
        scene.start()
        scene.load(_WARM_S)
        options.tell(f"{options.rate:g} calls/s for {options.seconds:g} s, no other work")
        with scene.lag() as quiet_lag:
            quiet = scene.load(options.seconds)
        scene.drained_s()
        options.tell(f"the same beside {LOOPS} busy loops")
        with scene.busy(loops=LOOPS):
            with scene.lag() as busy_lag:
                busy = scene.load(options.seconds)
            drained_s = scene.drained_s()
            memory = scene.memory()
    finally:
        processes.stop_since(0)
    return [
        Row(name="calls answered, no other work", value=quiet.answered, unit="calls", note=_note(quiet)),
        Row(name="delivery lag at the end, no other work", value=quiet_lag.last_s, unit="s"),
        Row(name="callers' p99, no other work", value=quiet.p99_ms, unit="ms"),
        Row(name="calls answered beside busy loops", value=busy.answered, unit="calls", note=_note(busy)),
        at_most("delivery lag at the end beside busy loops", busy_lag.last_s, MOST_LAG_S, "s"),
        at_most("growth of the lag beside busy loops", busy_lag.growth, MOST_GROWTH, "s per s"),
        Row(name="everything delivered after", value=drained_s, unit="s", note="" if drained_s else "not in a minute"),
        Row(name="callers' p99 beside busy loops", value=busy.p99_ms, unit="ms"),
        at_most("callers' p99, with busy loops over without", busy.p99_ms / quiet.p99_ms, MOST_RATIO, "times"),
        *(Row(name=f"memory of the {what}", value=mib, unit="MiB") for what, mib in memory.items()),
    ]


def _note(load: Loaded) -> str:
    return f"{load.failed} failed, {load.unanswered} unanswered, median {load.p50_ms:.1f} ms"
