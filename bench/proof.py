"""The command of a benchmark, the proof's guarantees against known truth: see `proof/proof_bench.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("proof_bench"))
