"""Streams that are not labelled as such, and errors in the middle of one, on their way through the gateway."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from fidelity.upstream import LAST_CHUNK, End, Seen, chunk, plain
from hypothesis import given
from hypothesis import strategies as st
from wired import wired

from freehold.gateway.config import GatewaySettings
from freehold.gateway.provider.passage import Passage

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "stream": True, "stream_options": {"include_usage": True}, "messages": []}
TYPES = [b"application/json", b"text/readystream", b"application/octet-stream", b"text/plain", b""]


def piece(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m-1", "choices": [choice]}).encode()


EVENTS = [piece("ref"), piece("und", "stop"), b"data: [DONE]\n\n"]


def head(kind: bytes, more: bytes = b"") -> bytes:
    named = b"content-type: " + kind + b"\r\n" if kind else b""
    return b"HTTP/1.1 200 OK\r\n" + named + more + b"transfer-encoding: chunked\r\n\r\n"


class Reader:
    """A client that reads a chunked response as it comes."""

    def __init__(self, port: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        lines = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._socket.sendall(lines % (CHAT.encode(), len(raw)) + raw)
        self.got = b""

    def wait_for(self, mark: bytes) -> None:
        """Read until this has come."""
        while mark not in self.got:
            more = self._socket.recv(65536)
            assert more, self.got
            self.got += more

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_a_stream_of_any_type_passes_event_by_event(kind: bytes, is_packed: bool) -> None:
    """Each part goes out only when the client has the one before."""
    has = threading.Semaphore(0)

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        yield head(kind, b"content-encoding: gzip\r\n" if is_packed else b"")
        for event in EVENTS:
            part = gzip.compress(event) if is_packed else event
            yield chunk(part)
            if event is not EVENTS[-1]:
                await asyncio.to_thread(has.acquire)
        yield LAST_CHUNK

    with wired(script) as town:
        reader = Reader(town.port, ASK)
        for event in EVENTS[:-1]:
            reader.wait_for(gzip.compress(event)[-8:] if is_packed else event)
            has.release()
        reader.wait_for(b"0\r\n\r\n")
        reader.close()
        call = town.shelf.wait_for(lambda call: True)
        assert (call.is_stream, call.error, call.finish_reason) == (True, None, "stop")
        assert json.loads(call.response_body)["choices"][0]["message"]["content"] == "refund"


@pytest.mark.parametrize("kind", TYPES)
def test_its_closing_event_waits_for_the_record(kind: bytes) -> None:
    with wired(lambda seen: _all_at_once(kind), settings=GatewaySettings(record_wait_s=20)) as town:
        town.shelf.gate.clear()
        reader = Reader(town.port, ASK)
        reader.wait_for(EVENTS[1])
        assert town.shelf.entered.wait(20)
        assert b"[DONE]" not in reader.got
        town.shelf.gate.set()
        reader.wait_for(b"[DONE]")
        reader.close()


async def _all_at_once(kind: bytes) -> AsyncIterator[bytes | End]:
    yield head(kind)
    yield chunk(b"".join(EVENTS))
    yield LAST_CHUNK


def test_what_is_no_stream_is_held_as_before() -> None:
    """The last part of a plain answer waits for the record, also where a stream was asked for."""
    whole = json.dumps({"choices": [{"message": {"content": "refund"}, "finish_reason": "stop"}]}).encode()

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        yield plain(whole)

    with wired(script, settings=GatewaySettings(record_wait_s=20)) as town:
        town.shelf.gate.clear()
        reader = Reader(town.port, ASK)
        assert town.shelf.entered.wait(20)
        assert b"refund" not in reader.got
        town.shelf.gate.set()
        reader.wait_for(b"refund")
        assert b"content-length: %d" % len(whole) in reader.got
        reader.close()
        assert not town.shelf.calls[0].is_stream


STREAM = b"\n\n" + b"".join(EVENTS)


BEGUN = [STREAM, b"\xef\xbb\xbf" + STREAM[2:], b" " + STREAM]


@given(st.sets(st.integers(1, len(STREAM) - 1), max_size=12), st.sampled_from(BEGUN))
def test_any_split_gives_the_same_bytes(cuts: set[int], whole: bytes) -> None:
    passage = Passage("openai-chat", encoding="", is_stream=False, may_be_stream=True, limit_bytes=10**6, strip=None)
    places = sorted(cut for cut in cuts if cut < len(whole))
    passed = b"".join(passage.take(whole[a:b]) for a, b in zip([0, *places], [*places, len(whole)], strict=True))
    assert passage.is_stream
    assert passage.is_ended
    assert passed + passage.held == whole
    assert passage.held != b"", "something of the closing event is held"


NONE = [b"", b"d", b"dat", b"{}", b"  \n", b"dating", b"\xef\xbb", b"\xef\xbb\xbf{}", b"even", b"[1]", b"<html>"]


@pytest.mark.parametrize("body", NONE)
def test_what_does_not_begin_as_a_stream_is_none_and_nothing_of_it_is_lost(body: bytes) -> None:
    passage = Passage("openai-chat", encoding="", is_stream=False, may_be_stream=True, limit_bytes=10**6, strip=None)
    passed = b"".join(passage.take(body[n : n + 1]) for n in range(len(body))) + passage.rest()
    assert (passed, passage.kept, passage.is_stream) == (body, body, False)


# a provider's error in mid-stream


def _sdk_error_cases() -> list[tuple[str, str, list[bytes]]]:
    error = b'data: {"error": {"message": "overloaded", "code": 502}}\n\n'
    empty = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None}
    begun = {"type": "message_start", "message": {**empty, "usage": {"input_tokens": 3, "output_tokens": 1}}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}
    broke = {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}
    named = [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in (begun, block, delta, broke)]
    return [("openai", "openai-chat", [piece("half"), error]), ("anthropic", "anthropic-messages", named)]


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize(("library", "dialect", "events"), _sdk_error_cases())
def test_an_error_on_which_the_client_hangs_up_is_the_providers(
    library: str, dialect: str, events: list[bytes], goes_on: bool
) -> None:
    """The libraries close the connection at an error event; the provider may send more, or wait."""
    gone = threading.Event()

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        yield head(b"text/event-stream")
        for event in events:
            yield chunk(event)
        if goes_on:
            await asyncio.to_thread(gone.wait, 20)
        yield chunk(b"data: [DONE]\n\n")
        yield LAST_CHUNK

    with wired(script) as town:
        url = f"http://127.0.0.1:{town.port}"
        if library == "openai":
            with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
                streamed = client.chat.completions.create(**ASK)
                with pytest.raises(openai.APIError, match="overloaded"):
                    list(streamed)
                streamed.close()
        else:
            with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as other:
                asked: Any = [{"role": "user", "content": "x"}]
                said = other.messages.create(model="c", max_tokens=9, messages=asked, stream=True)
                with pytest.raises(anthropic.APIStatusError, match="overloaded"):
                    list(said)
                said.close()
        call = town.shelf.wait_for(lambda call: True)
        gone.set()
        assert (call.error, call.dialect, call.status) == ("upstream_error", dialect, 200)
        assert b"half" in call.response_body


def test_a_client_that_leaves_before_the_error_is_gone() -> None:
    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        yield head(b"text/event-stream")
        yield chunk(piece('the word "error" is no error'))
        await asyncio.sleep(60)

    with wired(script) as town:
        reader = Reader(town.port, ASK)
        reader.wait_for(b"no error")
        reader.close()
        call = town.shelf.wait_for(lambda call: True)
        assert (call.error, call.is_estimated) == ("client_gone", True)
