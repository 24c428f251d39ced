"""Calls under way: when the oldest one of each task began, told to the process that reads the record in order.

A call is recorded once it has ended, so what was asked earlier and takes longer comes later. A file for each worker and
task holds 8 bytes, the time at which the oldest call under way began, 0 while there is none. They are written in place,
and only when the oldest changes, so that telling costs a call microseconds.

Not covered: what has ended and is not in the database yet (`record.backlog`).
"""

from __future__ import annotations

import logging
import os
import shutil
import struct
from pathlib import Path

_TIME = struct.Struct("<d")
_NONE = 0.0
_LOG = logging.getLogger("freehold.record")


class UnderWay:
    """The calls of one worker; tells nobody without a folder. To be used on one thread."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._calls: dict[str, dict[str, float]] = {}
        self._files: dict[str, int] = {}
        if folder is not None:
            forget_calls_under_way(folder)  # those of a worker that died

    def begin(self, task_id: str, call_id: str, created_at: float) -> None:
        """A call of this task has come."""
        calls = self._calls.setdefault(task_id, {})
        calls[call_id] = created_at
        if len(calls) == 1:
            self._tell(task_id, created_at)

    def end(self, task_id: str, call_id: str) -> None:
        """It has ended, and is in the journal; nothing happens for one that never began."""
        calls = self._calls.get(task_id, {})
        is_oldest = next(iter(calls), None) == call_id
        calls.pop(call_id, None)
        if is_oldest:
            self._tell(task_id, next(iter(calls.values()), _NONE))

    def _tell(self, task_id: str, began_at: float) -> None:
        if self._folder is None:
            return
        try:
            if task_id not in self._files:
                self._folder.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._files[task_id] = os.open(self._folder / task_id, flags, 0o600)
            os.pwrite(self._files[task_id], _TIME.pack(began_at), 0)
        except OSError as error:
            _LOG.warning(
                "Calls under way cannot be told in %s, so slow ones may count for nothing: %s", self._folder, error
            )
            self._folder = None


def oldest_under_way(folder: Path, task_id: str) -> float | None:
    """When the oldest call of a task that is under way began, over all workers below `folder`; None without any."""
    found = []
    for path in folder.glob(f"*/{task_id}"):
        told = path.read_bytes()
        if len(told) == _TIME.size:
            found.append(_TIME.unpack(told)[0])
    return min((began_at for began_at in found if began_at != _NONE), default=None)


def forget_calls_under_way(folder: Path) -> None:
    """Leave nothing of an earlier run."""
    shutil.rmtree(folder, ignore_errors=True)
