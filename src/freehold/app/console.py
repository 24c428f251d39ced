"""The console's own process: `python -m freehold.app.console`, started by `freehold up`.

It serves the console and the admin API on a socket that only the workers reach, so that pages, however large, take
nothing of what calls are served with. It loads what it needs when the first page is asked for: many gateways never
show one. It reads its settings from stdin, says `ready`, ends on SIGTERM and dies with its parent.

Not covered: what it serves (`app.console_server`), how requests come to it (`app.console_link`).
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import sys

from freehold.system.lifeline import die_with_parent

_LOW_PRIORITY = 10


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    chosen = parser.parse_args()
    die_with_parent(chosen.parent)
    os.nice(_LOW_PRIORITY)
    told = sys.stdin.buffer.read()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with socket.socket(fileno=chosen.listener) as listener:
        with selectors.DefaultSelector() as waiting:
            waiting.register(listener, selectors.EVENT_READ)
            waiting.select()
        from freehold.app.console_server import serve  # only now: a page is wanted

        serve(told, listener, chosen.parent)


if __name__ == "__main__":
    main()
