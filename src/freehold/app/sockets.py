"""The socket that all workers accept from, bound by their parent: a worker that dies takes no waiting client along.

The console has a socket of its own, in a folder that only this user may enter. Not covered: who may be listened to
(`gateway.keys.admission.needs_key`), how workers share what comes (`httpd.acceptor`).
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from freehold.gateway.server import listen
from freehold.httpd.server import OpenCounts

_BACKLOG = 4096
_LONGEST_PATH_BYTES = 100
"""The system takes 108 bytes, or 104, for the path of a socket."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """One listening socket for so many workers; `counts` is the file in which several of them count what is open."""

    socket: socket.socket
    workers: int
    counts: int | None

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self.socket.getsockname()[1])

    @property
    def files(self) -> tuple[int, ...]:
        """The file descriptors that a worker inherits."""
        own = self.socket.fileno()
        return (own,) if self.counts is None else (own, self.counts)

    @property
    def options(self) -> list[str]:
        """How a worker is told of them on its command line."""
        options = ["--listener", str(self.socket.fileno())]
        return options if self.counts is None else [*options, "--counts", str(self.counts)]

    def close(self) -> None:
        """Take no more connections for workers that have none of it."""
        self.socket.close()
        if self.counts is not None:
            os.close(self.counts)


def listening(host: str, port: int, workers: int) -> Sockets:
    """Take the port for so many workers; BusyError when somebody else has it."""
    return Sockets(listen(host, port), workers, None if workers == 1 else _counts_file(workers))


def _counts_file(workers: int) -> int:
    """A file without a name, all zeros; in memory where the system has such files, so that no full disk matters."""
    if sys.platform == "linux":
        file = os.memfd_create("freehold-counts")
    else:
        with tempfile.TemporaryFile() as opened:
            file = os.dup(opened.fileno())
    os.write(file, bytes(OpenCounts.size_bytes(workers)))
    return file


@contextmanager
def console_socket(run: Path) -> Iterator[socket.socket]:
    """A listening socket for the console in a folder below `run`, or a temporary one where that path is too long."""
    folder = run / "console"
    if len(os.fsencode(folder / "socket")) > _LONGEST_PATH_BYTES:
        folder = Path(tempfile.mkdtemp(prefix="freehold-"))
    else:
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir(parents=True, mode=0o700)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as taken:
            taken.bind(str(folder / "socket"))
            taken.listen(_BACKLOG)
            yield taken
    finally:
        shutil.rmtree(folder, ignore_errors=True)
