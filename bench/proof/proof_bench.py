"""Hold every guarantee of the proof against known truth, and print what came of it beside what others do.

    python bench/proof.py [--quick] [--json] [--only NAME ...] [--runs N] [--seed N] [--folder DIR]

error     a model exactly at the margin is certified, at any look: a grid of margin, discordance, cap, calls per user
power     power and size for equal models, beside six other tests
contracts cascades that break contract A or B, and what they answer of an oracle's share, beside six other ways
population  contract A over all later traffic of a task with 40% tool calls and 25% refusals
attempts  twenty attempts at a task
judge     a judge's scores corrected by few labels of people, beside the judge alone
online    ramp, rollback, audits, late feedback, drift of inputs
gateway   ramp and rollback through a real gateway whose owned model turns bad at a known call
drift     rented models that changed (LLMDrift, in FREEHOLD_DATA)
splits    both contracts on five data sets: what `bench/exit.py` kept in --folder, else a bag of words on FREEHOLD_DATA

Rates are held to their level plus three standard errors. Controls break a guarantee on purpose, and must be seen to.
Exit code 1 where a guarantee or a control falls short. --quick ends within a minute, with fewer runs and so with wider
bounds; the whole takes about ten minutes on two cores, most of them in `gateway`.

Not covered: how good a model becomes (`bench/exit.py`), slower turns at the gateway (`bench/rollback.py`).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy comes; more threads only wait for each other here

import proof_attempts
import proof_contracts
import proof_error
import proof_gateway
import proof_judge
import proof_population
import proof_power
import proof_splits
from proof_audits import audit_rows
from proof_drift import TASKS, drift_rows
from proof_figures import Effort, Part, tell
from proof_online import online_rows
from proof_report import as_json, is_whole, print_end, print_part
from proof_slices import slice_rows

_RUNS, _QUICK_RUNS, _LEAST_RUNS = 10_000, 500, 100
_MOST_DRIFT_RUNS, _LEAST_DRIFT_RUNS = 2_000, 400


def main() -> int:
    """Run the parts that were asked for; 1 where one of their figures falls short."""
    options = _options()
    runs = options.runs or (_QUICK_RUNS if options.quick else _RUNS)
    effort = Effort(runs=runs, seed=options.seed, is_quick=options.quick)
    parts = _parts(options.folder)
    found: dict[str, Part] = {}
    print("Each figure beside what is wanted of it. A control breaks a guarantee on purpose, and must be seen to.")
    try:
        for name in options.only or parts:
            began = time.monotonic()
            tell(f"{name} ...")
            part = parts[name](effort)
            found[name] = replace(part, seconds=time.monotonic() - began)
            print_part(name, found[name])
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    print_end(found)
    if options.json:
        print(as_json(found, {"runs": runs, "seed": options.seed, "is_quick": options.quick}))
    return 0 if is_whole(found) else 1


def _parts(folder: Path) -> dict[str, Callable[[Effort], Part]]:
    return {
        "error": proof_error.measure,
        "power": proof_power.measure,
        "contracts": proof_contracts.measure,
        "population": proof_population.measure,
        "attempts": proof_attempts.measure,
        "judge": proof_judge.measure,
        "online": _online,
        "gateway": proof_gateway.measure,
        "drift": _drift,
        "splits": lambda effort: proof_splits.measure(effort, folder, _data()),
    }


def _online(effort: Effort) -> Part:
    rows = [row for rows in (online_rows, slice_rows, audit_rows) for row in rows(runs=effort.runs, seed=effort.seed)]
    return Part(title="After the move", rows=rows)


def _drift(effort: Effort) -> Part:
    title = "Rented models that changed"
    folder = _data() / "llmdrift"
    if not all((folder / file).is_file() for file, _ in TASKS.values()):
        return Part(title=title, rows=[], left_out=[f"no {folder.name}; set FREEHOLD_DATA to the folder that holds it"])
    runs = min(max(effort.runs, _LEAST_DRIFT_RUNS), _MOST_DRIFT_RUNS)
    return Part(title=title, rows=drift_rows(runs=runs, seed=effort.seed, folder=folder))


def _data() -> Path:
    return Path(os.environ.get("FREEHOLD_DATA", "../shared/data"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within a minute: fewer runs, part of the grid")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    parser.add_argument("--only", nargs="+", choices=list(_parts(Path())), metavar="NAME", help="these parts alone")
    parser.add_argument(
        "--runs",
        type=_runs,
        default=0,
        metavar="N",
        help=f"of each simulation (default {_RUNS:,}; quick {_QUICK_RUNS})",
    )
    parser.add_argument("--seed", type=_seed, default=1, metavar="N", help="draws everything (default 1)")
    parser.add_argument("--folder", type=Path, default=Path(".freehold-bench"), help="where bench/exit.py keeps runs")
    return parser.parse_args()


def _runs(text: str) -> int:
    if not text.isdecimal() or int(text) < _LEAST_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs; give {_LEAST_RUNS} or more")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; give a whole number, 0 or more")
    return int(text)
