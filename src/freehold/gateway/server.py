"""Serving the gateway over HTTP: one process, one event loop, uvicorn with uvloop and httptools.

Not covered: TLS and keys for callers; the gateway listens on this machine alone.
"""

from __future__ import annotations

import errno
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from freehold.errors import BusyError, SettingError
from freehold.gateway.app import Gateway

_KEEPALIVE_S = 75
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Take the port; BusyError when it is in use, SettingError when `host` is not this machine alone."""
    if not _is_loopback(host):
        raise SettingError(
            f"gateway.host is {host!r}, which others can reach, and the gateway does not ask callers for keys yet.",
            hint="Use 127.0.0.1, and put a proxy that authenticates in front of it.",
        )
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


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def serve(gateway: Gateway, taken: socket.socket, *, grace_s: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then return; calls under way are finished first, for at most `grace_s` seconds."""
    await _server(gateway, grace_s).serve(sockets=[taken])


def run(gateway: Gateway, host: str, port: int, *, on_ready: Callable[[int], None] | None = None) -> None:
    """Listen on `host:port`, tell `on_ready` the port, and serve until SIGINT or SIGTERM; then return.

    A second SIGINT stops without waiting for calls under way. Port 0 takes any free one.
    """
    taken = listen(host, port)
    if on_ready is not None:
        on_ready(int(taken.getsockname()[1]))
    _server(gateway, None).run(sockets=[taken])


class _Server(uvicorn.Server):
    """uvicorn without its last act, which is to kill the process by the signal that stopped it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT or SIGTERM, and leave the rest of the shutdown to the caller."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _server(gateway: Gateway, grace_s: int | None) -> uvicorn.Server:
    config = uvicorn.Config(
        gateway,
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEPALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )
    return _Server(config)
