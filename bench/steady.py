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

import argparse
import importlib
import importlib.util
import os
import platform
import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from gateway_host import BenchError, busy_share, processor
from steady_figures import Options, Row, beside
from steady_report import json_line, print_rows

ROOT = Path(__file__).parent.parent
CASES = ("delivery", "rollback", "engine")
CORES = 2
_QUICK_S = 10.0


def main() -> int:
    """Measure what the command line asks for; 1 when a case could not be measured."""
    chosen = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if platform.system() != "Linux":
        sys.stderr.write("bench/steady.py reads /proc and sets cores by affinity: it runs on Linux alone\n")
        return 1
    busy = busy_share(1.0)
    _tell(f"other work has {busy:.0%} of the cores")
    folder = Path(tempfile.mkdtemp(prefix="steady-", dir=chosen.folder))
    options = _options(chosen, folder)
    problems: list[str] = []
    found: dict[str, list[Row]] = {}
    try:
        for case in chosen.only or [case for case in CASES if importlib.util.find_spec(f"steady_{case}")]:
            try:
                found[case] = _measure(case, options, chosen.against)
            except BenchError as reason:
                problems.append(f"{case}: {reason}")
                continue
            print_rows(case, found[case])
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for problem in problems:
        sys.stderr.write(f"bench/steady.py: {problem}\n")
    if chosen.json:
        about = {"cores": CORES, "processor": processor(), "busy_before": round(busy, 3), "quick": chosen.quick}
        print(json_line(found, {**about, "rate": options.rate, "seconds": options.seconds, "problems": problems}))
    return 1 if problems else 0


def _measure(case: str, options: Options, against: Path | None) -> list[Row]:
    """The rows of one case, beside those of the other checkout."""
    measure = importlib.import_module(f"steady_{case}").measure
    _tell(f"{case}: this checkout")
    rows: list[Row] = measure(options.below(f"{case}-here"))
    if against is None:
        return rows
    _tell(f"{case}: {against}")
    return beside(rows, measure(replace(options.below(f"{case}-against"), checkout=against)))


def _options(chosen: argparse.Namespace, folder: Path) -> Options:
    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, usable[:CORES])  # what runs in this process is part of the scene
    return Options(
        folder=folder,
        checkout=ROOT,
        cores=tuple(usable[:CORES]),
        is_quick=chosen.quick,
        rate=chosen.rate,
        seconds=chosen.seconds or (_QUICK_S if chosen.quick else 300.0),
        tell=_tell,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--json", action="store_true", help="end with one JSON line, with the aims")
    parser.add_argument("--only", action="append", choices=CASES, help="this case alone; may be given again")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of the project")
    parser.add_argument("--rate", type=float, default=1500.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=0.0, help="length of a load; 300, with --quick 10")
    parser.add_argument("--folder", type=Path, help="where the files of the run go; the system's place by default")
    chosen = parser.parse_args()
    if chosen.against is not None:
        chosen.against = chosen.against.resolve()
        if not (chosen.against / "src" / "freehold").is_dir():
            parser.error(f"--against {chosen.against}: no src/freehold there; give the root of a checkout")
    return chosen


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
