"""Measure what an hour of heavy load does to the record, to rollback, and to an engine that is in trouble.

    python bench/steady.py [--quick] [--json] [--only CASE ...] [--against FOLDER] [--rate 1500] [--seconds 300]

    delivery   does the database keep up with the calls beside two busy loops, and what do callers feel of it
    rollback   calls until a model that turned bad is taken back, under the same load and without it
    engine     an engine that is overloaded, frozen, or hit by a burst

Everything runs on two cores: the gateway, the provider, the load and the busy loops. --against measures another
checkout of the project in the same run, one case after the other, and shows it beside this one. It takes about half an
hour; --quick takes minutes at most and is a trial of the benchmark, not of the gateway. Linux alone.

Not covered: how fast a gateway is (`gateway.py`), rollback of every kind of fault (`rollback.py`).
"""

from __future__ import annotations

from steady_run import Benchmark, run

STEADY = Benchmark(
    name="steady", cases=("delivery", "rollback", "engine"), about=str(__doc__), rate=1500.0, seconds=300.0
)


def main() -> int:
    """Measure what the command line asks for."""
    return run(STEADY)
