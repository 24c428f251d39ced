"""What passes through is what a direct connection would have given, byte for byte."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from gateway.scripted_town import Build, Town

from freehold.gateway.config import GatewaySettings

Got = tuple[int, list[tuple[str, str]], bytes]
CHAT_PATH = "/v1/chat/completions"


def send(port: int, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, target, body or None, headers or {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


def end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    hop = ("transfer-encoding", "connection", "keep-alive", "freehold-call-id")
    return sorted((name.lower(), value) for name, value in headers if name.lower() not in hop)


def asking(model: str, **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "é"}], **more}).encode()


USAGE = {"stream_options": {"include_usage": True}}
CASES = [
    ("POST", CHAT_PATH, asking("chat")),
    ("POST", CHAT_PATH, b' {"model" : "chat",\n"messages":[ ],"extra":[1.50,1e3,"\\u00e9\\/"]}  '),
    ("POST", CHAT_PATH, asking("chat", stream=True, **USAGE)),
    ("POST", CHAT_PATH, asking("chat", stream=True)),
    ("POST", CHAT_PATH, asking("chat", stream=True, tools=[{"type": "function"}])),
    ("POST", CHAT_PATH, asking("limited")),
    ("POST", CHAT_PATH, asking("gzip")),
    ("POST", CHAT_PATH, asking("gzip", stream=True)),
    ("POST", "/v1/messages?beta=true", asking("claude", max_tokens=5)),
    ("POST", "/v1/messages", asking("claude", max_tokens=5, stream=True)),
    ("POST", "/v1/responses", asking("chat", stream=True)),
    ("POST", "/v1/embeddings", asking("embed")),
    ("POST", "/v1/audio/speech", b"\x00\x01 not json \xff"),
    ("GET", "/v1/files/a%2Fb?after=x%20y&z=%E2%82%AC&&=", b""),
    ("GET", "/v1/models", b""),
    ("DELETE", "/v1/files/f1", b""),
    ("HEAD", "/v1/files/f1", b""),
    ("POST", "/v1/fine_tuning/jobs", b"[]"),
    ("PUT", "/v1/uploads", b"x" * 99_000),
]


def test_direct_and_through_are_the_same(town: Town) -> None:
    assert len(CASES) == 19
    for method, target, body in CASES:
        town.upstream.seen.clear()
        direct = send(town.upstream_port, method, target, body)
        through = send(town.port, method, target, body)
        assert through[0] == direct[0], target
        assert through[2] == direct[2], target
        assert end_to_end(through[1]) == end_to_end(direct[1]), target
        first, second = town.upstream.seen
        assert (second["method"], second["target"]) == (first["method"], first["target"])
        if b"stream_options" not in second["body"] or b"stream_options" in body:
            assert second["body"] == body
    assert len(town.shelf.calls) == len(CASES)


def test_usage_is_not_added_when_switched_off(build: Build) -> None:
    town = build(settings=GatewaySettings(add_usage=False))
    body = asking("chat", stream=True)
    send(town.port, "POST", CHAT_PATH, body)
    assert town.upstream.seen[0]["body"] == body
    send(town.port, "POST", CHAT_PATH, body)
    assert town.upstream.seen[1]["body"] == body
    assert town.shelf.wait_for(lambda call: call.is_stream).is_estimated


def test_request_headers(town: Town) -> None:
    headers = {
        "content-type": "application/json",
        "x-custom": "kept",
        "connection": "keep-alive, x-mine",
        "x-mine": "dropped",
        "te": "trailers",
        "freehold-task": "secret-project",
        "accept-encoding": "gzip, br;q=0.5, zstd",
        "authorization": "Bearer k",
    }
    send(town.port, "POST", CHAT_PATH, asking("chat"), headers)
    seen = town.upstream.seen[0]["headers"]
    assert seen[b"x-custom"] == b"kept"
    assert seen[b"host"] == f"127.0.0.1:{town.upstream_port}".encode()
    assert seen[b"authorization"] == b"Bearer k"
    assert seen[b"accept-encoding"].startswith(b"gzip")
    assert not {b"x-mine", b"te", b"freehold-task"} & set(seen)


def test_client_without_accept_encoding_gets_none_added(town: Town) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", town.port, timeout=20)
    connection.putrequest("POST", CHAT_PATH, skip_accept_encoding=True)
    body = asking("chat")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body)
    assert connection.getresponse().read()
    connection.close()
    assert b"accept-encoding" not in town.upstream.seen[0]["headers"]


@pytest.mark.parametrize("stream", [False, True])
def test_every_response_names_its_call(town: Town, stream: bool) -> None:
    _, headers, _ = send(town.port, "POST", CHAT_PATH, asking("chat", stream=stream))
    call = town.shelf.by_id(dict(headers)["freehold-call-id"])
    assert call.is_stream is stream
