"""Letting an ASGI application answer a request: the console lives beside the gateway's own paths.

Not covered: lifespan, WebSockets, and bodies that arrive while the application is already at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from freehold.httpd.request import Request

Event = MutableMapping[str, Any]
AsgiApp = Callable[[Event, Callable[[], Awaitable[Event]], Callable[[Event], Awaitable[None]]], Awaitable[None]]


async def answer_with(app: AsgiApp, request: Request, *, server: tuple[str, int] = ("127.0.0.1", 8700)) -> None:
    """Hand a request to an ASGI application and its response to the client."""
    is_received = False

    async def receive() -> Event:
        nonlocal is_received
        if is_received:
            await asyncio.get_running_loop().create_future()  # until the client hangs up and the task is cancelled
        is_received = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(event: Event) -> None:
        if event["type"] == "http.response.start":
            request.start(event["status"], event.get("headers", []))
        elif event.get("more_body"):
            request.write(event.get("body", b""))
            await request.drain()
        else:
            request.finish(event.get("body", b""))

    with request.attended():
        await app(_scope(request, server), receive, send)


def _scope(request: Request, server: tuple[str, int]) -> Event:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": request.peer,
        "server": server,
    }
