"""A gateway in a process of its own: `python -m freehold.app.worker`, started by `freehold up`.

It reads its settings from stdin and says `ready` on stdout once it serves the socket that it was given, and `lost N`
when it had to end with calls that no disk took. It ends on SIGTERM, when the calls under way have ended, and dies with
its parent. Not covered: starting it (`app.supervisor`), what it does (`app.gateway_process`).
"""

from __future__ import annotations

import argparse
import socket
import sys

from freehold.system.lifeline import die_with_parent


def main() -> None:
    """Serve until told to stop."""
    chosen = _arguments()
    die_with_parent(chosen.parent)
    from freehold.app.gateway_process import say, serve  # takes a while, in which the parent may die
    from freehold.httpd.server import OpenCounts

    with socket.socket(fileno=chosen.listener) as listener:
        counts = None if chosen.counts is None else OpenCounts(chosen.counts, chosen.number)
        lost = serve(sys.stdin.buffer.read(), listener, chosen.number, chosen.parent, counts)
    if lost:
        say(f"lost {lost}")
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, required=True, help="which of the workers this is, from 1")
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--counts", type=int, help="file descriptor of the counts that workers share, where several do")
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    return parser.parse_args()


if __name__ == "__main__":
    main()
