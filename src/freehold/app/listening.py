"""The sockets that workers serve: bound by their parent, so that a worker that dies takes no waiting client along.

With several workers each has a socket of its own on the shared port (SO_REUSEPORT), and the kernel deals connections
out between them; where it does not do that, they share one. The console has a socket in a folder that only this user
may enter. Not covered: who may be listened to (`gateway.admission.needs_key`).
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.gateway.server import listen

_BACKLOG = 4096
_LONGEST_PATH_BYTES = 100
"""The system takes 108 bytes, or 104, for the path of a socket."""


def listeners(host: str, port: int, workers: int) -> list[socket.socket]:
    """One listening socket for each worker, all on one port; BusyError when somebody else has it."""
    first = listen(host, port)
    if workers == 1 or sys.platform != "linux":
        return [first] * workers
    taken = int(first.getsockname()[1])
    first.close()  # it only made sure that the port is nobody's: sockets that share one would not notice
    return [_sharing(host, taken, first.family) for _ in range(workers)]


def _sharing(host: str, port: int, family: int) -> socket.socket:
    sharing = socket.socket(family, socket.SOCK_STREAM)
    sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sharing.bind((host, port))
    sharing.listen(_BACKLOG)
    return sharing


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
