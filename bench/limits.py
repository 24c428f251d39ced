"""The command of a benchmark, the bounds on strangers, spenders and odd calls: see `gateway/limits_bench.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("limits_bench"))
