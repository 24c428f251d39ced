"""No secret is written: canaries travel wherever a secret can, then all that Freehold wrote is searched for them.

Bodies are the caller's own and are kept, which is also the proof that the search finds what is there.
"""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from living import Town, canary, running


def _call_everywhere(town: Town, key: str, marker: str) -> list[str]:
    """Send canaries in all places, in calls that go well and that fail; returns them."""
    planted: list[str] = []

    def fresh(place: str) -> str:
        planted.append(canary(place))
        return planted[-1]

    for model in ("well", "stream", "cut", "dead"):
        chat = "/v1/chat/completions"
        basic = base64.b64encode(f"user:{fresh('basic')}".encode()).decode()
        planted.append(basic)
        town.ask(chat, model, marker=marker, authorization=f"Bearer {fresh('bearer')}")
        town.ask(chat, model, authorization=f"Basic {basic}")
        town.ask(chat, model, x_api_key=fresh("xapikey"), proxy_authorization=f"Bearer {fresh('proxy')}")
        town.ask(chat, model, api_key=fresh("apikey"), cookie=f"s={fresh('cookie')}")
        town.ask(f"{chat}?key={fresh('query')}&api_key={fresh('query')}&api-version=1", model)
        town.ask(chat, model, freehold_key=key, authorization=f"Bearer {fresh('own')}")
        town.ask(chat, model, x_api_key=key, referer=f"http://localhost/?token={fresh('referer')}")
        town.ask("/v1/messages", model, x_api_key=fresh("messages"), anthropic_version="2023-06-01")
    town.ask("/v1/chat/completions", "well", freehold_key=fresh("fhk"))
    town.ask("/v1/chat/completions", "well", authorization=f"Bearer fhk_{fresh('typo')}")
    town.ask(f"/v1/nothing/{'x' * 20}?key={fresh('other')}", "", method="GET", authorization=f"Bearer {fresh('get')}")
    town.ask(f"/nowhere?key={fresh('page')}", "", method="GET", cookie=fresh("pagecookie"))
    town.ask("/v1/models", "", method="GET", authorization=f"Bearer {fresh('models')}")
    return planted


@pytest.mark.slow
def test_no_secret_is_written_anywhere(town: Town) -> None:
    key = json.loads(town.freehold("keys", "add", "app", "--json"))["key"]
    marker = canary("body")
    with running(town):
        planted = _call_everywhere(town, key, marker)
        pages = [town.ask(path, "", method="GET") for path in ("/", "/healthz", "/readyz", "/metrics")]
        told = town.ask("/v1/chat/completions", "echo", marker=marker)
    for verb in (("calls", "--json", "-n", "0"), ("tasks", "--json"), ("status", "--json"), ("keys", "--json")):
        town.said.append(town.freehold(*verb))
    secret = (*planted, town.lent, town.cookie, key[13:])
    written = town.written() | {f"page {number}": page for number, page in enumerate(pages)}
    found = [(place, text[:20]) for text in secret for place, data in written.items() if text.encode() in data]
    assert found == []
    assert any(marker.encode() in data for place, data in written.items() if place.startswith("said"))
    assert any(marker.encode() in data for place, data in written.items() if place.endswith((".db", ".db-wal")))
    assert len(planted) > 50
    assert town.lent.encode() not in told


def test_a_password_in_a_base_url_is_refused_and_not_repeated(town: Town) -> None:
    password = canary("userinfo")
    settings = town.folder / "freehold.toml"
    settings.write_text(settings.read_text().replace("http://127", f"http://user:{password}@127"))
    for verb in ("up", "settings", "calls"):
        done = subprocess.run(town.command(verb), capture_output=True, text=True, cwd=town.folder, env=town.env)
        assert done.returncode == 2
        assert "base_url holds a user or a password" in done.stderr
        assert password not in done.stdout + done.stderr
    assert not any(password.encode() in data for data in town.written().values())


@pytest.mark.slow
def test_a_gateway_key_goes_no_further_than_the_gateway(town: Town) -> None:
    key = json.loads(town.freehold("keys", "add", "app", "--json"))["key"]
    own = canary("own")
    chat = "/v1/chat/completions"
    with running(town):
        town.ask(chat, "well", authorization=f"Bearer {key}")
        town.ask(chat, "well", x_api_key=key)
        town.ask(chat, "well", api_key=key)
        town.ask(chat, "well", freehold_key=key, authorization=f"Bearer {own}")
        town.ask(chat, "well", freehold_key=key, cookie=f"k={key}", x_note=key, authorization=f"Basic {key}")
    town.freehold("keys")
    assert [headers.get("authorization") for _, headers in town.seen[:4]] == [
        *[f"Bearer {town.lent}"] * 3,
        f"Bearer {own}",
    ]
    assert len(town.seen) == 5
    assert not any(key in f"{path} {headers}" for path, headers in town.seen)
    calls = [json.loads(line) for line in town.freehold("calls", "--json").splitlines()]
    assert {call["key_id"] for call in calls} == {key[4:12]}
    assert json.loads(town.freehold("keys", "show", "app", "--json"))["requests_today"] == 5


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="needs /proc")
def test_a_crash_leaves_no_core_dump_with_keys_in_it(town: Town) -> None:
    with running(town) as process:
        tree = [process.pid, *_children(process.pid)]
        limits = {
            pid: Path(f"/proc/{pid}/limits").read_text().split("Max core file size")[1].split()[:2] for pid in tree
        }
    assert set(map(tuple, limits.values())) == {("0", "0")}


def _children(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(below for child in found for below in _children(child))]
