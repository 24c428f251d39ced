"""The command of a benchmark, the whole road on public data: see `exit/exit_bench.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("exit_bench"))
