"""The command of a benchmark, turns of a model behind a real gateway: see `rollback/rollback_bench.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("rollback_bench"))
