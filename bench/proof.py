"""Hold every guarantee of the proof against known truth, and print what came of it.

    python bench/proof.py [--quick] [--json] [--only NAME ...] [--runs N] [--seed N]

certify: errors at every peek, power, contracts, attempts. online: ramp, rollback, audits, feedback, drift of inputs.
drift: rented models that changed (LLMDrift, FREEHOLD_DATA). splits: contracts on answers that `bench/exit.py` kept.
10,000 runs take some minutes; --quick ends within one. Exit code 1 where a guarantee or a negative control fails.

Not covered: rollback through the real gateway (`bench/rollback.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_certify import certify_rows
from bench_drift import drift_rows
from bench_online import Row, online_rows
from proof_splits import split_rows

_RUNS, _QUICK_RUNS, _DRIFT_RUNS = 10_000, 1_000, 200


def main() -> int:
    """Run the parts that were asked for."""
    options = _options()
    data = Path(os.environ.get("FREEHOLD_DATA", "../shared/data"))
    runs = options.runs or (_QUICK_RUNS if options.quick else _RUNS)
    parts: dict[str, Callable[[], list[Row]]] = {
        "certify": lambda: certify_rows(runs=runs, seed=options.seed),
        "online": lambda: online_rows(runs=runs, seed=options.seed),
        "drift": lambda: _drift(min(runs, 20 if options.quick else _DRIFT_RUNS), options.seed, data),
        "splits": lambda: split_rows(options.folder, seed=options.seed),
    }
    found: dict[str, list[Row]] = {}
    for name in options.only or parts:
        began = time.monotonic()
        sys.stderr.write(f"{name} ...\n")
        found[name] = parts[name]()
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
        _print(name, found[name])
    is_whole = all(row["ok"] for rows in found.values() for row in rows)
    if options.json:
        print(json.dumps({"runs": runs, "seed": options.seed, "is_whole": is_whole, "parts": found}))
    return 0 if is_whole else 1


def _drift(runs: int, seed: int, data: Path) -> list[Row]:
    if not (data / "llmdrift").is_dir():
        words = "set FREEHOLD_DATA to the folder that holds llmdrift"
        return [{"name": "left out", "measured": None, "wanted": words, "ok": True}]
    return drift_rows(runs=runs, seed=seed, folder=data / "llmdrift")


def _print(name: str, rows: list[Row]) -> None:
    print(f"\n{name}")
    for row in rows:
        measured = "-" if row["measured"] is None else f"{row['measured']:.4g}"
        print(f"  {row['name']:<72} {measured:>9}   {row['wanted']:<26} {'ok' if row['ok'] else 'SHORT'}")
        if "note" in row:
            print(f"    {row['note']}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs; ends within a minute")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    parser.add_argument("--only", nargs="+", choices=["certify", "online", "drift", "splits"])
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="of each simulation (default 10,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(".freehold-bench"), help="where bench/exit.py keeps runs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
