"""A circuit breaker for each provider: one that keeps failing is left alone for a while, then tried with one request.

Counted are failures in a row: no connection, no answer in time, a status of 500 or more. Each gateway process counts
for itself. Not covered: what else could answer (`gateway.provider.failover`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from freehold.gateway.config import Provider


@dataclass(slots=True)
class _State:
    failures: int = 0
    opened_at: float | None = None
    is_probing: bool = False


class Breakers:
    """The breakers of all providers; `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, _State] = {}

    def lets_through(self, provider: Provider) -> bool:
        """Whether a request may go to this provider now; after the pause, one may, and its outcome decides."""
        limits, state = provider.resilience, self._states.get(provider.name)
        if state is None or state.opened_at is None:
            return True
        if state.is_probing or self._clock() < state.opened_at + limits.breaker_s:
            return False
        state.is_probing = True
        return True

    def opens_again_in_s(self, provider: Provider) -> float:
        """Seconds until the provider is tried again; 0 when it may be asked."""
        state = self._states.get(provider.name)
        if state is None or state.opened_at is None:
            return 0.0
        return max(0.0, state.opened_at + provider.resilience.breaker_s - self._clock())

    def succeeded(self, provider: Provider) -> None:
        """The provider has answered."""
        self._states.pop(provider.name, None)

    def failed(self, provider: Provider) -> None:
        """The provider has failed."""
        limits = provider.resilience
        if not limits.breaker_failures:
            return
        state = self._states.setdefault(provider.name, _State())
        state.failures += 1
        if state.is_probing or state.failures >= limits.breaker_failures:
            state.opened_at, state.is_probing = self._clock(), False

    def left_open(self, provider: Provider) -> None:
        """A request that was let through told nothing (its client hung up): another one may try."""
        state = self._states.get(provider.name)
        if state is not None:
            state.is_probing = False

    def open_providers(self) -> tuple[str, ...]:
        """The names of the providers that are left alone now."""
        return tuple(name for name, state in self._states.items() if state.opened_at is not None)
