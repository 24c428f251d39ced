"""Walk the whole road on public data, and print what came of it.

    python bench/exit.py snips viggo --minutes 40

The training rows of each folder are sent as traffic through the gateway to a stand-in that answers with the gold
answer; then freeze, train, prove, move; then the held-out rows are sent through it. Any folder of FREEHOLD_DATA
(default ../shared/data) with train.jsonl and a test, valid, validate or dev file runs; `--prompt FILE` gives its
instructions. What is measured on held-out rows never touched training, thresholds or the confidence head.

Not covered: comparing bases or recipes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from exit_report import print_table
from exit_run import Options, run

from freehold.errors import FreeholdError
from freehold.terminal import say_json


def main() -> int:
    """Run the named data sets one after another; a failed one is reported and the others go on."""
    options, names = _options()
    results, is_whole = [], True
    for name in names:
        try:
            results.append(run(name, options))
        except FreeholdError as error:
            is_whole = False
            sys.stderr.write(f"{name}: {error}\n")
            results.append({"data": name, "error": str(error)})
    print_table(results)
    if options.as_json:
        say_json({"results": results})
    return 0 if is_whole else 1


def _options() -> tuple[Options, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME", help="folders of FREEHOLD_DATA")
    parser.add_argument("--minutes", type=float, default=40.0, help="longest training time of each (default 40)")
    parser.add_argument("--prompt", type=Path, help="file with the instructions; {labels} stands for all labels")
    parser.add_argument("--teacher", help="let the stand-in answer with this teacher's answers where rows carry them")
    parser.add_argument("--test", type=int, default=0, metavar="N", help="only N held-out rows, drawn by the seed")
    parser.add_argument(
        "--proof", type=int, default=500, metavar="N", help="most calls in the proof split (default 500)"
    )
    parser.add_argument("--dev", type=int, default=250, metavar="N", help="most calls in the dev split (default 250)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".freehold-bench"), help="where runs are kept")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs of these data sets")
    parser.add_argument("--json", action="store_true", dest="as_json", help="end with one JSON line")
    chosen = vars(parser.parse_args())
    names = chosen.pop("names")
    data = Path(os.environ.get("FREEHOLD_DATA", "../shared/data"))
    if chosen.pop("fresh"):
        for name in names:
            shutil.rmtree(chosen["folder"] / name, ignore_errors=True)
    return Options(data=data, **chosen), names
