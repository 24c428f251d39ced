"""Letting a provider answer: the request goes out as it came, the response comes back as it came, the call is recorded.

The last bytes of a response are released once its call is durable: the last part of a plain body, the closing event of
a stream. Not covered: who should answer (`gateway.app`), the owned side (`gateway.owned`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.errors import RefusedError
from freehold.gateway.provider.breaker import Breakers
from freehold.gateway.provider.exchange import ProviderExchange
from freehold.gateway.provider.failover import Failover
from freehold.gateway.provider.providers import choose_provider
from freehold.gateway.provider.usage import UsageHabits
from freehold.gateway.request_context import RequestContext
from freehold.httpd.client import Pool
from freehold.httpd.request import ClientGoneError
from freehold.record import Decision, Exchange, GoneError, Recorder, ResponseSide


class Rented:
    """Asks providers, for a client or in the background."""

    def __init__(
        self, settings: GatewaySettings, providers: Sequence[Provider], pool: Pool, recorder: Recorder
    ) -> None:
        self.breakers = Breakers()
        self._settings = settings
        self._providers = tuple(providers)
        self._recorder = recorder
        self._habits = UsageHabits()
        self._failover = Failover(settings, providers, pool, self.breakers, self._habits, recorder.add)

    async def answer(self, context: RequestContext, decision: Decision) -> Exchange:
        """Answer the client with the provider's response; RefusedError when no provider gives any.

        Returns what was recorded. GoneError where it cannot be: then the client has not seen the end of its response.
        """
        client, exchange = context.http, None
        provider = choose_provider(self._providers, context)
        try:
            with client.attended():
                exchange = await self._failover.open(context, decision, provider)
                held = await exchange.relay(client)
        except (ClientGoneError, asyncio.CancelledError) as error:
            code = "client_gone" if isinstance(error, ClientGoneError) else "cut_off"
            kept = self._left(context, decision, provider, exchange).kept(code)
            self._recorder.add(kept)
            if not isinstance(error, ClientGoneError):
                raise
            return kept
        kept = exchange.kept(exchange.failure)
        try:
            await self._recorder.commit(kept, self._settings.record_wait_s)
        except GoneError:
            exchange.close()
            raise
        await exchange.release(held, client)
        return kept

    def _left(
        self, context: RequestContext, decision: Decision, provider: Provider, exchange: ProviderExchange | None
    ) -> ProviderExchange:
        """The exchange that nobody waits for any more, as far as it had come."""
        if exchange is None:
            return ProviderExchange(context, decision, provider, self._settings, self._habits)
        exchange.close()
        return exchange

    async def collect(self, context: RequestContext, decision: Decision) -> Exchange:
        """Ask the provider with no client waiting (an audit) and record what it answers; returns what was recorded."""
        exchange = None
        try:
            provider = choose_provider(self._providers, context)
            exchange = await self._failover.open(context, decision, provider)
            await exchange.relay(None)
        except asyncio.CancelledError:
            if exchange is not None:
                exchange.close()
                self._recorder.add(exchange.kept("cut_off"))
            raise
        except RefusedError as refusal:
            side = ResponseSide(status=refusal.status, error=refusal.code)
            kept = Exchange(context.side(), decision, side)
        else:
            exchange.close()
            kept = exchange.kept(exchange.failure)
        self._recorder.add(kept)
        return kept
