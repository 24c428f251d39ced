"""A gateway that is abused and the provider behind it, as the tests hold them.

Not covered: the fixtures (`conftest`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from fidelity.running import Running
from fidelity.upstream import Upstream
from fidelity.wire import Got, exchange, request

MIB = 2**20
LATE_BYTES = 160 * MIB  # what the parts take that are loaded only when they are needed, sorting most of all
CHAT_PATH = b"/v1/chat/completions"


@dataclass(frozen=True)
class Town:
    """One gateway and the provider behind it."""

    upstream: Upstream
    gateway: Running

    @property
    def port(self) -> int:
        """Where the gateway listens."""
        return self.gateway.port

    def ask(self, raw: bytes, *, timeout_s: float = 60.0) -> Got:
        """Bytes to the gateway, on a connection of their own, and the response."""
        return self.upstream.run(exchange(self.port, raw, timeout_s=timeout_s))

    def ask_directly(self, raw: bytes) -> Got:
        """The same to the provider."""
        return self.upstream.run(exchange(self.upstream.port, raw))

    def assert_serving(self) -> None:
        """An ordinary call gets its ordinary answer."""
        assert self.gateway.is_alive()
        got = self.ask(chat(), timeout_s=20)
        assert (got.status, got.is_whole) == (200, True)
        assert "refund" in json.loads(got.body)["choices"][0]["message"]["content"]


def chat(**more: object) -> bytes:
    """A chat request as bytes."""
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "late"}], **more}
    return request(b"POST", CHAT_PATH, [(b"content-type", b"application/json")], json.dumps(body).encode())
