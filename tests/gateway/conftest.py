"""A gateway between scripted providers and the tests, all of it on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from gateway.scripted import Scripted, Shelf, running, served
from gateway.scripted_town import SETTINGS, Build, Plan, Town

from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Provider
from freehold.httpd.server import Limits


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
