"""A gateway in front of a provider whose every byte a script decides, both in threads of this process."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fidelity.upstream import Script, Seen, Upstream, served
from gateway.scripted import Shelf, running

from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.router import ProvidersOnly
from freehold.httpd.server import Limits
from freehold.model import Call

WAIT_S = 20
PRICES = {"*": (1.0, 2.0)}
Answer = Callable[[Seen], tuple[int, str, bytes]]


@dataclass
class Wired:
    """The port of the gateway, its provider, and what it recorded."""

    port: int
    upstream: Upstream
    shelf: Shelf

    def ask(
        self, target: str, body: object = None, headers: Mapping[str, str] | None = None, *, is_direct: bool = False
    ) -> tuple[int, dict[str, str], bytes]:
        """One request through the gateway, or directly: a POST with a body, else a GET."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self.send("GET" if raw is None else "POST", target, raw, headers, is_direct=is_direct)

    def send(
        self,
        method: str,
        target: str,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_direct: bool = False,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; header names of the answer in lower case."""
        port = self.upstream.port if is_direct else self.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        try:
            connection.request(method, target, raw, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def call(self, headers: Mapping[str, str]) -> Call:
        """The recorded call of a response."""
        return self.shelf.by_id(headers["freehold-call-id"])


@contextmanager
def wired(
    script: Script, *providers: Callable[[str], Provider], settings: GatewaySettings | None = None, **options: Any
) -> Iterator[Wired]:
    """A gateway before this script; providers are given as functions of its URL."""
    with served(script) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        both = (
            lambda base: Provider(name="up", base_url=f"{base}/v1", prices=PRICES),
            lambda base: Provider(name="anth", base_url=base, dialect="anthropic", prices=PRICES),
        )
        known = [make(url) for make in providers or both]
        shelf = Shelf(PRICES)
        own = settings or GatewaySettings(record_wait_s=5)
        gateway = Gateway(own, known, shelf, ProvidersOnly(), options.get("other"), options.get("oversight"))  # type: ignore[arg-type]
        with running(gateway, Limits(body_bytes=own.max_body_bytes)) as port:
            yield Wired(port, upstream, shelf)
