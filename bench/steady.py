"""The command of a benchmark, a busy hour: see `rollback/steady_bench.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("steady_bench"))
