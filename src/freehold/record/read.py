"""Reading both sides of an exchange into a call.

Not covered: the bytes on their way (`freehold.gateway`) and keeping a response (`record.capture`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from freehold.core.call import Arm, Call, Dialect
from freehold.core.dialects import read_answer
from freehold.core.exchange import Asked
from freehold.core.price import Price, cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSide:
    """What the client sent; `created_at` is Unix seconds. `asked` is None where the body could not be read."""

    id: str
    created_at: float
    dialect: Dialect
    method: str
    path: str
    body: bytes
    asked: Asked | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    user_key: str | None = None
    session_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who was asked, and why; `tags` are the gateway's own."""

    arm: Arm = "rented"
    propensity: float = 1.0
    confidence: float | None = None
    provider: str = ""
    parent_id: str | None = None
    task_id: str | None = None
    task_key: str | None = None
    route_version: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSide:
    """What came back. Times are milliseconds; `gateway_ms` is what the gateway added before and after the upstream."""

    status: int
    body: bytes = b""
    is_stream: bool = False
    error: str | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    gateway_ms: float | None = None
    note: Mapping[str, str] = field(default_factory=dict)


def make_call(
    request: RequestSide, decision: Decision, response: ResponseSide, *, prices: Mapping[str, Price] | None = None
) -> Call:
    """One call out of both sides; its cost is None where the price or the token counts are unknown."""
    answer = read_answer(request.dialect, response.body)
    asked_model = request.asked.model if request.asked else None
    usage = answer.usage
    cost = cost_usd(answer.model, usage, prices or {})
    return Call(
        id=request.id,
        created_at=request.created_at,
        parent_id=decision.parent_id,
        task_id=decision.task_id,
        task_key=decision.task_key,
        dialect=request.dialect,
        method=request.method,
        path=request.path,
        request_body=request.body,
        response_body=response.body,
        arm=decision.arm,
        propensity=decision.propensity,
        confidence=decision.confidence,
        provider=decision.provider,
        model_asked=asked_model,
        model_answered=answer.model,
        system_fingerprint=answer.system_fingerprint,
        status=response.status,
        finish_reason=answer.finish_reason,
        error=response.error,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost if cost is not None else cost_usd(asked_model, usage, prices or {}),
        latency_ms=response.latency_ms,
        ttft_ms=response.ttft_ms,
        gateway_ms=response.gateway_ms,
        is_stream=response.is_stream,
        tags={**request.tags, **decision.tags, **response.note},
        user_key=request.user_key or (request.asked.user_key if request.asked else None),
        session_key=request.session_key or (request.asked.session_key if request.asked else None),
        route_version=decision.route_version,
    )
