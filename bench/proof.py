"""Simulate what the proof promises, in worlds whose truth is known, and print each promise beside what was measured.

    python bench/proof.py [--quick] [--json] [--only NAME ...] [--runs N] [--seed N] [--folder DIR]

Each part repeats a decision many times where the right one is known, with the package's own code, and counts how often
it goes wrong; controls are methods that must go wrong more often, and tables show what others do beside it. Exit code 1
where a promise is not kept, or a control does not show what it should. At 10,000 runs it takes about an hour on one
slow core; --quick ends within a minute with fewer runs and wider bounds. `splits` reads what bench/exit.py kept.

Not covered: speed, and how good a model becomes (`exit.py`).
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import proof_error
import proof_power
import scipy
from proof_figures import Effort, Part, tell
from proof_report import as_json, print_end, print_part

RUNS, QUICK_RUNS = 10_000, 500


def main() -> int:
    """Run the parts that were asked for; 1 where one of their promises is not kept."""
    options = _options()
    known = parts(options.folder)
    names = list(dict.fromkeys(options.only or known))
    if unknown := sorted(set(names) - set(known)):
        sys.stderr.write(f"bench/proof.py: no such part: {', '.join(unknown)}; known: {', '.join(known)}\n")
        return 2
    runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    effort = Effort(runs=runs, seed=options.seed, is_quick=options.quick)
    found = []
    try:
        for name in names:
            found.append(_timed(name, known[name], effort))
            print_part(found[-1])
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    print_end(found)
    if options.json:
        print(as_json(found, _about(effort)))
    return 0 if all(row.is_ok for part in found for row in part.rows) else 1


def parts(folder: Path) -> dict[str, Callable[[Effort], Part]]:
    """Every part by its name, in the order in which they run."""
    return {"error": proof_error.measure, "power": proof_power.measure}


def _timed(name: str, measure: Callable[[Effort], Part], effort: Effort) -> Part:
    start = time.monotonic()
    part = measure(effort)
    seconds = time.monotonic() - start
    tell(f"{name}: {seconds:.0f} s")
    return replace(part, seconds=seconds)


def _about(effort: Effort) -> dict[str, object]:
    return {
        "runs": effort.runs,
        "seed": effort.seed,
        "is_quick": effort.is_quick,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within a minute: fewer runs, part of the grid")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these parts alone")
    parser.add_argument(
        "--runs", type=_positive, metavar="N", help=f"of each simulation (default {RUNS}; quick {QUICK_RUNS})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws everything (default 0)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".freehold-bench"), help="where bench/exit.py kept its runs"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 100:
        raise argparse.ArgumentTypeError(f"{text!r} runs are too few to tell anything; give 100 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
