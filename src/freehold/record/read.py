"""Reading an exchange into a call: what the gateway left for later, because a client would have waited for it.

The gateway keeps both sides as bytes. Here they are decoded, streams are assembled, and models, token counts, cost and
user keys are read. Nothing raises for odd bytes: what cannot be decoded is kept as it came, and a tag says so.

What a provider says went wrong makes the call `upstream_error`, also under status 200, and also where the client hung
up on that word. Tokens that the provider did not tell are estimated (`text.estimate`), so that a client that hangs up
spends its budget all the same.

Not covered: the bytes on their way (`freehold.gateway`), keeping them until they are read (`record.journal`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from freehold.dialects import BadBodyError, StreamAssembler, read_answer, read_request
from freehold.dialects.paths import path_model
from freehold.dialects.sse import begins_as_stream
from freehold.model.call import Arm, Call, Dialect
from freehold.model.coins import NO_COINS, Coins, coins_of, without_coins
from freehold.model.exchange import Answer, Asked, Usage
from freehold.model.price import Price, cost_usd
from freehold.model.tags import TASK_FIELD, TASK_TAG
from freehold.record.encoding import decode_body
from freehold.text.estimate import estimated_usage
from freehold.text.read_call import ReadCall

Prices = Mapping[str, Price]
"""By model name or glob."""

_OWNED_ARMS = ("owned", "shadow")
_TEXT_DIALECTS = ("openai-chat", "openai-responses", "openai-completions", "anthropic-messages")
_BROKEN = ("client_gone", "cut_off", "upstream_error", "idle_timeout", "total_timeout")
_LEAST_ERROR_STATUS, _CLIENT_GONE_STATUS = 400, 499


class RequestSide(msgspec.Struct, frozen=True, kw_only=True):
    """What the client sent, as it came; `created_at` is Unix seconds, `key_id` the gateway key that was used.

    `api` are the headers and parameters that choose the provider's API version, by their lower-case names.
    """

    id: str
    created_at: float
    dialect: Dialect
    method: str
    path: str
    body: bytes
    content_encoding: str = ""
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    user_key: str | None = None
    session_key: str | None = None
    key_id: str | None = None
    api: Mapping[str, str] = msgspec.field(default_factory=dict)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Who was asked, and why; `tags` are the gateway's own, `coins` what chance decided."""

    arm: Arm = "rented"
    propensity: float = 1.0
    confidence: float | None = None
    provider: str = ""
    parent_id: str | None = None
    task_id: str | None = None
    task_key: str | None = None
    route_version: int = 0
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)
    coins: Coins = NO_COINS


class ResponseSide(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, as it came: still encoded, a stream as its events. Times are milliseconds.

    `is_stream` is what the client was sent. `is_assembled`: Freehold rendered the stream, and `body` is its JSON.
    `is_cut`: the transport broke before the end. `gateway_ms` is what the gateway added before and after the upstream.
    """

    status: int
    body: bytes = b""
    content_encoding: str = ""
    is_stream: bool = False
    is_assembled: bool = False
    is_cut: bool = False
    error: str | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    gateway_ms: float | None = None
    note: Mapping[str, str] = msgspec.field(default_factory=dict)


class Exchange(msgspec.Struct, frozen=True):
    """Both sides of one call, and the decision between them."""

    request: RequestSide
    decision: Decision
    response: ResponseSide


class _Body(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A body as the record keeps it; `error` is what it says about how the exchange ended.

    `is_failed`: an event in it says that the provider failed. `is_stream`: it came as a stream.
    """

    content: bytes
    error: str | None = None
    is_failed: bool = False
    is_stream: bool = False
    note: Mapping[str, str] = msgspec.field(default_factory=dict)


def read_exchange(exchange: Exchange, *, prices: Prices, limit_bytes: int) -> ReadCall:
    """One call out of both sides; a decoded body is at most `limit_bytes`, its cost None where that is unknown."""
    request, response = exchange.request, exchange.response
    sent = _plain(request.body, request.content_encoding, "request_encoding", limit_bytes)
    asked = _asked(request, sent.content)
    got = _received(request.dialect, response, limit_bytes, may_be_stream=asked is not None and asked.is_stream)
    answer = read_answer(request.dialect, got.content)
    call = _call(exchange, sent, asked or Asked(dialect=request.dialect), got, answer, prices)
    return ReadCall(call, None if request.dialect == "other" else asked, answer)


def _call(exchange: Exchange, sent: _Body, asked: Asked, got: _Body, answer: Answer, prices: Prices) -> Call:
    request, decision, response = exchange.request, exchange.decision, exchange.response
    error = _error(decision, response, got, answer)
    usage = _estimated(exchange, sent.content, answer, error)
    return Call(
        id=request.id,
        created_at=request.created_at,
        parent_id=decision.parent_id,
        task_id=decision.task_id,
        task_key=decision.task_key,
        dialect=request.dialect,
        method=request.method,
        path=request.path,
        request_body=sent.content,
        response_body=got.content,
        arm=decision.arm,
        propensity=decision.propensity,
        confidence=decision.confidence,
        provider=decision.provider,
        model_asked=asked.model or path_model(request.path),
        model_answered=answer.model,
        system_fingerprint=answer.system_fingerprint,
        status=response.status,
        finish_reason=answer.finish_reason,
        error=error,
        is_estimated=usage is not answer.usage,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        written_tokens=usage.written_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd=_cost_usd(decision, (answer.model, asked.model, path_model(request.path)), usage, prices),
        latency_ms=response.latency_ms,
        ttft_ms=response.ttft_ms,
        gateway_ms=response.gateway_ms,
        is_stream=response.is_stream or got.is_stream,
        tags={**_named_task(asked), **request.tags, **_own_tags(decision), **sent.note, **response.note, **got.note},
        coins=decision.coins if decision.coins != NO_COINS else coins_of(decision.tags),
        user_key=request.user_key or asked.user_key,
        session_key=request.session_key or asked.session_key,
        route_version=decision.route_version,
        key_id=request.key_id,
        api=dict(request.api),
    )


def _received(dialect: Dialect, response: ResponseSide, limit_bytes: int, *, may_be_stream: bool) -> _Body:
    """The response decoded and assembled; what was asked as a stream and begins like one is one, whatever its type."""
    plain = _plain(response.body, response.content_encoding, "response_encoding", limit_bytes)
    cut = "cut_off" if response.is_cut else None
    is_stream = response.is_stream or (may_be_stream and begins_as_stream(plain.content) is True)
    if plain.note or not is_stream or response.is_assembled:
        return _Body(content=plain.content, error=cut, note=plain.note)
    assembler = StreamAssembler(dialect)
    assembler.feed(plain.content)
    assembler.finish()
    return _Body(
        content=assembler.body(),
        error=cut if assembler.is_complete else "cut_off",
        is_failed=assembler.error is not None,
        is_stream=True,
    )


def _error(decision: Decision, response: ResponseSide, got: _Body, answer: Answer) -> str | None:
    """How the exchange failed, if it did; a failure that the provider told comes before a client that left on it."""
    is_failure_told = got.is_failed or (answer.error is not None and response.status < _LEAST_ERROR_STATUS)
    is_own = response.error is not None and response.error not in _BROKEN
    if is_failure_told and not is_own and decision.arm not in _OWNED_ARMS:
        return "upstream_error"
    return response.error or got.error


def _estimated(exchange: Exchange, body: bytes, answer: Answer, error: str | None) -> Usage:
    """What the provider told of its tokens, or estimates where something was answered and it told none."""
    request, decision, status, usage = exchange.request, exchange.decision, exchange.response.status, answer.usage
    may_cost = decision.provider != "" and (status < _LEAST_ERROR_STATUS or status == _CLIENT_GONE_STATUS)
    if decision.arm in _OWNED_ARMS or request.dialect not in _TEXT_DIALECTS or request.method != "POST" or not may_cost:
        return usage
    is_something = bool(answer.text or answer.thought or answer.tool_calls)
    if error in _BROKEN:
        is_told = usage.output_tokens is not None and answer.finish_reason is not None
        is_free = error == "upstream_error" and not is_something
        return usage if is_told or is_free else estimated_usage(body, answer, is_whole=False)
    is_told = usage.input_tokens is not None and usage.output_tokens is not None
    return usage if is_told or not is_something else estimated_usage(body, answer, is_whole=True)


def _plain(body: bytes, content_encoding: str, tag: str, limit_bytes: int) -> _Body:
    if not content_encoding or not body:
        return _Body(content=body)
    decoded = decode_body(content_encoding, body, limit_bytes=limit_bytes)
    if decoded is None:
        return _Body(content=body, note={tag: content_encoding})
    return _Body(content=decoded)


def _asked(request: RequestSide, body: bytes) -> Asked | None:
    try:
        return read_request(request.dialect, body)
    except BadBodyError:
        return None


def _own_tags(decision: Decision) -> Mapping[str, str]:
    """The gateway's tags; those of an entry that an earlier version wrote hold the coins, too."""
    return without_coins(decision.tags) if decision.tags else decision.tags


def _named_task(asked: Asked) -> dict[str, str]:
    return {TASK_TAG: asked.metadata[TASK_FIELD]} if asked.metadata.get(TASK_FIELD) else {}


def _cost_usd(
    decision: Decision, models: Sequence[str | None], usage: Usage, prices: Mapping[str, Price]
) -> float | None:
    """The cost by the price of the first of these models that has one."""
    if decision.arm in _OWNED_ARMS:
        return 0.0
    costs = (cost_usd(model, usage, prices) for model in models)
    return next((cost for cost in costs if cost is not None), None)
