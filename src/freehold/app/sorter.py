"""The sorter, a process of its own: `python -m freehold.app.sorter`, started by `freehold up`.

It gives new calls their tasks and deletes what is old, and takes only the CPU that others leave over. In the parent it
would keep the delivery from its work: one thread at a time runs Python, and one of the lowest priority is slow to let
go. It reads its settings from stdin, says `ready`, ends on SIGTERM and dies with its parent.

Not covered: how calls are sorted (`sort.run.sort`), what is deleted (`ops.retention`).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from freehold.system.lifeline import die_with_parent

_LOWEST_PRIORITY = 19


def main() -> None:
    """Sort until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    parent = parser.parse_args().parent
    die_with_parent(parent)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    os.nice(_LOWEST_PRIORITY)
    from freehold.app.chores import Chores  # takes a while, in which the parent may die

    chores = Chores(sys.stdin.buffer.read(), parent)
    chores.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ending.wait()
    chores.stop()


if __name__ == "__main__":
    main()
