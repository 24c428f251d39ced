"""Only names of the gateway's own are served, and only pages that may ask: no page elsewhere gets a call out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from fidelity.upstream import End, Seen, plain
from wired import wired

from freehold.errors import SettingError
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.origins import read_origins
from freehold.system.hosts import Hosts, read_hosts

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
APP = "https://app.example"
FOREIGN = ["evil.example", "evil.example:8700", "127.0.0.1.evil.example", "localhost.evil.example", "", "10.0.0.7"]
SETTINGS = GatewaySettings(
    record_wait_s=5, allowed_origins=read_origins(APP), hosts=read_hosts("gateway.internal, db-1", "127.0.0.1")
)


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    yield plain(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


def lending(url: str) -> Provider:
    return Provider(name="up", base_url=url, key_env="UP_KEY")


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/v1/files"), ("GET", "/")]
)
def test_a_rebound_name_gets_no_call_out(host: str, method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-lent")
    with wired(provider, lending, settings=SETTINGS) as town:
        status, _, body = town.send(
            method, path, json.dumps(BODY).encode() if method == "POST" else None, {"host": host}
        )
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (403, "host_not_allowed")
        assert "allowed_hosts" in error["message"]
        assert (town.upstream.seen, town.shelf.calls) == ([], [])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8700", "[::1]:9", "gateway.internal:80", "db-1"]
)
def test_own_names_are_served(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-lent")
    with wired(provider, lending, settings=SETTINGS) as town:
        assert town.ask(CHAT, BODY, {"host": host})[0] == 200
        assert town.ask(CHAT, BODY, {"host": host, "origin": f"http://{host}"})[0] == 200, "its own page"
        assert len(town.upstream.seen) == 2


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://evil.example:8700", "chrome-extension://abc"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/")])
def test_a_page_elsewhere_may_not_ask(origin: str, method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-lent")
    with wired(provider, lending, settings=SETTINGS) as town:
        asked = json.dumps(BODY).encode() if method == "POST" else None
        status, _, body = town.send(method, path, asked, {"origin": origin})
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (403, "origin_not_allowed")
        assert "allowed_origins" in error["message"]
        assert town.upstream.seen == []


def test_an_image_of_a_page_elsewhere_is_no_call_and_a_link_may_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-lent")
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    with wired(provider, lending, settings=SETTINGS) as town:
        for path, headers in (("/v1/files", image), ("/v1/files", link), ("/", image)):
            assert town.send("GET", path, None, headers)[0] == 403
        assert town.send("GET", "/nothing", None, link)[0] == 404, "a link to a page of ours"
        assert town.send("GET", "/v1/files", None, {"sec-fetch-site": "same-origin"})[0] == 200
        assert len(town.upstream.seen) == 1


def test_probes_answer_by_any_name_and_say_nothing_of_anybody() -> None:
    with wired(provider, settings=SETTINGS) as town:
        for path in ("/healthz", "/readyz"):
            for headers in ({"host": "10.3.2.1:8700"}, {"host": "lb.example"}, {"origin": "https://evil.example"}):
                status, _, body = town.send("GET", path, None, headers)
                assert status == 200
                assert json.loads(body)["status"] in ("ok", "ready")


def test_an_error_is_told_in_the_callers_dialect() -> None:
    with wired(provider, settings=SETTINGS) as town:
        assert json.loads(town.ask("/v1/messages", BODY, {"host": "evil.example"})[2])["type"] == "error"


def test_the_hosts_of_the_settings() -> None:
    assert read_hosts("", "127.0.0.1") == Hosts(frozenset({"127.0.0.1"}))
    assert read_hosts("A.example., [fd00::1]", "10.0.0.7").names == {"a.example", "fd00::1", "10.0.0.7"}
    everywhere = read_hosts("", "0.0.0.0")
    assert everywhere.allows("10.0.0.7:8700")
    assert everywhere.allows("[fd00::1]:8700")
    assert not everywhere.allows("evil.example")
    assert not Hosts().allows("10.0.0.7")
    for wrong in ("*", "a b", "https://a.example", "a.example:80", "a/b", "[::1", "a..b"):
        with pytest.raises(SettingError, match="allowed_hosts"):
            read_hosts(wrong, "127.0.0.1")
    for header in (
        "",
        ":80",
        "[::1",
        "a\0b",
        "127.0.0.1:x",
        "127.0.0.1:123456",
        "a" * 300,
        "0x7f000001",
        "127.1@evil.example",
    ):
        assert not Hosts().allows(header)
