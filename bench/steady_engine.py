"""The command of a benchmark, an engine in trouble: see `rollback/steady_engine.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("steady_engine"))
