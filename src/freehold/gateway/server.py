"""Serving the gateway: one process, one event loop (uvloop where it is installed), one listening socket.

Not covered: TLS towards clients; put a proxy in front where others than this machine are served.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from freehold.errors import BusyError, SettingError
from freehold.gateway.app import Gateway
from freehold.gateway.errors import RefusedError, reply
from freehold.httpd.heads import Header
from freehold.httpd.server import Limits, OpenCounts, Refusal, Server

_BACKLOG = 4096
_OWN_FILES, _LEAST_CONNECTIONS = 200, 8
"""Files beside connections: journals, databases, engines, the console, and those who are turned away."""
_REFUSALS = {
    "bad_request": RefusedError(400, "bad_request", "The request is not HTTP/1.1.", hint="Send a well-formed one."),
    "head_too_large": RefusedError(431, "head_too_large", "The request's head is too large.", hint="Send less of it."),
    "full": RefusedError(
        503,
        "too_many_connections",
        "This gateway has as many connections as it can serve, and none of them is idle.",
        hint="Try again in a moment; gateway.max_connections and the limit of open files say how many there may be.",
        retry_after_s=1,
    ),
    "timeout": RefusedError(408, "head_timeout", "The request's head did not come in time.", hint="Send it again."),
}
_LOG = logging.getLogger("freehold.gateway")


def listen(host: str, port: int) -> socket.socket:
    """Take the port; BusyError when it is in use. Who may listen where: `gateway.keys.admission.needs_key`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise BusyError(
                f"Port {port} of {host} is in use.", hint="Stop what listens there, or choose another --port."
            ) from error
        raise SettingError(f"Cannot listen on {host}:{port}: {error.strerror}.", hint="Choose another port.") from error
    return taken


def run(
    gateway: Gateway,
    taken: socket.socket,
    limits: Limits,
    *,
    counts: OpenCounts | None = None,
    on_ready: Callable[[], None] | None = None,
    grace_s: float | None = None,
) -> None:
    """Serve on a listening socket until SIGINT or SIGTERM, then return.

    Requests under way are ended first, for at most `grace_s` seconds; a second signal does not wait for them. With
    `counts` other processes accept from the same socket.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(gateway, taken, limits, counts=counts, on_ready=on_ready, grace_s=grace_s))


async def serve(
    gateway: Gateway,
    taken: socket.socket,
    limits: Limits,
    *,
    counts: OpenCounts | None = None,
    on_ready: Callable[[], None] | None = None,
    grace_s: float | None = None,
    ending: asyncio.Event | None = None,
) -> None:
    """Serve on the running loop until a signal comes or `ending` is set."""
    server = Server(gateway, limits, refuse, gateway.oversight.note_connections, gateway.screen)
    taken.setblocking(False)
    await server.start(taken, counts)
    end = ending or asyncio.Event()
    hurry = asyncio.Event()
    follow_signals(end, hurry)
    if on_ready is not None:
        on_ready()
    await end.wait()
    gateway.oversight.is_stopping = True
    stopping = asyncio.create_task(server.stop(grace_s))
    hurrying = asyncio.create_task(hurry.wait())
    await asyncio.wait((stopping, hurrying), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await server.stop(0)
    hurrying.cancel()
    await stopping
    await gateway.shutdown()


def follow_signals(end: asyncio.Event, hurry: asyncio.Event) -> None:
    """Set `end` with the first SIGINT or SIGTERM, and `hurry` with the next."""
    loop = asyncio.get_running_loop()

    def take() -> None:
        (hurry if end.is_set() else end).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError, RuntimeError, NotImplementedError):  # another thread's loop gets no signals
            loop.add_signal_handler(number, take)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed; None for the standard one."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def raise_file_limit() -> float:
    """A connection is a file: take as many as the system lets us; returns how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    _LOG.debug("open files: %d, before %d of %d", now, soft, hard)
    return math.inf if now == resource.RLIM_INFINITY else now


def most_connections(wanted: int, files: float) -> int:
    """How many connections of clients a process with so many files can serve: each may need another to a provider."""
    return int(min(wanted, max(_LEAST_CONNECTIONS, (files - _OWN_FILES) / 2)))


def refuse(refusal: Refusal) -> tuple[int, list[Header], bytes]:
    """The answer to what is no request that can be handled."""
    error = _REFUSALS[refusal]
    headers, body = reply(error, "openai-chat")
    return error.status, headers, body
