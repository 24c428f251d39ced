"""A gateway key in a path, a query, a body or a kept header goes to no provider and into no record."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator

import pytest
from fidelity.upstream import End, Seen, plain
from wired import wired

from freehold.model.key import new_key_text

CHAT = "/v1/chat/completions"
KEY = new_key_text()
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
WITH_KEY = {"model": "m", "messages": [{"role": "user", "content": f"my key is {KEY}, is it right?"}]}


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    yield plain(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", f"{CHAT}?key={KEY}", json.dumps(BODY).encode(), {}),
        ("POST", f"{CHAT}?key={KEY.replace('_', '%5f')}", json.dumps(BODY).encode(), {}),
        ("GET", f"/v1/files/{KEY}", None, {}),
        ("POST", CHAT, json.dumps(WITH_KEY).encode(), {}),
        ("POST", CHAT, gzip.compress(json.dumps(WITH_KEY).encode()), {"content-encoding": "gzip"}),
        ("POST", "/v1/files", f"name: {KEY}".encode(), {"content-type": "text/plain"}),
        ("POST", CHAT, json.dumps(BODY).encode(), {"freehold-tags": f"by={KEY}"}),
        ("POST", CHAT, json.dumps(BODY).encode(), {"freehold-user": KEY}),
    ],
    ids=["query", "escaped query", "path", "body", "packed body", "text", "tags", "user"],
)
def test_it_is_refused(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
    with wired(provider) as town:
        told = {"content-type": "application/json", "authorization": "Bearer sk-mine", **headers}
        status, _, answer = town.send(method, path, body, told)
        error = json.loads(answer)["error"]
        assert (status, error["code"]) == (400, "misplaced_gateway_key")
        assert "freehold-key" in error["message"]
        assert town.upstream.seen == []
        (call,) = town.shelf.calls
        assert KEY not in repr(call)
        assert KEY not in answer.decode()


def test_what_only_looks_like_a_key_passes() -> None:
    with wired(provider) as town:
        for text in (KEY[:-1], KEY[:-1] + "!", "fhk_", f"fhk_{'a' * 8}_{'b' * 49}"):
            said = {"model": "m", "messages": [{"role": "user", "content": text}]}
            assert town.ask(f"{CHAT}?a={text}", said, {"authorization": "Bearer k"})[0] == 200
        assert len(town.upstream.seen) == 4


def test_the_cookie_of_the_console_goes_to_no_provider() -> None:
    with wired(provider) as town:
        assert town.ask(CHAT, BODY, {"cookie": "a=1; freehold-session=v1.x.y", "authorization": "Bearer k"})[0] == 200
        assert b"freehold-session" not in repr(town.upstream.seen[0].headers).encode()
