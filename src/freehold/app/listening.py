"""The sockets that workers serve: bound by their parent, so that a worker that dies takes no waiting client along.

With several workers each has a socket of its own on the shared port (SO_REUSEPORT), and the kernel deals connections
out between them; where it does not do that, they share one. Not covered: who may be listened to
(`gateway.admission.needs_key`).
"""

from __future__ import annotations

import socket
import sys

from freehold.gateway.server import listen

_BACKLOG = 4096


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
