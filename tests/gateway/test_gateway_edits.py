"""The usage edit: golden bytes, and the client's view unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gateway.scripted import as_data, chat_chunks
from hypothesis import given
from hypothesis import strategies as st

from freehold.dialects.model_name import with_added_model, with_model
from freehold.gateway.config import Provider
from freehold.gateway.provider.edits import UsageStrip, with_usage
from freehold.gateway.provider.providers import address, upstream_target

OPTION = b'"stream_options":{"include_usage":true}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"stream":true}', b'{"stream":true,' + OPTION + b"}"),
        (b' {"a": "}", "stream" : true }\n', b' {"a": "}", "stream" : true,' + OPTION + b" }\n"),
        (b'{"stream_options":null,"b":1}', b"{" + OPTION + b',"b":1}'),
        (
            b'{"stream_options": {"x": 1, "include_usage": false}, "b": 1}',
            b'{"stream_options": {"x":1,"include_usage":true}, "b": 1}',
        ),
        ('{"a":"ü{}"}'.encode(), '{"a":"ü{}",'.encode() + OPTION + b"}"),
        (b'{"stream_options":7}', None),
        (b"{}", None),
        ("{}".encode("utf-16"), None),
    ],
)
def test_golden_requests(before: bytes, after: bytes | None) -> None:
    assert with_usage(before) == after


@given(st.dictionaries(st.text(max_size=5), st.recursive(st.text() | st.none(), st.lists, max_leaves=4), min_size=1))
def test_nothing_else_changes(data: dict[str, Any]) -> None:
    data.pop("stream_options", None)
    edited = with_usage(json.dumps({**data, "stream": True}).encode())
    assert edited is not None
    assert json.loads(edited) == {**data, "stream": True, "stream_options": {"include_usage": True}}


@given(st.integers(min_value=1, max_value=300))
def test_the_client_sees_the_stream_that_it_asked_for(step: int) -> None:
    stream = b"".join(as_data(chat_chunks(with_usage=True)))
    strip = UsageStrip()
    seen = b"".join(strip.feed(stream[n : n + step]) for n in range(0, len(stream), step)) + strip.finish()
    assert seen == b"".join(as_data(chat_chunks(with_usage=False)))


ESCAPED = b'data: {"choices":[{"delta":{"content":"\\"usage\\":null"}}]'


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n', b""),
        (b'data: {"choices":null,"usage":{"total_tokens":1}}\n\n', b""),
        (b'data: {"choices":[{"x":1}],"usage":{"a":1}}\n\n', b'data: {"choices":[{"x":1}]}\n\n'),
        (b'data: {"usage" : {"a":1} , "choices":[{"x":1}]}\n\n', b'data: {"choices":[{"x":1}]}\n\n'),
        (
            b'data: {"choices":[{"x":1}],"usage":{"a":1},"id":"\xc3\xa9"}\n\n',
            b'data: {"choices":[{"x":1}],"id":"\xc3\xa9"}\n\n',
        ),
        (b'data: {"choices":[{"usage":{"a":1}}],"usage":{"a":1}}\n\n', b'data: {"choices":[{"usage":{"a":1}}]}\n\n'),
        (b'data: {"choices":[{"x":1}],\ndata: "usage":{"a":1}}\n\n', None),
        (b'data: {"usage": null, "choices":[1]}\r\n\r\n', b'data: {"choices":[1]}\r\n\r\n'),
        (b'data: {"choices":[],"prompt_filter_results":[1]}\n\n', None),
        (ESCAPED + b',"usage":null}\n\n', ESCAPED + b"}\n\n"),
        (b'data: {"choices":[{"usage":null}],"usage":null}\n\n', b'data: {"choices":[{"usage":null}]}\n\n'),
        (b'data: {"choices":[1],"usage":[]}\n\n', None),
        (b": ping usage\n\n", None),
        (b'data: "usage" broken\n\n', None),
    ],
)
def test_golden_events(event: bytes, kept: bytes | None) -> None:
    """None: the event passes as it is."""
    assert UsageStrip().feed(event) == (event if kept is None else kept)


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (b'data: {"choices":[1],"usage":null}\n\n', None),
        (b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n', b""),
        (b'data: {"choices":[1],"usage": {"a":{"b":1}} }\n\n', b'data: {"choices":[1],"usage": null }\n\n'),
    ],
)
def test_golden_events_of_a_provider_that_says_null_unasked(event: bytes, kept: bytes | None) -> None:
    assert UsageStrip(keeps_null=True).feed(event) == (event if kept is None else kept)


@pytest.mark.parametrize(
    ("base", "dialect", "url"),
    [
        ("https://api.openai.com/v1", "openai", "https://api.openai.com/v1/models?a=%20"),
        ("https://api.openai.com/v1/", "openai", "https://api.openai.com/v1/models?a=%20"),
        ("http://localhost:8000", "openai", "http://localhost:8000/v1/models?a=%20"),
        ("https://host/v1beta/openai", "openai", "https://host/v1beta/openai/models?a=%20"),
        ("https://api.anthropic.com", "anthropic", "https://api.anthropic.com/v1/models?a=%20"),
        ("https://host/claude/v1", "anthropic", "https://host/claude/v1/models?a=%20"),
        ("https://host/claude", "anthropic", "https://host/claude/v1/models?a=%20"),
    ],
)
def test_upstream_urls(base: str, dialect: Any, url: str) -> None:
    provider = Provider(name="p", base_url=base, dialect=dialect)
    origin, _ = address(base)
    default_port = f":{443 if origin.is_secure else 80}"
    target = upstream_target(provider, b"/v1/models?a=%20").decode()
    assert str(origin).removesuffix(default_port) + target == url


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"a","b":[1]}', b'{"model":"b-\\u00e9","b":[1]}'),
        (b' {"b": {"model": "a"}, "model" : "a" }\n', b' {"b": {"model": "a"}, "model" : "b-\\u00e9" }\n'),
        (b'{"model":null}', b'{"model":"b-\\u00e9"}'),
        (b'{"messages":[]}', None),
        (b"no json", None),
    ],
)
def test_with_model(before: bytes, after: bytes | None) -> None:
    assert with_model(before, "b-\u00e9") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"messages":[]}', b'{"model":"m","messages":[]}'),
        (b' {\n "messages":[]}', b' {"model":"m",\n "messages":[]}'),
        (b"{ }", b'{"model":"m" }'),
        (b"[]", None),
        (b"", None),
        (b"\xff{}", None),
    ],
)
def test_with_added_model(before: bytes, after: bytes | None) -> None:
    assert with_added_model(before, "m") == after
