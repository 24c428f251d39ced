"""A child process ends when its parent does, even when the parent is killed.

Not covered: systems that do not tell a child of it; there a child looks at its parent from time to time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the system to kill this process when its parent ends; exits at once where that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this gateway is gone")


def end_without_parent(parent: int) -> None:
    """End this process gently where its parent is gone: for systems that do not tell a child."""
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
