"""A gateway with all that is around it, and the route of its one task, as the gateway's tests hold them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.scripted import Scripted, Shelf

from freehold.gateway.config import GatewaySettings
from freehold.gateway.router import ProvidersOnly
from freehold.model import Message, Route
from freehold.model.assignment import Assignment
from freehold.model.engine import owned_body
from freehold.route import withheld
from freehold.serve.engines import Body
from freehold.text.scoring import is_acceptable

SETTINGS = GatewaySettings(max_body_bytes=100_000, engine_timeout_s=0.3, record_wait_s=0.5)


@dataclass
class Town:
    """One gateway with all that is around it."""

    port: int
    upstream_port: int
    upstream: Scripted
    shelf: Shelf
    draws: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def upstream_url(self) -> str:
        return f"http://127.0.0.1:{self.upstream_port}"


class ScriptedRouter(ProvidersOnly):
    """A router with some of its answers given."""

    def __init__(self, **answers: Any) -> None:
        for name, answer in answers.items():
            setattr(self, name, answer)


@dataclass
class Plan:
    """The route of the one task that every request with a user message belongs to."""

    route: Route | None = None
    draw: float = 0.99
    body: Body = owned_body

    def router(self, engine_url: str) -> ScriptedRouter:
        def find(asked: Any, explicit: str | None) -> Assignment | None:
            if explicit == "explode":
                raise RuntimeError("the router is broken")
            if self.route is None:
                return None
            messages = tuple(m for m in asked.messages if m.role == "user")
            return Assignment(task_id="t1", task_key=explicit or "triage", route=self.route, messages=messages[-1:])

        def is_json(route: Route, text: str, response_format: str | None) -> bool:
            return is_acceptable("json", text, response_format)

        def confidence(route: Route, answer: Any) -> float:
            return 1.0 + min(answer.logprobs)

        return ScriptedRouter(
            find=find,
            engine_url=lambda model_id: engine_url if model_id == "m1" else None,
            body=self.body,
            confidence=confidence,
            is_acceptable=is_json,
            withheld=withheld,
            draw=lambda: self.draw,
        )


def route(kind: str, **changes: Any) -> Route:
    values: dict[str, Any] = {"task_id": "t1", "version": 3, "kind": kind, "model_id": "m1", "threshold": 0.5}
    return Route(**{**values, **changes})


def as_message(text: str) -> dict[str, str]:
    return {"role": "user", "content": Message("user", text).content}


Build = Callable[..., Town]
