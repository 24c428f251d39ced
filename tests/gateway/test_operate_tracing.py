"""Tracing: a call becomes a span by the GenAI conventions, under its caller's span, and carries no body unasked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from made import a_call, answer_body, chat_body

from freehold.errors import MissingExtraError
from freehold.gateway.telemetry import tracing
from freehold.gateway.telemetry.tracing import CallSpan, Tracing, is_wanted, open_tracing, span_of

if TYPE_CHECKING:
    from freehold.model import Call

URLS = {"openai": "https://api.openai.com/v1", "mine": "http://10.0.0.7:8000/v1", "eu": "https://x.openai.azure.com"}
SECRET = "a body that nobody may see"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _span(call: Call, *, with_content: bool = False) -> CallSpan:
    span = span_of(call, URLS, with_content=with_content)
    assert span is not None
    return span


def _call(**changes: object) -> Call:
    bodies = {"request_body": chat_body(SECRET), "response_body": answer_body(SECRET)}
    return a_call(**{"task_id": "t1", "finish_reason": "stop", **bodies, **changes})


def test_a_span_has_the_names_of_the_conventions() -> None:
    call = _call(created_at=1000.5, latency_ms=250.0, is_stream=True, ttft_ms=40.0, cached_tokens=3, session_key="s")
    span = _span(call)
    assert span.name == "chat m"
    assert (span.start_ns, span.end_ns - span.start_ns) == (1_000_500_000_000, 250_000_000)
    assert span.error is None
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.conversation.id": "s",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.04,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "freehold.call.id": call.id,
        "freehold.task": "t1",
        "freehold.arm": "rented",
        "freehold.provider": "openai",
        "freehold.cost_usd": 0.5,
    }


def test_the_names_are_those_that_the_installed_conventions_declare() -> None:
    declared = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    known = {value for name, value in vars(declared).items() if name.startswith("GEN_AI_") and isinstance(value, str)}
    call = _call(is_stream=True, ttft_ms=1.0, cached_tokens=1, session_key="s")
    used = {name for name in _span(call, with_content=True).attributes if name.startswith("gen_ai.")}
    assert len(used) >= 13
    assert used <= known


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"status": 200, "error": "cut_off"}, "cut_off"),
        ({"status": 429}, "429"),
        ({"status": 502, "error": "upstream_unreachable"}, "upstream_unreachable"),
    ],
)
def test_an_error_has_its_type(changes: dict[str, object], error: str) -> None:
    span = _span(_call(**changes))
    assert span.attributes["error.type"] == span.error == error


@pytest.mark.parametrize(
    ("changes", "provider", "address"),
    [
        ({"provider": "eu"}, "azure.ai.openai", ("x.openai.azure.com", 443)),
        ({"provider": "mine"}, "mine", ("10.0.0.7", 8000)),
        ({"arm": "owned", "provider": ""}, "freehold", (None, None)),
        ({"provider": "gone"}, "gone", (None, None)),
    ],
)
def test_who_answered_is_named(
    changes: dict[str, object], provider: str, address: tuple[str | None, int | None]
) -> None:
    attributes = _span(_call(**changes)).attributes
    assert attributes["gen_ai.provider.name"] == provider
    assert (attributes.get("server.address"), attributes.get("server.port")) == address


def test_bodies_are_in_no_span_unless_asked_for() -> None:
    assert SECRET not in repr(_span(_call()))
    attributes = _span(_call(), with_content=True).attributes
    heard, said = (json.loads(str(attributes[f"gen_ai.{side}.messages"])) for side in ("input", "output"))
    assert heard[-1] == {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    assert said == [{"role": "assistant", "parts": [{"type": "text", "content": SECRET}], "finish_reason": "stop"}]
    odd = _span(_call(request_body=b"\xff", response_body=b"["), with_content=True)
    assert "gen_ai.input.messages" not in odd.attributes


def test_what_is_no_genai_operation_has_no_span() -> None:
    assert span_of(a_call(dialect="other", path="/v1/files"), URLS) is None


def test_spans_continue_the_callers_trace() -> None:
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    sent = Tracing(URLS, exporter=memory)
    sent.send([_call(tags={"traceparent": PARENT}), _call(tags={"traceparent": "nonsense"}), _call(status=500)])
    child, root, failed = memory.get_finished_spans()
    assert f"{child.context.trace_id:032x}" == PARENT.split("-")[1]
    assert child.parent is not None
    assert f"{child.parent.span_id:016x}" == PARENT.split("-")[2]
    assert root.parent is None
    assert child.kind.name == "CLIENT"
    assert failed.status.status_code.name == "ERROR"
    assert child.resource.attributes["service.name"] == "freehold"
    assert child.end_time - child.start_time == 100_000_000
    sent.close()


def test_tracing_is_on_when_it_is_told_where_spans_go(monkeypatch: pytest.MonkeyPatch) -> None:
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert is_wanted(is_set=False, environment=where)
    assert is_wanted(is_set=True, environment={})
    assert open_tracing(URLS, {}, is_set=False, with_content=False) is None
    monkeypatch.setattr(tracing.importlib.util, "find_spec", lambda name: None)
    assert open_tracing(URLS, where, is_set=False, with_content=False) is None
    with pytest.raises(MissingExtraError, match="freehold\\[otel\\]"):
        open_tracing(URLS, where, is_set=True, with_content=False)
