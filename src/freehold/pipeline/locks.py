"""Locks that keep processes apart: files that the system frees when their holder dies, even by `kill -9`."""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.errors import BusyError

_HOLDER_BYTES = 200
_LOOK_S = 0.02


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock for as long as the block runs; BusyError names the process that holds it already."""
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, _HOLDER_BYTES).decode("utf-8", "replace").strip() or "another process"
            raise BusyError(f"{what} is already running: {holder}.", hint="Wait for it, or stop it first.") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()}".encode())
        yield


@contextmanager
def in_turn(path: Path, *, patience_s: float = math.inf) -> Iterator[None]:
    """Run the block when nobody else runs one under this lock; BusyError when its turn takes longer to come."""
    with _opened(path) as descriptor:
        if patience_s == math.inf:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _take_within(descriptor, patience_s, path)
        yield


def _take_within(descriptor: int, patience_s: float, path: Path) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise BusyError(f"{path.stem} is taken by another process.", hint="Try again in a moment.") from error
            time.sleep(_LOOK_S)
        else:
            return


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
