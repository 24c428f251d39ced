"""Other work on the machine: processes that compute and never wait.

    python bench/gateway/steady_busy.py --loops 2

They run until this one is ended, and end with it. Not covered: work on memory or disks.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Be one of the loops, and the parent of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, required=True, help="processes that each take a core")
    loops = parser.parse_args().loops
    for _ in range(loops - 1):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            break
    while True:
        sum(range(10_000))


if __name__ == "__main__":
    main()
