"""What the gateway is told when it is built: settings, providers, and how a request finds its route.

Not covered: where these values come from (`freehold.settings`, `freehold.app`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from freehold.dialects.address import ProviderDialect
from freehold.httpd.client import Timeouts
from freehold.model.price import Price
from freehold.system.hosts import Hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Limits and waits. A response larger than `record_body_bytes` passes, and is recorded without its body.

    `engine_slots` is how many answers this process may ask an engine for at once.

    A call of a key with budgets that names no limit of its output is taken to write `assumed_output_tokens`.

    `allowed_origins` are those whose web pages may call the gateway, as browsers write them. `hosts` are the names by
    which it may be asked for.
    """

    max_body_bytes: int = 64 * 2**20
    record_body_bytes: int = 64 * 2**20
    client_wait_s: float = 60.0
    connections: int = 20_000
    engine_timeout_s: float = 10.0
    engine_slots: int = 8
    record_wait_s: float = 5.0
    add_usage: bool = True
    background_asks: int = 64
    assumed_output_tokens: int = 4096
    allowed_origins: frozenset[bytes] = frozenset()
    hosts: Hosts = field(default_factory=Hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resilience:
    """What is done when a provider fails; all of it is off unless it is configured.

    `retries` more attempts at the same provider, as long as no byte of a response has gone to the client, after a pause
    that grows from `backoff_s` or is what the provider's `retry-after` says (up to `longest_pause_s`). Then the
    `fallbacks`, in order. `hedge_after_s` without a response lets the next one be asked as well; the first answer
    counts. After `breaker_failures` failures in a row the provider is left alone for `breaker_s`.
    """

    retries: int = 0
    backoff_s: float = 0.5
    longest_pause_s: float = 20.0
    fallbacks: tuple[Fallback, ...] = ()
    hedge_after_s: float = 0.0
    breaker_failures: int = 0
    breaker_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Fallback:
    """A provider to ask instead, and the model to ask it for; None asks for the same model."""

    provider: str
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One rented endpoint.

    `base_url` may end in `/v1` or not. `key_env` names the environment variable with the key for callers who bring
    none; empty means that the endpoint needs no key. `models` are names or globs; none means any model.
    """

    name: str
    base_url: str
    dialect: ProviderDialect = "openai"
    key_env: str = ""
    models: tuple[str, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    resilience: Resilience = field(default_factory=Resilience)
