"""What a connection belongs to: the server, as the connection sees it. Not covered: the server (`server`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from freehold.gateway.http1.heads import Header
from freehold.gateway.http1.limits import Limits, Refusal
from freehold.gateway.http1.request import Request

if TYPE_CHECKING:
    from freehold.gateway.http1.connection import Connection


class Host(Protocol):
    """The server; `idle` are the connections that wait for a request, the one that has waited the longest first."""

    limits: Limits
    is_stopping: bool
    connections: set[Connection]
    idle: dict[Connection, None]

    def has_room(self) -> bool:
        """Whether one more connection can be served, if need be in place of an idle one."""

    def handle(self, request: Request) -> None:
        """Let the handler answer a request."""

    def screen(self, request: Request) -> None:
        """Say by its head how much of its body may be read (`Request.bound_body`, `leave_body`)."""

    def refuse(self, refusal: Refusal) -> tuple[int, list[Header], bytes]:
        """The answer (status, headers, body) to what is not a request that can be handled."""
