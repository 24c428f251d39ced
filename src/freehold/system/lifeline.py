"""A child process ends when its parent does, even when the parent is killed.

A module of ours takes the option `--parent` and calls `die_with_parent` first. Any other command is started by this
module, which then becomes that command: `python -m freehold.system.lifeline PARENT SIGNAL COMMAND ...` (see `tied`).

Not covered: systems that do not tell a child of it; there a child looks at its parent from time to time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def parent_option() -> list[str]:
    """The option that tells a child whose it is."""
    return ["--parent", str(os.getpid())]


def tied(command: Sequence[str], by: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command, to be ended by a signal when this process ends."""
    # -P: freehold is the installed one, never a folder of that name in the working folder
    return [sys.executable, "-P", "-m", "freehold.system.lifeline", str(os.getpid()), str(by.value), *command]


def die_with_parent(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Ask the system to end this process when its parent ends; exits at once where that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def end_without_parent(parent: int) -> None:
    """End this process gently where its parent is gone: for systems that do not tell a child."""
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Become the command that the arguments name."""
    parent, by, *command = sys.argv[1:]
    die_with_parent(int(parent), signal.Signals(int(by)))
    os.execvp(command[0], command)  # noqa: S606  (the command is the caller's own)


if __name__ == "__main__":
    main()
