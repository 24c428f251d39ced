"""A limit of CPU time for work on what others sent: set around the work, looked at inside it.

    with effort(2.0):
        sort_calls(...)    # calls check_effort() as it goes; TooLongError once 2 seconds of CPU are used

It is the CPU time of the thread, so that a busy machine makes nothing too long. Not covered: interrupting a single
long step between two looks; those are bounded where they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from freehold.errors import FreeholdError

_ends_at: ContextVar[float | None] = ContextVar("freehold_effort_ends_at", default=None)


class TooLongError(FreeholdError):
    """Some work took more CPU time than it may."""

    code = "too_long"


@contextmanager
def effort(cpu_s: float) -> Iterator[None]:
    """Let the work inside use so much CPU time of this thread; a limit around it holds on."""
    outer = _ends_at.get()
    ends_at = time.thread_time() + cpu_s
    token = _ends_at.set(ends_at if outer is None else min(ends_at, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


def check_effort() -> None:
    """TooLongError where the limit around this work is used up; nothing where there is none."""
    ends_at = _ends_at.get()
    if ends_at is not None and time.thread_time() > ends_at:
        raise TooLongError("The work took more CPU time than it may.", hint="Give it less at once.")
