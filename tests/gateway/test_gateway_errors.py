"""Bad input and bad upstreams: the caller's dialect, a fitting status, a record."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import anthropic
import openai
import pytest
from gateway.scripted_town import Build, Town
from openai import OpenAI
from test_gateway_bytes import CHAT_PATH, asking, send

from freehold.errors import BusyError
from freehold.gateway.config import Provider
from freehold.gateway.server import listen
from freehold.httpd.client import Timeouts


def openai_error(body: bytes) -> dict[str, Any]:
    error = json.loads(body)["error"]
    assert error["type"] == "freehold_error"
    assert error["message"]
    return dict(error)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[1]", b'"x"', b"null", b'{"a":', b"[" * 100_00, b'{"a":' * 3000, b"\xff\xfe\x00", b"7"]
)
def test_a_body_that_is_not_a_json_object(town: Town, body: bytes) -> None:
    status, headers, answer = send(town.port, "POST", CHAT_PATH, body)
    assert (status, openai_error(answer)["code"]) == (400, "bad_body")
    assert dict(headers)["freehold-error"] == "bad_body"
    assert town.upstream.seen == []
    call = town.shelf.by_id(dict(headers)["freehold-call-id"])
    assert (call.status, call.error, call.request_body, call.response_body) == (400, "bad_body", body, answer)


def test_odd_but_valid_bodies_reach_the_provider(town: Town) -> None:
    odd = [
        {"model": 7, "messages": "x"},
        {"model": None, "messages": [None, 1, {"role": 5, "content": {"a": 1}}], "stream": "yes", "n": "two"},
        {"messages": [{"role": "user", "content": [{"type": "text"}, {"type": "image_url"}, 3]}], "max_tokens": 1e300},
        {"model": "a\x00b\ud800", "metadata": [1], "user": {"id": 1}, "stream_options": 4, "stream": True},
        {"tools": {"x": 1}, "response_format": [1], "tool_choice": [], "messages": {}},
    ]
    for path in (CHAT_PATH, "/v1/responses", "/v1/messages", "/v1/completions", "/v1/embeddings"):
        for body in odd:
            status, _, _ = send(town.port, "POST", path, json.dumps(body).encode())
            assert status == 200, (path, body)
    assert len(town.shelf.calls) == len(odd) * 5
    assert {call.error for call in town.shelf.calls} == {None}


def test_anthropic_callers_get_anthropic_errors(town: Town) -> None:
    status, _, answer = send(town.port, "POST", "/v1/messages", b"no")
    assert status == 400
    assert json.loads(answer)["type"] == "error"
    assert json.loads(answer)["error"]["type"] == "freehold_error"


def test_oversized_body(town: Town) -> None:
    status, headers, answer = send(town.port, "POST", CHAT_PATH, asking("chat", pad="x" * 200_000))
    assert (status, openai_error(answer)["code"]) == (413, "body_too_large")
    assert town.shelf.by_id(dict(headers)["freehold-call-id"]).error == "body_too_large"


def test_oversized_chunked_body(town: Town) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", town.port, timeout=20)
    connection.request("POST", CHAT_PATH, iter([b"x" * 60_000] * 3), {"content-type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()


def test_unreachable_upstream(build: Build) -> None:
    port = unused_port()
    town = build(lambda _: Provider(name="off", base_url=f"http://127.0.0.1:{port}/v1"))
    status, headers, answer = send(town.port, "POST", CHAT_PATH, asking("chat"))
    assert (status, openai_error(answer)["code"]) == (502, "upstream_unreachable")
    call = town.shelf.by_id(dict(headers)["freehold-call-id"])
    assert (call.status, call.error) == (502, "upstream_unreachable")
    client = OpenAI(base_url=f"http://127.0.0.1:{town.port}/v1", api_key="k", max_retries=0)
    with client, pytest.raises(openai.InternalServerError, match="cannot be reached"):
        client.chat.completions.create(model="chat", messages=[])


def test_upstream_that_does_not_answer_in_time(build: Build) -> None:
    town = build(lambda url: Provider(name="up", base_url=url, timeouts=Timeouts(first_byte_s=0.1)))
    status, headers, answer = send(town.port, "POST", CHAT_PATH, asking("hang"))
    assert (status, openai_error(answer)["code"]) == (504, "upstream_timeout")
    assert town.shelf.by_id(dict(headers)["freehold-call-id"]).error == "upstream_timeout"
    assert town.upstream.gone.wait(20)


def two(url: str, models: tuple[str, ...] = ("chat", "gpt-*"), key_env: str = "") -> Provider:
    return Provider(name="up", base_url=url, models=models, key_env=key_env)


def test_unknown_model(build: Build) -> None:
    town = build(two)
    assert send(town.port, "POST", CHAT_PATH, asking("gpt-9"))[0] == 200
    status, headers, answer = send(town.port, "POST", CHAT_PATH, asking("mystery"))
    assert (status, openai_error(answer)["code"]) == (404, "unknown_model")
    assert "gpt-*" in openai_error(answer)["message"]
    assert town.shelf.by_id(dict(headers)["freehold-call-id"]).model_asked == "mystery"
    assert send(town.port, "GET", "/v1/models/mystery")[0] == 404


def test_key_of_the_environment(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    town = build(lambda url: two(url, key_env="TEST_KEY"))
    status, _, answer = send(town.port, "POST", CHAT_PATH, asking("chat"))
    assert (status, openai_error(answer)["code"]) == (401, "missing_key")
    assert "TEST_KEY" in openai_error(answer)["message"]
    monkeypatch.setenv("TEST_KEY", "sk-env")
    for own in ({}, {"authorization": "Bearer freehold"}, {"authorization": "Bearer "}, {"authorization": "none"}):
        town.upstream.seen.clear()
        assert send(town.port, "POST", CHAT_PATH, asking("chat"), own)[0] == 200
        assert town.upstream.seen[0]["headers"][b"authorization"] == b"Bearer sk-env"
    send(town.port, "POST", CHAT_PATH, asking("chat"), {"authorization": "Bearer mine"})
    assert town.upstream.seen[1]["headers"][b"authorization"] == b"Bearer mine"
    foreign = {"origin": "https://evil.example"}
    assert send(town.port, "POST", CHAT_PATH, asking("chat"), foreign)[0] == 403
    assert send(town.port, "POST", CHAT_PATH, asking("chat"), {"origin": "http://localhost:3000"})[0] == 200
    assert "sk-env" not in repr(town.shelf.calls)


def test_anthropic_key_of_the_environment(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-env")
    town = build(lambda url: Provider(name="a", base_url=url, dialect="anthropic", key_env="TEST_KEY"))
    with anthropic.Anthropic(base_url=town.url, api_key="freehold", max_retries=0) as client:
        client.messages.create(model="claude", max_tokens=3, messages=[{"role": "user", "content": "x"}])
    headers = town.upstream.seen[0]["headers"]
    assert headers[b"x-api-key"] == b"sk-env"
    assert b"authorization" not in headers


def test_merged_models(build: Build) -> None:
    town = build(
        two,
        lambda url: Provider(name="all", base_url=url),
        lambda url: Provider(name="a", base_url=url, dialect="anthropic", models=("claude-x",)),
    )
    listed = json.loads(send(town.port, "GET", "/v1/models")[2])
    assert [entry["id"] for entry in listed["data"]] == ["chat", "up-1", "claude-x"]
    shaped = json.loads(send(town.port, "GET", "/v1/models", headers={"anthropic-version": "1"})[2])
    assert [entry["type"] for entry in shaped["data"]] == ["model", "model"]
    assert shaped["has_more"] is False


def test_paths_outside(build: Build) -> None:
    town = build()
    assert send(town.port, "GET", "/")[0] == 404
    assert json.loads(send(town.port, "GET", "/nothing")[2])["error"]["code"] == "not_found"
    assert json.loads(send(town.port, "GET", "/healthz")[2])["status"] == "ok"
    assert town.shelf.calls == []


def test_a_mounted_application_gets_the_rest(build: Build) -> None:
    async def other(scope: Any, receive: Any, send_: Any) -> None:
        await send_({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send_({"type": "http.response.body", "body": b"ok"})

    town = build(other=other)
    assert send(town.port, "GET", "/console")[2] == b"ok"


def test_port_in_use(town: Town) -> None:
    with pytest.raises(BusyError, match=str(town.port)):
        listen("127.0.0.1", town.port)
