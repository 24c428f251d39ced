"""A call: one recorded request and its response."""

from __future__ import annotations

from typing import Literal

import msgspec

from freehold.model.coins import NO_COINS, Coins
from freehold.model.exchange import Dialect

Arm = Literal["rented", "owned", "shadow", "audit"]
Redaction = Literal["none", "redacted", "deleted"]

__all__ = ["Arm", "Call", "Dialect", "Redaction"]


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One exchange, whole.

    `request_body` is what the client sent, byte for byte. `response_body` is what it received; a stream is assembled
    into the JSON that the same request without `stream` would have had. Times are milliseconds, `created_at` is Unix
    seconds, `cost_usd` is None when the price is unknown. `propensity` is the probability with which `arm` was taken.
    `error` is None for a whole exchange, else a code: `upstream_unreachable`, `client_gone`, `cut_off`, `bad_body`, ...
    `key_id` is the public part of the gateway key that let the request in, if one did. `api` are the headers and
    parameters that choose the provider's API version, to be sent again when the call is repeated. `is_estimated` says
    that tokens and cost are an estimate, for an exchange that broke off before the provider told them. `tags` are the
    caller's and the gateway's notes; `coins` are what chance decided.
    """

    id: str
    created_at: float
    parent_id: str | None = None
    task_id: str | None = None
    task_key: str | None = None
    dialect: Dialect
    method: str = "POST"
    path: str
    request_body: bytes = b""
    response_body: bytes = b""
    arm: Arm = "rented"
    propensity: float = 1.0
    confidence: float | None = None
    provider: str = ""
    model_asked: str | None = None
    model_answered: str | None = None
    system_fingerprint: str | None = None
    status: int = 0
    finish_reason: str | None = None
    error: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    gateway_ms: float | None = None
    is_stream: bool = False
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    coins: Coins = NO_COINS
    user_key: str | None = None
    session_key: str | None = None
    key_id: str | None = None
    route_version: int = 0
    redaction: Redaction = "none"
    written_tokens: int | None = None
    reasoning_tokens: int | None = None
    is_estimated: bool = False
    api: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags with the coins among them, as scripts read them."""
        return self.tags | self.coins.as_tags() if self.coins is not NO_COINS else self.tags
