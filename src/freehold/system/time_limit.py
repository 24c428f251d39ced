"""Calling functions of others without waiting for them for ever."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Work:
    """One call, and what came of it."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    value: Any = None
    error: BaseException | None = None
    is_done: threading.Event = field(default_factory=threading.Event)


class TimeLimit:
    """Calls functions one after the other on one thread of its own, each for `limit_s` seconds at most.

    What a function sets up for its thread (a connection of SQLite's, say) is there again in the next call. A function
    that takes longer is left to itself: nothing stops a thread in Python, so this object calls nothing any more. Code
    in C that holds Python's lock cannot be left. Calls from several threads wait for each other.
    """

    def __init__(self, name: str, limit_s: float) -> None:
        self.limit_s = limit_s
        self._waiting: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._is_stuck = False
        self._one = threading.Lock()
        threading.Thread(target=_work, args=(self._waiting,), name=name, daemon=True).start()
        weakref.finalize(self, self._waiting.put, None)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What the function gives or raises; TimeoutError where it took too long, now or before."""
        work = _Work(function, arguments)
        with self._one:
            if not self._is_stuck:
                self._waiting.put(work)
                self._is_stuck = not work.is_done.wait(self.limit_s)
            if self._is_stuck:
                raise TimeoutError(f"it did not return within {self.limit_s:g} s")
        if work.error is not None:
            raise work.error
        value: T = work.value
        return value


def _work(waiting: queue.SimpleQueue[_Work | None]) -> None:
    while (work := waiting.get()) is not None:
        try:
            work.value = work.function(*work.arguments)
        except BaseException as error:
            work.error = error
        work.is_done.set()
        del work  # nothing of a call outlives it here
