"""What runs in the console's process: the pages and the admin API, and a thread that follows the gateway keys.

Not covered: the process (`app.console`), the pages (`freehold.console`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from freehold.app.console_link import CLIENT_HEADER
from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.log import log_to_stderr
from freehold.app.periodic import Periodic
from freehold.app.session_secret import session_secret
from freehold.app.startup import Startup
from freehold.app.wiring import asks_for_keys, gateway_settings, limits
from freehold.gateway.keys.admission import Admission, ReadHeader
from freehold.gateway.server import follow_signals, loop_factory, refuse
from freehold.httpd.asgi import AsgiApp, Event, answer_with
from freehold.httpd.request import ClientGoneError, Request
from freehold.httpd.server import Limits, Server
from freehold.settings import Settings
from freehold.system.lifeline import end_without_parent

_FOLLOW_S = 0.5
_FIRST_LOOK_S = 5.0
_GRACE_S = 1.0
_LOG = logging.getLogger("freehold.up")

Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


def serve(told: bytes, listener: socket.socket, parent: int) -> None:
    """Serve until SIGTERM."""
    log_to_stderr()
    settings = msgspec.json.decode(told, type=Startup).settings
    late = LazyWorkspace(settings)
    admission = Admission(is_required=asks_for_keys(settings))
    follower = Periodic("console", partial(_follow, late, admission, parent), pause_s=_FOLLOW_S)
    follower.start()
    follower.has_begun.wait(_FIRST_LOOK_S)
    console = FromWorkers(LateConsole(settings, late, admission))
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run_console(console, listener, limits(settings)))
    finally:
        follower.stop(timeout_s=1.0)
        late.close()


async def run_console(app: AsgiApp, listener: socket.socket, limits: Limits) -> None:
    """Serve an application on the running loop until a signal comes."""

    async def handle(request: Request) -> None:
        try:
            await answer_with(app, request)
        except ClientGoneError:
            _LOG.debug("A client left before its page was there.")

    server = Server(handle, limits, refuse)
    listener.setblocking(False)
    end = asyncio.Event()
    follow_signals(end, end)
    await server.start(listener)
    await end.wait()
    await server.stop(_GRACE_S)


def _follow(late: LazyWorkspace, admission: Admission, parent: int) -> None:
    end_without_parent(parent)
    admission.refresh(late.store().keys.sync)


class FromWorkers:
    """Wraps an application: the client is the one that the worker names, and nobody where it names none."""

    def __init__(self, inner: AsgiApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request."""
        named = b"".join(value for name, value in scope["headers"] if name == CLIENT_HEADER)
        rest = [header for header in scope["headers"] if header[0] != CLIENT_HEADER]
        await self._inner({**scope, "client": (named.decode("latin-1"), 0), "headers": rest}, receive, send)


class LateConsole:
    """The console, from the moment on at which the database has answered."""

    def __init__(self, settings: Settings, late: LazyWorkspace, admission: Admission) -> None:
        self._late = late
        self._admission = admission
        self._settings = settings
        self._console: AsgiApp | None = None

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._console is None:
            self._console = self._built()
        if self._console is not None:
            await self._console(scope, receive, send)
            return
        body = b"The database of the record does not answer, so there is nothing to show. Calls pass all the same.\n"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _built(self) -> AsgiApp | None:
        if self._late.opened is None:
            return None
        from freehold.console import Sessions, build_console, is_loopback_host

        settings, admission = self._settings, self._admission
        is_asked = asks_for_keys(settings)
        return build_console(
            self._late.opened,
            is_simulated=any(provider.name == "simulated" for provider in settings.providers),
            let_in=self._key_of,
            sessions=Sessions(session_secret(settings), admission.may_look) if is_asked else None,
            # without a key, a proxy on this machine must not show the console by its own name
            is_own_host=gateway_settings(settings).hosts.allows if is_asked else is_loopback_host,
        )

    def _key_of(self, header: ReadHeader) -> str | None:
        admitted = self._admission.admit(header)
        return admitted.key_id if admitted else None
