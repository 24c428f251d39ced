"""Web pages of declared origins can call the gateway from a browser; pages of others cannot read a thing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from fidelity.upstream import End, Seen, plain
from wired import wired

from freehold.errors import SettingError
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.origins import read_origins

APP, OTHER = "https://app.example", "https://other.example"
CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
SETTINGS = GatewaySettings(record_wait_s=5, allowed_origins=read_origins(f"{APP}, http://localhost:3000/"))
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    headers = ((b"access-control-allow-origin", b"*"), (b"x-request-id", b"r1"), (b"access-control-max-age", b"9"))
    yield plain(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}', headers=headers)


def readable(headers: dict[str, str]) -> set[str]:
    return {name for name in headers if name.startswith("access-control-")}


def test_a_preflight_is_answered_here_and_is_no_call() -> None:
    with wired(provider, settings=SETTINGS) as town:
        for path in (CHAT, "/v1/messages", "/openai/deployments/d/chat/completions"):
            status, headers, body = town.send("OPTIONS", path, None, {"origin": APP, **PREFLIGHT})
            assert (status, body, headers["access-control-allow-origin"]) == (204, b"", APP)
            assert "POST" in headers["access-control-allow-methods"]
            assert headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
            assert headers["vary"] == "origin"
            assert "freehold-call-id" not in headers
        private = {"access-control-request-private-network": "true"}
        headers = town.send("OPTIONS", CHAT, None, {"origin": APP, **PREFLIGHT, **private})[1]
        assert headers["access-control-allow-private-network"] == "true"
        assert (town.upstream.seen, town.shelf.calls) == ([], [])


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://app.example.evil", "http://app.example", "https://APP.example"]
)
def test_others_are_told_nothing(origin: str) -> None:
    with wired(provider, settings=SETTINGS) as town:
        status, headers, body = town.send("OPTIONS", CHAT, None, {"origin": origin, **PREFLIGHT})
        assert (status, readable(headers)) == (403, set())
        assert json.loads(body)["error"]["code"] == "origin_not_allowed"
        status, headers, _ = town.ask(CHAT, BODY, {"origin": origin, "authorization": "Bearer k"})
        assert (status, readable(headers)) == (403, set()), "a page that is not declared may not ask either"
        assert (town.upstream.seen, town.shelf.calls) == ([], [])


def test_responses_can_be_read_by_declared_pages_whatever_they_are() -> None:
    with wired(provider, settings=SETTINGS) as town:
        for path, body, wanted in ((CHAT, BODY, 200), (CHAT, b"no json", 400), ("/chat/completions", BODY, 404)):
            status, headers, _ = town.ask(path, body, {"origin": APP, "authorization": "Bearer k"})
            assert (status, headers["access-control-allow-origin"]) == (wanted, APP)
            assert headers["access-control-expose-headers"] == "*"
        assert len(town.shelf.calls) == 3


def test_without_an_origin_nothing_changes() -> None:
    with wired(provider, settings=SETTINGS) as town:
        headers = town.ask(CHAT, BODY, {"authorization": "Bearer k"})[1]
        assert (headers["access-control-allow-origin"], headers["access-control-max-age"]) == ("*", "9")
        status, headers, _ = town.send("OPTIONS", CHAT, None, {"origin": APP})
        assert (status, len(town.shelf.calls)) == (200, 2), "a request for options that is no preflight is a call"


def test_by_default_no_page_may() -> None:
    with wired(provider) as town:
        assert town.send("OPTIONS", CHAT, None, {"origin": APP, **PREFLIGHT})[0] == 403
        status, headers, _ = town.ask(CHAT, BODY, {"origin": APP, "authorization": "Bearer k"})
        assert (status, readable(headers)) == (403, set())


def test_a_declared_page_may_use_the_gateways_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-lent")
    with wired(provider, lambda url: Provider(name="up", base_url=url, key_env="UP_KEY"), settings=SETTINGS) as town:
        assert town.ask(CHAT, BODY, {"origin": APP})[0] == 200
        assert town.upstream.seen[-1].header(b"authorization") == b"Bearer sk-lent"
        status, _, body = town.ask(CHAT, BODY, {"origin": OTHER})
        assert (status, json.loads(body)["error"]["code"]) == (403, "origin_not_allowed")
        assert len(town.upstream.seen) == 1


def test_the_setting() -> None:
    assert read_origins("") == frozenset()
    assert read_origins(" https://a.example:443/ ,http://B.example:8080") == {
        b"https://a.example",
        b"http://b.example:8080",
    }
    for wrong in (
        "*",
        "app.example",
        "https://a.example/path",
        "ftp://a.example",
        "https://",
        "https://a:b",
        "https://u@a",
    ):
        with pytest.raises(SettingError, match="allowed_origins"):
            read_origins(wrong)
