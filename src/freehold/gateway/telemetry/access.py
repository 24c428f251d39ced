"""The access log: at most one JSON line per call on stderr, never with headers, bodies or query strings.

Lines are written by a thread of their own, so that a reader of stderr that stands still does not hold calls up; what
waits is bounded, and lines that are left out are counted in a line. Of the requests that the gateway refuses by itself
only some of each minute have a line, unless all calls are wanted. Not covered: the record, which has every call.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from freehold.sanitizer import plain_json_bytes

AccessMode = Literal["off", "errors", "all"]
_STDERR = 2
_MOST_LINES = 10_000
_LINES_PER_WRITE = 200
_MODEL_CHARS = 200
_REFUSED_PER_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Accessed:
    """What is logged of one call; `error` is a code, None for a whole exchange."""

    at: float
    id: str
    task: str | None
    provider: str
    arm: str
    model: str | None
    status: int
    latency_ms: float
    error: str | None


def access_line(accessed: Accessed) -> bytes:
    """The call as one line of JSON."""
    a = accessed
    value = {
        "time": datetime.fromtimestamp(a.at, UTC).isoformat(timespec="milliseconds"),
        "id": a.id,
        "task": a.task,
        "provider": a.provider,
        "arm": a.arm,
        "model": a.model[:_MODEL_CHARS] if a.model else None,
        "status": a.status,
        "latency_ms": round(a.latency_ms, 1),
        "error": a.error,
    }
    return plain_json_bytes(msgspec.json.encode(value)) + b"\n"


class AccessLog:
    """Writes access lines; `log` never waits. `write` is handed whole lines."""

    def __init__(self, mode: AccessMode, write: Callable[[bytes], object] | None = None) -> None:
        self._mode = mode
        self._write = write or _to_stderr
        self._lines: deque[bytes] = deque()
        self._left_out = 0
        self._refused = (0, 0)
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="freehold-access-log", daemon=True)
        if mode != "off":
            self._thread.start()

    def wants(self, status: int, error: str | None) -> bool:
        """Whether such a call is logged; to be asked before the line is made."""
        return self._mode == "all" or (self._mode == "errors" and (status >= 400 or error is not None))

    def log(self, accessed: Accessed, *, is_refused: bool = False) -> None:
        """Queue the line of a call, if the mode wants it; `is_refused`: the gateway refused it by itself."""
        if not self.wants(accessed.status, accessed.error):
            return
        is_one_too_many = is_refused and self._mode == "errors" and self._is_one_too_many(accessed.at)
        if is_one_too_many or len(self._lines) >= _MOST_LINES:
            self._left_out += 1
            return
        self._lines.append(access_line(accessed))
        if len(self._lines) == 1:
            with self._changed:
                self._changed.notify()

    def _is_one_too_many(self, at: float) -> bool:
        """Whether the log has this minute's lines about refused requests; a stranger could fill a disk with them."""
        minute = int(at // 60)
        self._refused = (minute, self._refused[1] + 1 if minute == self._refused[0] else 1)
        return self._refused[1] > _REFUSED_PER_MINUTE

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits, then stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._is_closed)
            if not self._lines:
                return
            count = min(len(self._lines), _LINES_PER_WRITE)
            lines = [self._lines.popleft() for _ in range(count)]
            if self._left_out:
                left_out, self._left_out = self._left_out, 0
                lines.append(msgspec.json.encode({"left_out_lines": left_out}) + b"\n")
            self._put(lines)

    def _put(self, lines: list[bytes]) -> None:
        try:
            self._write(b"".join(lines))
        except BlockingIOError:
            self._left_out += len(lines)
        except OSError:
            self._mode = "off"  # nobody can read stderr any more, and there is no other place to say so


def _to_stderr(data: bytes) -> None:
    while data:
        data = data[os.write(_STDERR, data) :]
