"""A gateway between scripted providers and the tests, all of it on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from scripted import Scripted, Shelf, running, served

from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Provider, Router
from freehold.httpd.server import Limits
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


@dataclass
class Plan:
    """The route of the one task that every request with a user message belongs to."""

    route: Route | None = None
    draw: float = 0.99
    body: Body = owned_body

    def router(self, engine_url: str) -> Router:
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

        return Router(
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


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def build(plan: Plan) -> Iterator[Build]:
    """Builds a gateway; providers are given as functions of the upstream's URL."""
    with ExitStack() as stack:

        def make(*providers: Callable[[str], Provider], settings: GatewaySettings = SETTINGS, **options: Any) -> Town:
            upstream = Scripted()
            upstream_port = stack.enter_context(served(upstream))
            base = f"http://127.0.0.1:{upstream_port}"
            both = (
                lambda url: Provider(name="up", base_url=f"{url}/v1", prices={"chat*": (1.0, 2.0)}),
                lambda url: Provider(name="anth", base_url=url, dialect="anthropic"),
            )
            known = [p(base) for p in providers or both]
            shelf = Shelf({name: price for provider in known for name, price in provider.prices.items()})
            gateway = Gateway(settings, known, shelf, plan.router(base), options.get("other"))
            limits = options.get("limits", Limits(body_bytes=settings.max_body_bytes))
            port = stack.enter_context(running(gateway, limits))
            return Town(port, upstream_port, upstream, shelf)

        yield make


@pytest.fixture
def town(build: Build) -> Town:
    return build()
