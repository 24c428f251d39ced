"""Placeholders are no keys, keys are no placeholders; refusals that waiting cannot mend say so to client libraries."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anthropic
import openai
import pytest
from fidelity.upstream import End, Seen, plain
from hypothesis import given
from hypothesis import strategies as st
from wired import Wired, wired

from freehold.gateway.config import Provider
from freehold.gateway.errors import RefusedError, reply
from freehold.gateway.keys.admission import Admission
from freehold.gateway.oversight import Oversight
from freehold.gateway.provider.provider_keys import PLACEHOLDERS, is_key
from freehold.model.key import DAY_S, Key, KeyUsage, key_hash, key_id, new_key_text

NO_KEYS = [
    "", "Bearer", "Bearer ", "none", "Bearer none", "DUMMY_KEY", "Bearer DUMMY_KEY", "dummy", "EMPTY", "null",
    "not-needed", "not_needed", "no-key", "unused", "xxx", "XXXX", "sk-xxxxxxxx", "sk-XXXX", "your-api-key",
    "YOUR_API_KEY", "your_api_key_here", "changeme", "placeholder", "freehold", "Bearer freehold", "sk-none",
    "<your key>", "<API_KEY>", "${OPENAI_API_KEY}", "$OPENAI_API_KEY", "{{ key }}", "***", "...", "undefined",
    "lm-studio", "ollama", "n/a", "sk-no-key-required", "fhk_" + "a" * 40,
]  # fmt: skip
KEYS = [
    "sk-own", "sk-proj-abc123", "test", "sk-test", "abc", "x", "xx", "sk-xxxxxxxxa", "secret", "key", "gsk_none",
    "freehold2", "sk-ant-api03-x-y", "f3e1c0ffee0123456789abcdef012345", "AIzaSyNONE", "noneofyourbusiness",
    "dummy1234567890", "00000000", "hf_dummy", "anything", "1", "x" * 65,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_KEYS)
def test_placeholders(value: str) -> None:
    assert not is_key(value.encode())


@pytest.mark.parametrize("value", KEYS)
def test_keys(value: str) -> None:
    assert is_key(value.encode())
    assert is_key(f"Bearer {value}".encode())


@given(st.integers(16, 60))
def test_what_a_provider_could_have_drawn_is_a_key(size: int) -> None:
    for prefix in ("", "sk-", "sk-proj-", "gsk_", "hf_", "xai-"):
        assert is_key((prefix + secrets.token_urlsafe(size)).encode())
        assert is_key((prefix + secrets.token_hex(size)).encode())


def test_the_list_is_short_and_plain() -> None:
    assert 40 < len(PLACEHOLDERS) < 80
    assert all(word == word.lower() and b"_" not in word for word in PLACEHOLDERS)


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    yield plain(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


def test_a_placeholder_is_replaced_by_the_key_that_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_KEY", "sk-lent")
    with wired(provider, lambda url: Provider(name="up", base_url=url, key_env="UP_KEY")) as town:
        for name, value, wanted in (
            ("authorization", "Bearer DUMMY_KEY", b"Bearer sk-lent"),
            ("api-key", "none", b"Bearer sk-lent"),
            ("authorization", "Bearer sk-real", b"Bearer sk-real"),
        ):
            town.ask("/v1/chat/completions", {"model": "m", "messages": []}, {name: value})
            assert town.upstream.seen[-1].header(b"authorization") == wanted
            assert town.upstream.seen[-1].header(b"api-key") == b""


# x-should-retry


LASTING = [
    RefusedError(429, "budget_spent", "x", retry_after_s=40_000),
    RefusedError(401, "unknown_gateway_key", "x"),
    RefusedError(401, "expired_gateway_key", "x"),
    RefusedError(401, "missing_key", "x"),
    RefusedError(403, "model_not_allowed", "x"),
    RefusedError(404, "unknown_model", "x"),
    RefusedError(413, "body_too_large", "x"),
    RefusedError(400, "bad_body", "x"),
    RefusedError(501, "no_websockets", "x"),
]
PASSING = [
    RefusedError(429, "too_many_requests", "x", retry_after_s=17),
    RefusedError(429, "too_many_tokens", "x", retry_after_s=59),
    RefusedError(503, "record_unavailable", "x", retry_after_s=1),
    RefusedError(503, "upstream_unavailable", "x", retry_after_s=30),
    RefusedError(502, "upstream_unreachable", "x"),
    RefusedError(504, "upstream_timeout", "x"),
    RefusedError(408, "body_timeout", "x"),
    RefusedError(500, "gateway_failed", "x"),
]


def test_which_refusals_waiting_can_mend() -> None:
    for refusal in LASTING:
        assert dict(reply(refusal, "openai-chat")[0])[b"x-should-retry"] == b"false", refusal.code
    for refusal in PASSING:
        assert b"x-should-retry" not in dict(reply(refusal, "openai-chat")[0]), refusal.code


def spent() -> tuple[str, Oversight]:
    """A gateway key whose budget of this day is spent."""
    text, now = new_key_text(), time.time()
    key = Key(id=key_id(text) or "", name="app", sha256=key_hash(text), created_at=now, usd_per_day=10.0)
    admission = Admission(is_required=True)
    admission.load([key], {key.id: KeyUsage(day=int(now // DAY_S), cost_usd=11.0)})
    return text, Oversight(admission=admission)


ASK: Any = [{"role": "user", "content": "x"}]


def quickly(town: Wired, ask: Any, error: type[Exception]) -> dict[str, str]:
    """The headers of the error that a client raises at once, having asked once."""
    before, started = len(town.shelf.calls), time.monotonic()
    with pytest.raises(error) as raised:
        ask()
    assert time.monotonic() - started < 5
    assert len(town.shelf.calls) == before + 1
    headers: dict[str, str] = dict(raised.value.response.headers)  # type: ignore[attr-defined]
    return headers


def test_the_client_libraries_give_up_at_once_on_a_spent_budget() -> None:
    """Both wait out `retry-after` otherwise: one of them until midnight."""
    text, oversight = spent()
    with wired(provider, oversight=oversight) as town:
        url = f"http://127.0.0.1:{town.port}"
        with openai.OpenAI(base_url=f"{url}/v1", api_key=text, max_retries=4) as client:
            headers = quickly(
                town, partial(client.chat.completions.create, model="m", messages=ASK), openai.RateLimitError
            )
            assert headers["freehold-error"] == "budget_spent"
            assert int(headers["retry-after"]) > 0
        with anthropic.Anthropic(base_url=url, api_key=text, max_retries=4) as other:
            say = partial(other.messages.create, model="c", max_tokens=3, messages=ASK)
            assert quickly(town, say, anthropic.RateLimitError)["x-should-retry"] == "false"
        assert town.upstream.seen == []


def test_a_budget_that_ends_with_the_minute_is_waited_out() -> None:
    near = RefusedError(429, "budget_spent", "x", retry_after_s=30)
    assert b"x-should-retry" not in dict(reply(near, "openai-chat")[0])
    assert json.loads(reply(near, "openai-chat")[1])["error"]["code"] == "budget_spent"


def test_a_refusal_that_waiting_cannot_mend_ends_the_connection() -> None:
    """Who reads until the end of the connection is not kept waiting, and a refused client holds none open."""
    text, oversight = spent()
    body = json.dumps({"model": "m", "messages": ASK}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {text}\r\n"
    with wired(provider, oversight=oversight) as town:
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", town.port), timeout=20) as line:
            line.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            got = b""
            while more := line.recv(65536):
                got += more
    assert got.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nconnection: close\r\n" in got
    assert time.monotonic() - started < 15
