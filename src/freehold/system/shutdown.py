"""How a process that was told to stop comes to its end in good order.

Work that must not be left in the middle, a training in a child process for instance, says so (`unbroken`) and looks now
and then whether the process is to stop (`is_stopping`); whoever ends the process waits for it (`wait_for_unbroken`).
A process has one end, so there is one state of it. Not covered: hearing of it; the command line takes the signals.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_asked = threading.Event()
_changed = threading.Condition()
_under_way: list[str] = []


def ask_to_stop() -> None:
    """Say that this process is to end."""
    _asked.set()


def forget_stopping() -> None:
    """Say that a new command begins, for which nobody has asked yet."""
    _asked.clear()


def is_stopping() -> bool:
    """Whether this process is to end."""
    return _asked.is_set()


@contextmanager
def unbroken(what: str) -> Iterator[None]:
    """Work that the process does not end in the middle of."""
    with _changed:
        _under_way.append(what)
    try:
        yield
    finally:
        with _changed:
            _under_way.remove(what)
            _changed.notify_all()


def unbroken_work() -> list[str]:
    """What is under way of it."""
    with _changed:
        return list(_under_way)


def wait_for_unbroken(timeout_s: float) -> bool:
    """Wait until none of it is under way; False when that takes longer."""
    with _changed:
        return _changed.wait_for(lambda: not _under_way, timeout_s)


def do_nothing_more() -> NoReturn:
    """What a thread does whose work was stopped: it waits for the process to end, and so tells nobody of a failure."""
    while True:
        threading.Event().wait()
