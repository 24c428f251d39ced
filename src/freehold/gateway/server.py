"""Serving the gateway over HTTP: one process, one event loop, uvicorn with uvloop and httptools.

Not covered: TLS and keys for callers; the gateway listens on this machine alone.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

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
    """Serve until SIGINT or SIGTERM; streams under way are finished first, for at most `grace_s` seconds."""
    await _server(gateway, grace_s).serve(sockets=[taken])


def run(gateway: Gateway, host: str, port: int) -> None:
    """Listen on `host:port` and serve until SIGINT or SIGTERM."""
    _server(gateway, None).run(sockets=[listen(host, port)])


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
    return uvicorn.Server(config)
