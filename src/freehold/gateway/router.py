"""How the gateway learns where a request goes: its task, its route, and what an owned answer is worth.

Not covered: where that is known (`app.wiring`), coins (`gateway.sampling`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from freehold.model.assignment import Assignment
from freehold.model.engine import OwnedAnswer, owned_body
from freehold.model.exchange import Asked, Message
from freehold.model.route import Route
from freehold.serve.engines import Body


class Router(Protocol):
    """Finds the task of a request and judges owned answers; asked for every call, so each method returns at once.

    `body` is how engines are asked.
    """

    body: Body

    def is_idle(self) -> bool:
        """Whether no task has ever had a route, so that requests need not be read to find one."""

    def find(self, asked: Asked, explicit_task: str | None) -> Assignment | None:
        """Where a request belongs, given the task that the caller named, if any."""

    def engine_url(self, model_id: str) -> str | None:
        """Where a model is served now."""

    def confidence(self, route: Route, answer: OwnedAnswer) -> float:
        """How sure an owned answer is, between 0 and 1."""

    def is_acceptable(self, route: Route, text: str, response_format: str | None) -> bool:
        """Whether a client could read this answer."""

    def withheld(self, route: Route, messages: Sequence[Message], text: str) -> str:
        """The slice of traffic for whose sake an owned answer is not used; empty where there is none."""

    async def holds(self, assignment: Assignment) -> bool:
        """Whether the route that a request was assigned to is still the newest one, whichever process changed it."""

    def draw(self) -> float:
        """A random number in [0, 1)."""


class ProvidersOnly(Router):
    """Sends everything to the providers."""

    body: Body = staticmethod(owned_body)

    def is_idle(self) -> bool:
        """No, so that `find` is asked, which a subclass may answer."""
        return False

    def find(self, asked: Asked, explicit_task: str | None) -> Assignment | None:
        """No task."""
        del asked, explicit_task
        return None

    def engine_url(self, model_id: str) -> str | None:
        """Nowhere."""
        del model_id
        return None

    def confidence(self, route: Route, answer: OwnedAnswer) -> float:
        """Not sure at all."""
        del route, answer
        return 0.0

    def is_acceptable(self, route: Route, text: str, response_format: str | None) -> bool:
        """Any text will do."""
        del route, text, response_format
        return True

    def withheld(self, route: Route, messages: Sequence[Message], text: str) -> str:
        """No slice."""
        del route, messages, text
        return ""

    async def holds(self, assignment: Assignment) -> bool:
        """Always."""
        del assignment
        return True

    def draw(self) -> float:
        """A random number in [0, 1)."""
        return random.random()  # noqa: S311 (no secret: it decides who is compared)
