"""What a connection belongs to: the server, as the connection sees it. Not covered: the server (`server`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from freehold.httpd.heads import Header
from freehold.httpd.limits import Limits, Refusal
from freehold.httpd.request import Request

if TYPE_CHECKING:
    from freehold.httpd.connection import Connection

Entry = Literal["served", "told", "dropped"]
"""What becomes of a new connection: it is served, told that there is no room, or dropped without a word."""


class Host(Protocol):
    """The server; `idle` are the connections that wait for a request, the one that has waited the longest first."""

    limits: Limits
    is_stopping: bool
    idle: dict[Connection, None]
    screen: Callable[[Request], None]
    """Says by its head how much of a request's body may be read (`Request.bound_body`, `leave_body`)."""

    def let_in(self, connection: Connection) -> Entry:
        """Count a new connection, and say what becomes of it."""

    def let_go(self, connection: Connection) -> None:
        """Count it no more."""

    def handle(self, request: Request) -> None:
        """Let the handler answer a request."""

    def refuse(self, refusal: Refusal) -> tuple[int, list[Header], bytes]:
        """The answer (status, headers, body) to what is not a request that can be handled."""
