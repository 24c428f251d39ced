"""Run the cases of a benchmark one after the other, for this checkout and, where wanted, for another one beside it.

A case is a module with `measure(options) -> list[Row]` (`steady_figures`); one whose module is missing is left out. Not
covered: what is measured (`steady.py` and `limits.py` name their cases), how rows are printed (`steady_report`).
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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway_host import BenchError, busy_share, processor
from steady_figures import Options, Row, beside
from steady_report import json_line, print_rows

ROOT = Path(__file__).parents[2]
CORES = 2
QUICK_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A benchmark: its name begins the names of its modules. `rate` is calls a second, `seconds` are per load."""

    name: str
    cases: Sequence[str]
    about: str
    rate: float
    seconds: float


def run(benchmark: Benchmark) -> int:
    """Measure what the command line asks for; 1 when a case could not be measured."""
    chosen = _arguments(benchmark)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if platform.system() != "Linux":
        sys.stderr.write(f"bench/{benchmark.name}.py reads /proc and sets cores by affinity: it runs on Linux alone\n")
        return 1
    busy = busy_share(1.0)
    _tell(f"other work has {busy:.0%} of the cores")
    folder = Path(tempfile.mkdtemp(prefix=f"{benchmark.name}-", dir=chosen.folder))
    options = _options(benchmark, chosen, folder)
    problems: list[str] = []
    found: dict[str, list[Row]] = {}
    try:
        for case in chosen.only or benchmark.cases:
            module = f"{benchmark.name}_{case}"
            if importlib.util.find_spec(module) is None:
                continue
            try:
                found[case] = _measure(module, options.below(case), chosen.against)
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
        sys.stderr.write(f"bench/{benchmark.name}.py: {problem}\n")
    if chosen.json:
        about = {"cores": CORES, "processor": processor(), "busy_before": round(busy, 3), "quick": chosen.quick}
        print(json_line(found, {**about, "rate": options.rate, "seconds": options.seconds, "problems": problems}))
    return 1 if problems else 0


def _measure(module: str, options: Options, against: Path | None) -> list[Row]:
    """The rows of one case, beside those of the other checkout."""
    case = importlib.import_module(module)
    measure = case.measure
    _tell(f"{module}: this checkout")
    if getattr(case, "BY_TURNS", False):
        both: list[Row] = measure(replace(options, other=against))
        return both
    rows: list[Row] = measure(options.below("here"))
    if against is None:
        return rows
    _tell(f"{module}: {against}")
    try:
        return beside(rows, measure(replace(options.below("against"), checkout=against)))
    except BenchError as reason:  # what was measured here stays
        _tell(f"{module}: {against} cannot be measured: {reason}")
        return rows


def _options(benchmark: Benchmark, chosen: argparse.Namespace, folder: Path) -> Options:
    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, usable[:CORES])  # what runs in this process is part of the scene
    return Options(
        folder=folder,
        checkout=ROOT,
        cores=tuple(usable[:CORES]),
        is_quick=chosen.quick,
        rate=chosen.rate,
        seconds=chosen.seconds or (QUICK_S if chosen.quick else benchmark.seconds),
        tell=_tell,
    )


def _arguments(benchmark: Benchmark) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=benchmark.about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--json", action="store_true", help="end with one JSON line, with the aims")
    parser.add_argument("--only", action="append", choices=benchmark.cases, help="this case alone; may be given again")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of the project")
    parser.add_argument("--rate", type=float, default=benchmark.rate, help="calls a second")
    length = f"length of a load; {benchmark.seconds:g}, with --quick {QUICK_S:g}"
    parser.add_argument("--seconds", type=float, default=0.0, help=length)
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
