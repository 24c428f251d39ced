"""Failover: which provider is asked next when one fails, until a response can go to the client.

    same provider, again      after a pause, up to `retries` times
    fallbacks, in order       at another provider, perhaps for another model
    hedge                     the next one is asked as well when the first is slow; the first answer counts

All of it happens before any byte has gone to the client, and only where it is configured: without configuration there
is one attempt, and the client sees what the provider said. Every attempt that did not answer the client is a call of
its own in the record, with the answered call as its parent.

A failed response is kept while the others are tried. When nobody answers, the client gets the first provider's own
words, so that a 429 with its `retry-after` stays one.

Not covered: failures after the head of a response. The client has seen bytes by then, and only it can ask again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from msgspec.structs import replace

from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.errors import RefusedError
from freehold.gateway.provider.breaker import Breakers
from freehold.gateway.provider.exchange import CLIENT_GONE_STATUS, ProviderExchange
from freehold.gateway.provider.usage import UsageHabits
from freehold.gateway.request_context import RequestContext
from freehold.httpd.client import Pool
from freehold.model.ids import uuid7
from freehold.record import Decision, Exchange

_RETRIED_STATUSES = frozenset((408, 409, 429, 500, 502, 503, 504, 529))
_LEAST_FAILURE_STATUS = 500


@dataclass(frozen=True, slots=True)
class _Target:
    provider: Provider
    model: str | None = None
    is_first: bool = False


@dataclass(slots=True)
class _Failed:
    """An attempt that did not answer: a refusal of ours, or a response of the provider's with what it says."""

    exchange: ProviderExchange
    refusal: RefusedError | None = None


class Failover:
    """Finds an open exchange for a request. `keep` takes what the record keeps of the attempts that failed."""

    def __init__(
        self,
        settings: GatewaySettings,
        providers: Sequence[Provider],
        pool: Pool,
        breakers: Breakers,
        habits: UsageHabits,
        keep: Callable[[Exchange], None],
    ) -> None:
        self._settings = settings
        self._by_name = {provider.name: provider for provider in providers}
        self._pool = pool
        self._breakers = breakers
        self._habits = habits
        self._keep = keep

    async def open(self, context: RequestContext, decision: Decision, provider: Provider) -> ProviderExchange:
        """An exchange whose response has begun; RefusedError when nobody gives one."""
        plan = provider.resilience
        if not (plan.retries or plan.fallbacks or plan.hedge_after_s or plan.breaker_failures):
            exchange = ProviderExchange(context, decision, provider, self._settings, self._habits)
            with _left_on_failure(exchange):
                await exchange.open(self._pool)
            return exchange
        return await self._search(context, decision, provider)

    async def _search(self, context: RequestContext, decision: Decision, provider: Provider) -> ProviderExchange:
        failed: list[_Failed] = []
        skipped: list[str] = []
        targets = [target for target in self._targets(provider) if self._is_worth_asking(target, skipped)]
        for number, target in enumerate(targets):
            following = targets[number + 1] if number + 1 < len(targets) else target
            for attempt in range(1 + target.provider.resilience.retries):
                if attempt:
                    await asyncio.sleep(_pause_s(target.provider, failed[-1], attempt))
                outcome = await self._ask(context, decision, target, following, failed)
                if outcome is not None:
                    return self._told(outcome, context, failed, skipped)
                if not self._is_worth_repeating(failed[-1], target.provider):
                    break
        return self._give_first(context, failed, skipped, provider)

    def _targets(self, provider: Provider) -> Iterator[_Target]:
        yield _Target(provider, is_first=True)
        for fallback in provider.resilience.fallbacks:
            yield _Target(self._by_name[fallback.provider], fallback.model)

    def _is_worth_asking(self, target: _Target, skipped: list[str]) -> bool:
        if self._breakers.lets_through(target.provider):
            return True
        skipped.append(target.provider.name)
        return False

    async def _ask(
        self, context: RequestContext, decision: Decision, target: _Target, following: _Target, failed: list[_Failed]
    ) -> ProviderExchange | None:
        exchanges = [self._exchange(context, decision, target)]
        hedge_after_s = target.provider.resilience.hedge_after_s
        if not hedge_after_s:
            return await self._try(exchanges[0], failed)
        tasks = [asyncio.create_task(self._try(exchanges[0], failed))]
        try:
            await asyncio.wait(tasks, timeout=hedge_after_s)
            if not tasks[0].done():
                exchanges.append(self._exchange(context, decision, following))
                tasks.append(asyncio.create_task(self._try(exchanges[1], failed)))
            outcome = await _first_answer(tasks)
        finally:
            await _leave(tasks)
        if len(exchanges) > 1:
            _tell_hedge(outcome, exchanges, failed)
        return outcome

    def _exchange(self, context: RequestContext, decision: Decision, target: _Target) -> ProviderExchange:
        """An exchange with a target; the caller's own key is not for a fallback."""
        if not target.is_first:
            context = context.without_keys()
        settings, habits = self._settings, self._habits
        return ProviderExchange(context, decision, target.provider, settings, habits, model=target.model)

    async def _try(self, exchange: ProviderExchange, failed: list[_Failed]) -> ProviderExchange | None:
        """The exchange, if its response can go to the client; else None, and it is among the failed."""
        provider = exchange.provider
        try:
            with _left_on_failure(exchange):
                await exchange.open(self._pool)
                if exchange.status not in _RETRIED_STATUSES:
                    self._breakers.succeeded(provider)
                    return exchange
                await exchange.relay(None)
        except RefusedError as refusal:
            self._breakers.failed(provider)
            failed.append(_Failed(exchange, refusal))
            return None
        except asyncio.CancelledError:
            self._breakers.left_open(provider)
            raise
        if exchange.status >= _LEAST_FAILURE_STATUS:
            self._breakers.failed(provider)
        else:
            self._breakers.succeeded(provider)
        failed.append(_Failed(exchange))
        return None

    def _is_worth_repeating(self, last: _Failed, provider: Provider) -> bool:
        if last.refusal is not None and last.refusal.status < _LEAST_FAILURE_STATUS:
            return False  # ours: a missing key does not come by waiting
        return not self._breakers.opens_again_in_s(provider)

    def _told(
        self, outcome: ProviderExchange, context: RequestContext, failed: Sequence[_Failed], skipped: Sequence[str]
    ) -> ProviderExchange:
        """Record the failed attempts, and say on the answered call how it came about."""
        tags: dict[str, str] = {}
        others = [one for one in failed if one.exchange is not outcome]
        if others:
            tags["attempts"] = str(1 + len(others))
        if failed or skipped:
            tried = dict.fromkeys([*(f.exchange.provider.name for f in failed), *skipped])
            if outcome.provider.name not in tried:
                tags["fallback_from"] = ",".join(tried)
        if skipped:
            tags["breaker_open"] = ",".join(skipped)
        outcome.decision = replace(outcome.decision, tags={**outcome.decision.tags, **tags})
        for one in others:
            self._keep(_as_attempt(one, context.id))
        return outcome

    def _give_first(
        self, context: RequestContext, failed: Sequence[_Failed], skipped: Sequence[str], provider: Provider
    ) -> ProviderExchange:
        """Nobody has answered: the first provider's own response, or the refusal of the last one asked."""
        answered = [one for one in failed if one.refusal is None and one.exchange.can_replay]
        if answered:
            answered[0].exchange.replay()
            return self._told(answered[0].exchange, context, failed, skipped)
        for one in failed[:-1]:
            self._keep(_as_attempt(one, context.id))
        if failed:
            raise failed[-1].refusal or RefusedError(
                502, "upstream_cut_off", f"The provider {provider.name!r} broke its answer off.", hint="Ask again."
            )
        wait_s = max(1, round(self._breakers.opens_again_in_s(provider)))
        raise RefusedError(
            503,
            "upstream_unavailable",
            f"The provider {provider.name!r} has failed {provider.resilience.breaker_failures} times in a row and is"
            " left alone for a while.",
            hint="Ask again later, or configure fallbacks.",
            retry_after_s=wait_s,
        )


def _as_attempt(one: _Failed, parent_id: str) -> Exchange:
    kept = one.exchange.kept(one.refusal.code if one.refusal else one.exchange.failure)
    status = one.refusal.status if one.refusal else kept.response.status
    return replace(
        kept,
        request=replace(kept.request, id=uuid7()),
        decision=replace(kept.decision, parent_id=parent_id, tags={**kept.decision.tags, "attempt": "failed"}),
        response=replace(kept.response, status=status),
    )


def _pause_s(provider: Provider, last: _Failed, attempt: int) -> float:
    """What the provider asks for, or a pause that doubles, with jitter so that clients do not come back together."""
    plan = provider.resilience
    if last.exchange.response is not None:
        with suppress(ValueError):
            asked_s = float(last.exchange.response.header(b"retry-after"))
            return min(max(asked_s, 0.0), plan.longest_pause_s)
    doubled: float = plan.backoff_s * 2 ** (attempt - 1)
    return min(doubled * random.uniform(0.75, 1.25), plan.longest_pause_s)  # noqa: S311  (no secret)


def _tell_hedge(outcome: ProviderExchange | None, exchanges: Sequence[ProviderExchange], failed: list[_Failed]) -> None:
    """Say on the answered call that two were asked, and count the one that was left as an attempt."""
    lost = RefusedError(CLIENT_GONE_STATUS, "hedge_lost", "Another provider answered first.")
    for exchange in exchanges:
        if exchange is outcome:
            word = "won" if exchange is exchanges[1] else "lost"
            exchange.decision = replace(exchange.decision, tags={**exchange.decision.tags, "hedge": word})
        elif all(one.exchange is not exchange for one in failed):
            failed.append(_Failed(exchange, lost))


async def _first_answer(tasks: Sequence[asyncio.Task[ProviderExchange | None]]) -> ProviderExchange | None:
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        answers = [answer for task in tasks if task in done and (answer := task.result()) is not None]
        if answers:
            for extra in answers[1:]:
                extra.close()
            return answers[0]
    return None


async def _leave(tasks: Sequence[asyncio.Task[ProviderExchange | None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _left_on_failure(exchange: ProviderExchange) -> Iterator[None]:
    """Leave the provider when the block is left by an exception."""
    try:
        yield
    except BaseException:
        exchange.close()
        raise
