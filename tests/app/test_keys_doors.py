"""A gateway that requires keys asks for one at every door, on this machine too; probes stay open."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlencode

from living import WAIT_S, Town, running

Answer = tuple[int, dict[str, str], str]


def _ask(
    town: Town, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", town.port, timeout=WAIT_S)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.headers.items()}
        return response.status, told, response.read().decode()
    finally:
        connection.close()


def _key(town: Town, *arguments: str) -> str:
    return str(json.loads(town.freehold("keys", "add", *arguments, "--json"))["key"])


def test_every_door_asks_for_a_key_where_keys_are_required(town: Town) -> None:
    town.settings["FREEHOLD_GATEWAY_REQUIRE_KEY"] = "true"
    key, limited = _key(town, "ops"), _key(town, "app", "--model", "gpt-*")
    good, small = {"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {limited}"}
    with running(town):
        for path in ("/", "/api/tasks", "/api/calls", "/metrics", "/v1/models", "/v1/files"):
            assert _ask(town, "GET", path)[0] == 401, path
        for path in ("/", "/api/tasks", "/api/calls", "/metrics", "/v1/models"):
            assert _ask(town, "GET", path, **good)[0] == 200, path
        assert _ask(town, "GET", "/metrics", **small)[0] == 200, "a scraper's key may be limited"
        assert _ask(town, "GET", "/api/calls", **small)[0] == 403
        for host in ("lb.example", "10.9.8.7:8700"):
            assert _ask(town, "GET", "/healthz", Host=host)[0] == 200
            assert _ask(town, "GET", "/readyz", Host=host)[0] == 200
        own = {"Origin": f"http://127.0.0.1:{town.port}"}
        status, told, _ = _ask(town, "POST", "/login", urlencode({"key": key}), **own)
        assert status == 303
        cookie = {"Cookie": told["set-cookie"].partition(";")[0]}
        assert "Tasks" in _ask(town, "GET", "/", **cookie)[2]
        assert _ask(town, "GET", "/v1/models", **cookie)[0] == 401, "a session opens the console and makes no calls"
        before = len(town.seen)
        assert _ask(town, "GET", "/v1/files", Host="evil.example", **good)[0] == 403
        assert len(town.seen) == before
        town.freehold("keys", "revoke", "ops", "--yes")
        assert _until_closed(town, cookie), "a revoked key ends its sessions"
    written = town.written()
    assert not [name for name, data in written.items() if key.encode() in data and not name.startswith("said")]


def _until_closed(town: Town, cookie: dict[str, str]) -> bool:
    return any(_ask(town, "GET", "/", **cookie)[0] == 401 for _ in range(200))


def test_a_rebound_name_gets_no_call_out_with_the_lent_key(town: Town) -> None:
    with running(town):
        assert _ask(town, "GET", "/v1/files")[0] == 200, "this machine may, without a key"
        assert town.seen[-1][1]["authorization"] == f"Bearer {town.lent}"
        before = len(town.seen)
        for host in ("evil.example", f"evil.example:{town.port}"):
            for path in ("/v1/files", "/v1/models", "/metrics", "/api/calls", "/"):
                status, _, body = _ask(town, "GET", path, Host=host)
                assert (status, "allowed_hosts" in body) == (403, True), path
        assert _ask(town, "GET", "/v1/files", Origin="http://evil.example")[0] == 403
        assert len(town.seen) == before
