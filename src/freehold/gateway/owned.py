"""Letting the owned model answer: asking its engine, judging the answer, giving it to the client in its dialect.

Nothing here can fail a client's request: whatever goes wrong, the provider answers, and a tag on the call says why.
Not covered: what the judgement rests on (`Router`), audits and shadows in the background (`gateway.app`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from msgspec import structs

from freehold.dialects import can_render, render_answer, render_stream
from freehold.gateway.config import GatewaySettings
from freehold.gateway.engine_gate import Ask, EngineGate, LeftAloneError
from freehold.gateway.errors import json_headers
from freehold.gateway.provider.exchange import UNDECIDED
from freehold.gateway.provider.upstream import ask_engine
from freehold.gateway.request_context import RequestContext
from freehold.gateway.router import Router
from freehold.httpd.client import Pool, UpstreamError
from freehold.httpd.heads import Header
from freehold.model.assignment import Assignment
from freehold.model.call import Arm
from freehold.model.coins import NEW_PROMPT, NO_COINS, Coins
from freehold.model.engine import OwnedAnswer
from freehold.model.exchange import Asked, Usage
from freehold.model.ids import uuid7
from freehold.model.prompt import Prompt
from freehold.model.route import Route
from freehold.record import Decision, Exchange, Recorder, ResponseSide
from freehold.text.prefill import rest_after
from freehold.text.schema import schematic
from freehold.text.target import FEW_TOKENS, Habits
from freehold.text.traits import is_seen

LOCAL_PROVIDER = "freehold"
ENGINE_FAILED_STATUS = 503
_LOG = logging.getLogger("freehold.gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of asking the owned model; `coins` say why its answer is not used, and what chance decided before.

    `propensity` is the probability with which it was asked.
    """

    answer: OwnedAnswer | None = None
    confidence: float | None = None
    is_used: bool = False
    propensity: float = 1.0
    coins: Coins = NO_COINS


def fits(context: RequestContext, assignment: Assignment) -> bool:
    """Whether the owned model could answer this request at all."""
    asked = context.asked
    is_plain = asked is not None and asked.is_plain and can_render(asked.dialect)
    return is_plain and assignment.messages is not None and assignment.route.model_id is not None


def unfit(assignment: Assignment | None) -> Attempt | None:
    """What is said of a request that does not fit the template that the route was proven with; None of any other."""
    if assignment is None or assignment.route.model_id is None:
        return None
    if assignment.new_prompt is not None:
        return Attempt(coins=Coins(owned=NEW_PROMPT, new_prompt=assignment.new_prompt.number))
    return Attempt(coins=Coins(owned="unfit")) if assignment.messages is None else None


def unproven(context: RequestContext, assignment: Assignment) -> Attempt | None:
    """What is said of a request of a kind that the proof behind its route did not see; None of any other.

    A shadow compares such requests, too: nothing is given out.
    """
    asked, route = context.asked, assignment.route
    if asked is None or route.kind == "shadow" or is_seen(route.baseline.kinds, asked):
        return None
    return Attempt(coins=Coins(owned="unproven"))


class Owned:
    """Asks the engines of owned models."""

    def __init__(
        self, settings: GatewaySettings, router: Router, pool: Pool, gate: EngineGate, recorder: Recorder
    ) -> None:
        self._settings = settings
        self._router = router
        self._pool = pool
        self._gate = gate
        self._recorder = recorder

    async def attempt(self, context: RequestContext, assignment: Assignment, *, is_background: bool = False) -> Attempt:
        """Ask the owned model and judge its answer; never raises for what an engine or a judgement does.

        In the background, where no client waits, it is asked once those of clients leave room.
        """
        try:
            return await self._attempt(context, assignment, self._gate.ask_behind if is_background else self._gate.ask)
        except LeftAloneError as error:
            return Attempt(coins=Coins(engine=error.reason))
        except UpstreamError as error:
            return Attempt(coins=Coins(engine="timeout" if error.kind.endswith("_timeout") else "down"))
        except ValueError:
            return Attempt(coins=Coins(engine="down"))
        except Exception:
            _LOG.exception("The owned model of task %r could not be asked; the provider answers.", assignment.task_key)
            return Attempt(coins=Coins(engine="error"))

    async def _attempt(
        self,
        context: RequestContext,
        assignment: Assignment,
        in_turn: Callable[[Assignment, Ask], Awaitable[OwnedAnswer]],
    ) -> Attempt:
        route, asked, messages = assignment.route, context.asked, assignment.messages
        engine_url = self._router.engine_url(route.model_id) if route.model_id else None
        if engine_url is None or asked is None or messages is None:
            return Attempt(coins=Coins(engine="down"))
        most, timeout_s = _most_tokens(asked, route), self._settings.engine_timeout_s
        prompt = Prompt(messages=messages, response_format=schematic(asked.response_format) or None)
        ask = partial(
            ask_engine, self._pool, engine_url, prompt, body=self._router.body, max_tokens=most, timeout_s=timeout_s
        )
        whole = await in_turn(assignment, ask)
        rest = rest_after(asked.prefill, whole.text)
        answer = whole if rest is None else replace(whole, text=rest)
        if not whole.is_whole:
            return Attempt(answer=answer, coins=Coins(owned="cut"))
        confidence = self._router.confidence(route, whole)
        if not self._router.is_acceptable(route, whole.text, asked.response_format):
            return Attempt(answer=answer, confidence=confidence, coins=Coins(owned="unacceptable"))
        if rest is None:
            return Attempt(answer=answer, confidence=confidence, coins=Coins(owned="prefill"))
        kept_out = self._router.withheld(route, messages, whole.text)
        if kept_out:
            return Attempt(answer=answer, confidence=confidence, coins=Coins(owned="withheld", slice=kept_out))
        if not _is_sure(route, confidence):
            return Attempt(answer=answer, confidence=confidence, coins=Coins(owned="unsure"))
        return Attempt(answer=answer, confidence=confidence, is_used=True)

    async def answer(self, context: RequestContext, assignment: Assignment, attempt: Attempt) -> Exchange:
        """Give the client the owned answer, once its call is durable; returns what was recorded."""
        kept = self.kept(context, assignment, attempt, arm="owned")
        await self._recorder.commit(kept, self._settings.record_wait_s)
        asked, answer, client = context.asked, attempt.answer, context.http
        assert asked is not None
        assert answer is not None
        headers: list[Header] = [(b"freehold-call-id", context.id.encode()), (b"freehold-arm", b"owned")]
        if not asked.is_stream:
            client.start(200, [*headers, *json_headers(kept.response.body)])
            client.finish(kept.response.body)
            return kept
        headers += [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        client.start(200, headers)
        for event in self._events(context, assignment, asked, answer):
            client.write(event)
        client.finish()
        return kept

    def _events(
        self, context: RequestContext, assignment: Assignment, asked: Asked, answer: OwnedAnswer
    ) -> Iterator[bytes]:
        return render_stream(
            asked.dialect,
            id=context.id,
            model=assignment.route.model_id or "",
            text=answer.text,
            usage=_usage(answer),
            created=int(context.created_at),
            include_usage=asked.wants_usage,
        )

    def kept(
        self,
        context: RequestContext,
        assignment: Assignment,
        attempt: Attempt,
        *,
        arm: Arm,
        parent_id: str | None = None,
    ) -> Exchange:
        """What the record keeps of an owned answer; beside another call (`parent_id`) it has an id of its own.

        Of an engine that gave none, it keeps that.
        """
        asked, answer = context.asked, attempt.answer
        assert asked is not None
        request = context.side() if parent_id is None else structs.replace(context.side(), id=uuid7())
        if assignment.new_prompt is not None:
            number = assignment.new_prompt.number
            attempt = replace(attempt, coins=structs.replace(attempt.coins, new_prompt=number))
        decision = structs.replace(
            decision_of(assignment, attempt), arm=arm, provider=LOCAL_PROVIDER, parent_id=parent_id
        )
        if answer is None:
            error = f"engine_{attempt.coins.engine or 'error'}"
            return Exchange(request, decision, ResponseSide(status=ENGINE_FAILED_STATUS, error=error))
        body = render_answer(
            asked.dialect,
            id=request.id,
            model=assignment.route.model_id or "",
            text=answer.text,
            usage=_usage(answer),
            created=int(request.created_at),
        )
        latency_ms = answer.latency_ms if parent_id else 1000 * (time.perf_counter() - context.begun_at)
        side = ResponseSide(
            status=200,
            body=body,
            is_stream=asked.is_stream,
            is_assembled=True,
            latency_ms=latency_ms,
            ttft_ms=latency_ms,
            gateway_ms=latency_ms - answer.latency_ms,
        )
        return Exchange(request, decision, side)


def decision_of(assignment: Assignment | None, attempt: Attempt | None = None) -> Decision:
    """The part of a decision that a request's place in a task gives, with what the owned model had to say.

    Which task the call belongs to is for the sorter to say where no model was proven for it, or its prompt is new.
    """
    if assignment is None:
        return UNDECIDED
    is_guess = assignment.new_prompt is not None and assignment.messages is None
    is_open = assignment.route.model_id is None or is_guess
    return Decision(
        task_id=None if is_open else assignment.task_id,
        task_key=assignment.task_key,
        route_version=0 if is_guess else assignment.route.version,
        confidence=attempt.confidence if attempt else None,
        propensity=attempt.propensity if attempt else 1.0,
        coins=attempt.coins if attempt else NO_COINS,
    )


def _most_tokens(asked: Asked, route: Route) -> int:
    """How many tokens the engine may write: the client's limit and the one that ends an answer, or the route's.

    Where a task's labels are whatever fits into the few tokens that its requests allow, its labels are whole by
    definition: the owned model may write one in as many tokens of its own as it needs.
    """
    most, limit = route.max_output_tokens, asked.max_tokens
    if limit is None or (limit <= FEW_TOKENS and _has_short_labels(route)):
        return most
    return min(limit + 1, most)


def _has_short_labels(route: Route) -> bool:
    return route.output_kind == "label" and Habits.of_names(route.baseline.habits).short


def _is_sure(route: Route, confidence: float) -> bool:
    if route.threshold is None:
        return route.kind == "owned"
    return confidence >= route.threshold


def _usage(answer: OwnedAnswer) -> Usage:
    return Usage(input_tokens=answer.input_tokens, output_tokens=answer.output_tokens)
