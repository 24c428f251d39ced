"""Measure the gateway beside others on this machine, in one run, and print what came of it.

    python bench/gateway.py [--quick] [--json] [--only NAME ...] [--seconds N]
    python bench/gateway.py --record [--against CHECKOUT]

A static upstream asked directly, nginx as proxy, Freehold with recording on, and the peers that `make bench-peers`
has set up. One core for the gateway with everything that it starts, another for load generator and upstream. It takes
about half an hour; --quick ends within a minute and leaves the peers out. Needs wrk and nginx. Everything that is
started ends with it.

With --record it measures what recording costs a call instead (`gateway_record`); that takes a few minutes and no tools.

Not covered: other machines than this one, and gateways across a network.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gateway_figures import Result
from gateway_host import BenchError, Processes, busy_share, processor, require_tools, split_cores
from gateway_measure import Bench, Plan, tell
from gateway_peers import peer_systems
from gateway_record import ROOT, measure_record, print_record, record_aims
from gateway_report import Report, aims, as_json, print_aims, print_tables
from gateway_systems import System, own_systems, start_static_upstream, start_stream_upstream

_QUICK_S = 50.0  # what is left of the minute is for stopping and printing
_BUSY = 0.1
_DISK_BYTES_PER_CALL = 6_000  # journal, database and its log, while they overlap


def main() -> int:
    """Measure what the command line asks for; 1 when Freehold could not be measured whole."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _record(options) if options.record else _gateways(options)
    except BenchError as reason:
        sys.stderr.write(f"bench/gateway.py: {reason}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130


def _gateways(options: argparse.Namespace) -> int:
    systems = _chosen(options)
    plan = _plan(options)
    require_tools()
    busy = _busy()
    report = Report(_measure(systems, plan, options))
    found = aims(report, options.workers)
    if busy > _BUSY:
        print(f"Other work had {busy:.0%} of the cores when this began: the figures are too low.")
    print_tables(report)
    print_aims(found)
    if options.json:
        print(as_json(report, found, {**_about(plan), "busy_before": round(busy, 3)}))
    mine = report.freehold
    return 0 if mine is None or mine.problem is None else 1


def _record(options: argparse.Namespace) -> int:
    """Measure what recording costs a call."""
    checkouts = {"this checkout": ROOT} | ({options.against.resolve().name: options.against} if options.against else {})
    calls = options.calls or (5_000 if options.quick else 20_000)
    busy = _busy()
    options.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="record-", dir=options.folder.resolve()))
    try:
        costs = measure_record(checkouts, folder, calls=calls, rounds=1 if options.quick else 5)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = record_aims(costs)
    print_record(costs)
    print_aims(found)
    if options.json:
        about = {"processor": processor(), "calls": calls, "busy_before": round(busy, 3)}
        print(json.dumps({**about, "record": list(map(asdict, costs)), "aims": list(map(asdict, found))}))
    return 0


def _busy() -> float:
    busy = busy_share(1.0)
    tell(f"other work has {busy:.0%} of the cores")
    return busy


def _measure(systems: Sequence[System], plan: Plan, options: argparse.Namespace) -> list[Result]:
    options.folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(options.folder).free < plan.calls * _DISK_BYTES_PER_CALL:
        raise BenchError(f"{plan.calls:,} calls need {plan.calls * _DISK_BYTES_PER_CALL / 1e9:.0f} GB; give --calls")
    folder = Path(tempfile.mkdtemp(prefix="gateway-", dir=options.folder.resolve()))
    processes = Processes(folder)
    try:
        cores = split_cores()
        bench = Bench(
            processes,
            static_port=start_static_upstream(folder, processes, cores, plan.start_s),
            stream_port=start_stream_upstream(processes, cores, plan.start_s),
            plan=plan,
            is_kept=options.keep,
        )
        return [_measure_one(bench, system) for system in systems]
    finally:
        processes.stop_since(0)
        if options.keep:
            tell(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _measure_one(bench: Bench, system: System) -> Result:
    try:
        cores = split_cores(system.gateways)
    except BenchError as reason:
        result = Result(name=system.name, version="-", keeps=system.keeps, problem=f"left out: {reason}")
    else:
        result = bench.measure(system, cores)
    if result.problem:
        tell(f"{system.name}: {result.problem}")
    return result


def _chosen(options: argparse.Namespace) -> list[System]:
    systems = own_systems(options.workers) + peer_systems(options.peers)
    known = [system.name for system in systems]
    if options.only:
        if unknown := set(options.only) - set(known):
            sys.stderr.write(f"bench/gateway.py: no such system: {', '.join(sorted(unknown))}; known: {known}\n")
            raise SystemExit(2)
        wanted = {"direct", *options.only}  # what a gateway adds is counted from there
        return [system for system in systems if system.name in wanted]
    return [system for system in systems if not options.quick or (system.kind != "peer" and system.is_quick)]


def _plan(options: argparse.Namespace) -> Plan:
    if options.quick:
        return Plan(
            seconds=options.seconds or 2,
            rounds=1,
            calls=options.calls or 20_000,
            many_s=3.0,
            others_many_s=0.0,
            start_s=15.0,
            drain_s=5.0,
            deadline=time.monotonic() + _QUICK_S,
        )
    return Plan(
        seconds=options.seconds or 10,
        rounds=3,
        calls=options.calls or 1_000_000,
        many_s=options.many_s,
        others_many_s=min(60.0, options.many_s),
        start_s=120.0,
        drain_s=600.0,
    )


def _about(plan: Plan) -> dict[str, object]:
    cores = split_cores()
    measured = {key: value for key, value in asdict(plan).items() if key != "deadline"}
    return {
        "processor": processor(),
        "python": platform.python_version(),
        "gateway_cores": cores.gateway,
        "load_cores": cores.load,
        "plan": measured,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within a minute: no peers, short loads")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    parser.add_argument("--record", action="store_true", help="measure what recording costs a call, and no more")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="with --record: another checkout beside this")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="direct and these alone; peers too")
    parser.add_argument("--seconds", type=int, metavar="N", help="seconds of each load (default 10; quick 2)")
    parser.add_argument("--calls", type=int, metavar="N", help="calls of the memory run (default 1000000; quick 20000)")
    parser.add_argument(
        "--many-s",
        type=float,
        default=600.0,
        metavar="N",
        help="most seconds of the memory run (default 600; others 60)",
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="of the Freehold that scales (default 2)")
    parser.add_argument("--folder", type=Path, default=Path(".freehold-bench"), help="where runs keep their files")
    parser.add_argument("--peers", type=Path, default=Path(".bench-peers"), help="where the peers are set up")
    parser.add_argument("--keep", action="store_true", help="keep the run's files: settings, logs, record")
    return parser.parse_args()
