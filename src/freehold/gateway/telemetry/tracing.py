"""Tracing: each recorded call becomes an OpenTelemetry span by the GenAI semantic conventions.

Attribute names are those of semantic conventions 1.44, in which the GenAI group has the status "development" and is
kept on in a repository of its own (open-telemetry/semantic-conventions-genai). Spans are made when a call is delivered
to the record, with the times that the call had, because tokens and the answering model are read only then. A caller's
`traceparent` is the span's parent; the gateway keeps it among the call's tags. Bodies are in no span unless asked for.

Where spans go is told by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, ...).
Not covered: calls of no GenAI operation (files, batches, lists of models), which give no span.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from freehold import __version__
from freehold.dialects import BadBodyError, read_answer, read_request
from freehold.errors import MissingExtraError
from freehold.model.call import Call
from freehold.model.exchange import Dialect

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

TRACE_TAGS = ("traceparent", "tracestate")
"""The request headers that the gateway keeps as tags of a call while tracing is on."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
_LOG = logging.getLogger("freehold.tracing")
_OPERATIONS: Mapping[Dialect, str] = MappingProxyType(
    {
        "openai-chat": "chat",
        "openai-responses": "chat",
        "anthropic-messages": "chat",
        "openai-completions": "text_completion",
        "openai-embeddings": "embeddings",
    }
)
_WELL_KNOWN = (
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    (".openai.azure.com", "azure.ai.openai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.x.ai", "x_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.cohere.com", "cohere"),
)

Attribute = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSpan:
    """A span as it is sent; times are Unix nanoseconds, `error` is what `error.type` says, None for a success."""

    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Attribute]
    error: str | None
    parent: Mapping[str, str]


def is_wanted(is_set: bool, environment: Mapping[str, str]) -> bool:
    """Whether calls are traced: by the setting, or because OpenTelemetry was told where spans go."""
    return is_set or any(environment.get(name) for name in _ENDPOINTS)


def span_of(call: Call, base_urls: Mapping[str, str], *, with_content: bool = False) -> CallSpan | None:
    """The span of a call, given the base URLs of providers by name; None where the call is no GenAI operation."""
    operation = _OPERATIONS.get(call.dialect)
    if operation is None:
        return None
    error = call.error or (str(call.status) if call.status >= 400 else None)
    start_ns = int(call.created_at * 1e9)
    found = _asked(call, operation) | _server(call, base_urls) | _answered(call)
    found |= _content(call) if with_content else {}
    found["error.type"] = error
    return CallSpan(
        name=f"{operation} {call.model_asked}" if call.model_asked else operation,
        start_ns=start_ns,
        end_ns=start_ns + int(call.latency_ms * 1e6),
        attributes={name: value for name, value in found.items() if value is not None},
        error=error,
        parent={name: call.tags[name] for name in TRACE_TAGS if name in call.tags},
    )


def _asked(call: Call, operation: str) -> dict[str, Attribute | None]:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": call.model_asked,
        "gen_ai.request.stream": True if call.is_stream else None,
        "gen_ai.conversation.id": call.session_key,
        "freehold.call.id": call.id,
        "freehold.call.parent_id": call.parent_id,
        "freehold.task": call.task_id or call.task_key,
        "freehold.arm": call.arm,
        "freehold.provider": call.provider or None,
    }


def _server(call: Call, base_urls: Mapping[str, str]) -> dict[str, Attribute | None]:
    if call.arm in ("owned", "shadow"):
        return {"gen_ai.provider.name": "freehold"}
    url = urlsplit(base_urls.get(call.provider, ""))
    host = url.hostname or ""
    known = next((name for end, name in _WELL_KNOWN if host == end or (end[0] == "." and host.endswith(end))), None)
    port = (url.port or (443 if url.scheme == "https" else 80)) if host else None
    return {
        "gen_ai.provider.name": known or call.provider or "freehold",
        "server.address": host or None,
        "server.port": port,
    }


def _answered(call: Call) -> dict[str, Attribute | None]:
    return {
        "http.response.status_code": call.status or None,
        "gen_ai.response.model": call.model_answered,
        "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": call.ttft_ms / 1000 if call.is_stream and call.ttft_ms else None,
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.cached_tokens,
        "openai.response.system_fingerprint": call.system_fingerprint,
        "freehold.cost_usd": call.cost_usd,
    }


def _content(call: Call) -> dict[str, Attribute | None]:
    """Both sides in the conventions' own form: messages of parts."""
    answer = read_answer(call.dialect, call.response_body)
    text = [{"type": "text", "content": answer.text}] if answer.text else []
    tools = [{"type": "tool_call", "id": t.id, "name": t.name, "arguments": t.arguments} for t in answer.tool_calls]
    parts = [*text, *tools]
    said = [{"role": "assistant", "parts": parts, "finish_reason": call.finish_reason or "unknown"}]
    try:
        messages = read_request(call.dialect, call.request_body).messages
    except BadBodyError:
        messages = ()
    heard = [{"role": m.role, "parts": [{"type": "text", "content": m.content}]} for m in messages]
    return {
        "gen_ai.input.messages": _json(heard) if heard else None,
        "gen_ai.output.messages": _json(said) if parts else None,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


class Tracing:
    """Sends the spans of delivered calls; in batches, on a thread of OpenTelemetry's own, which drops when it must."""

    def __init__(
        self, base_urls: Mapping[str, str], *, with_content: bool = False, exporter: SpanExporter | None = None
    ) -> None:
        self._base_urls = dict(base_urls)
        self._with_content = with_content
        self._provider = _provider(exporter)
        self._tracer = self._provider.get_tracer("freehold", __version__, schema_url=_SCHEMA_URL)

    def send(self, calls: Sequence[Call]) -> None:
        """Hand over the spans of calls; never waits for the network."""
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        propagator = TraceContextTextMapPropagator()
        for call in calls:
            span = span_of(call, self._base_urls, with_content=self._with_content)
            if span is None:
                continue
            sent = self._tracer.start_span(
                span.name,
                context=propagator.extract(dict(span.parent)),
                kind=SpanKind.INTERNAL if call.arm in ("owned", "shadow") else SpanKind.CLIENT,
                attributes=dict(span.attributes),
                start_time=span.start_ns,
            )
            if span.error:
                sent.set_status(Status(StatusCode.ERROR, span.error))
            sent.end(span.end_ns)

    def close(self) -> None:
        """Send what waits, then stop."""
        self._provider.shutdown()


def open_tracing(
    base_urls: Mapping[str, str], environment: Mapping[str, str], *, is_set: bool, with_content: bool
) -> Tracing | None:
    """Tracing as the settings and OpenTelemetry's variables want it; None when it is off.

    MissingExtraError when the setting asks for it and the extra is not there; a variable alone only warns, for it may
    be meant for other programs of this machine.
    """
    if not is_wanted(is_set, environment):
        return None
    if importlib.util.find_spec("opentelemetry.exporter") and importlib.util.find_spec("opentelemetry.sdk"):
        return Tracing(base_urls, with_content=with_content)
    missing = MissingExtraError("otel", "Tracing")
    if is_set:
        raise missing
    _LOG.warning("%s is set, but calls are not traced: %s", " or ".join(_ENDPOINTS), missing)
    return None


def _provider(exporter: SpanExporter | None) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    resource = Resource.create({"service.version": __version__})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "freehold"}))
    provider = TracerProvider(resource=resource)
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
