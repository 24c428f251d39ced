"""A stranger's body is not read: who brings no key is answered by the head of the request, before its body."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from fidelity.upstream import End, Seen, plain
from wired import WAIT_S, Wired, wired

from freehold.gateway.keys.admission import Admission
from freehold.gateway.oversight import Oversight
from freehold.httpd import request as http_request
from freehold.httpd.request import Request
from freehold.model.key import Key, key_hash, key_id, new_key_text

DECLARED = 50 * 2**20
SENT = b"x" * 2**16


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    yield plain(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


@contextmanager
def guarded() -> Iterator[tuple[Wired, str]]:
    """A gateway that asks for keys, and the one key that it knows."""
    text = new_key_text()
    key = Key(id=key_id(text) or "", name="app", sha256=key_hash(text), created_at=time.time())
    admission = Admission(is_required=True)
    admission.load([key], {})
    with wired(provider, oversight=Oversight(admission=admission)) as town:
        yield town, text


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all parts of bodies that the gateway keeps."""
    sizes: list[int] = []
    plain_add = http_request.Request.add

    def add(request: Request, chunk: bytes) -> bool:
        sizes.append(len(chunk))
        return plain_add(request, chunk)

    monkeypatch.setattr(http_request.Request, "add", add)
    return sizes


def answer_to_head(port: int, head: bytes, sent: bytes = SENT) -> bytes:
    """What comes back to a head and a beginning of its body; the rest of the body is never sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection:
        connection.sendall(head + sent)
        answer = b""
        while part := connection.recv(2**16):
            answer += part
    return answer


def head_of(target: str, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "target", ["/v1/chat/completions", "/v1//files", "http://127.0.0.1/v1/messages", "/openai/v1/responses"]
)
@pytest.mark.parametrize("length", [f"content-length: {DECLARED}", "transfer-encoding: chunked"])
@pytest.mark.parametrize("key", ["", "authorization: Bearer sk-of-mine", "x-api-key: fhk_00000000_short"])
def test_a_body_without_a_key_is_answered_before_it_has_come(
    kept: list[int], target: str, length: str, key: str
) -> None:
    with guarded() as (town, _):
        sent = b"10000\r\n" + SENT + b"\r\n" if "chunked" in length else SENT
        answer = answer_to_head(town.port, head_of(target, length, *([key] if key else [])), sent)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in answer
        assert kept == []
        assert town.upstream.seen == []


def test_nobody_is_told_to_go_on_with_a_body_that_is_not_wanted() -> None:
    with guarded() as (town, _):
        head = head_of("/v1/chat/completions", f"content-length: {DECLARED}", "expect: 100-continue")
        assert answer_to_head(town.port, head, b"").startswith(b"HTTP/1.1 401 ")


def test_who_has_a_key_is_read_and_answered(kept: list[int]) -> None:
    with guarded() as (town, text):
        body = {"model": "m", "messages": [{"role": "user", "content": "x" * 100_000}]}
        status, _, _ = town.ask("/v1/chat/completions", body, {"authorization": f"Bearer {text}"})
        assert status == 200
        assert sum(kept) > 100_000


def test_what_is_no_call_takes_no_large_body(kept: list[int]) -> None:
    """On this machine pages take small bodies without a key; nothing takes a large one."""
    with guarded() as (town, _):
        answer = answer_to_head(town.port, head_of("/tasks", f"content-length: {DECLARED}"))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert kept == []
