"""Measure the bounds that hold against strangers, spenders, odd calls and dying workers.

    python bench/limits.py [--quick] [--json] [--only CASE ...] [--against FOLDER] [--rate 500] [--seconds 20]

    budget      how far a key with a budget overshoots it at this rate
    strangers   memory that callers without a key can take with large bodies
    refused     disk that a refused request takes
    sorting     seconds for a round of sorting calls of very many messages
    kills       the longest wait of a caller while workers are killed under load
    speed       what a call costs a worker; with --against, beside the other checkout's, in turns

Everything runs on two cores. --against measures another checkout of the project in the same run and shows it beside
this one. --quick is a trial of the benchmark, not of the gateway. Linux alone.

Not covered: how fast a gateway is (`gateway.py`), heavy load (`steady.py`).
"""

from __future__ import annotations

from steady_run import Benchmark, run

LIMITS = Benchmark(
    name="limits",
    cases=("budget", "strangers", "refused", "sorting", "kills", "speed"),
    about=str(__doc__),
    rate=500.0,
    seconds=20.0,
)


def main() -> int:
    """Measure what the command line asks for."""
    return run(LIMITS)
