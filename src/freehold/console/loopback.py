"""Only pages asked for from this machine and by a name of its own are served, and what is open to callers elsewhere.

A gateway may listen where others can reach it, and its console is not for them. A page elsewhere can make its own name
resolve to 127.0.0.1 (DNS rebinding) and then read what this machine serves; the `host` header still tells that name.
Not covered: calls under `/v1/` (`gateway.doors`), keys (`console.login`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from freehold.system.hosts import Hosts


class LoopbackOnly:
    """Wraps an application; answers 403 to a request from another machine or for any other host."""

    def __init__(self, inner: ASGIApp, is_open: Callable[[str], bool], is_own_host: Callable[[str], bool]) -> None:
        self._inner = inner
        self._is_open = is_open
        self._is_own_host = is_own_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        is_here = scope["type"] != "http" or is_from_here(HTTPConnection(scope), self._is_own_host)
        if not is_here and not self._is_open(scope["path"]):
            refusal = PlainTextResponse(
                "The console is served to this machine alone: open http://127.0.0.1 with the gateway's port.\n",
                status_code=403,
            )
            await refusal(scope, receive, send)
            return
        await self._inner(scope, receive, send)


def is_from_here(request: HTTPConnection, is_own_host: Callable[[str], bool]) -> bool:
    """Whether this machine asks, and by a name of its own."""
    is_near = request.client is None or is_peer_loopback(request.client.host)
    return is_near and is_own_host(request.headers.get("host", ""))


def is_peer_loopback(address: str) -> bool:
    """Whether a client's address is of this machine; test clients have names for addresses."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address in ("localhost", "testclient")


def is_loopback(host: str) -> bool:
    """Whether a `host` header names this machine: `localhost`, `127.0.0.1:8700`, `[::1]`."""
    return Hosts().allows(host)
