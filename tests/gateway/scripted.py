"""A scripted provider and engine for the gateway's tests: real HTTP on loopback, no waiting, no randomness.

The script is chosen by the request's model (`chat`, `limited`, `cut`, ...) or, for an engine, by the last user message.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

from freehold.gateway.app import Gateway
from freehold.gateway.server import listen, serve
from freehold.httpd.server import Limits
from freehold.model import Call
from freehold.record import Exchange, GoneError, read_exchange

WAIT_S = 20.0
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "chat-2026-01-01",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Grüße – refund", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 4,
        "total_tokens": 24,
        "prompt_tokens_details": {"cached_tokens": 8},
    },
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "model": "chat-2026-01-01",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "refund", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 11,
    },
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "refund"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 5},
}


def chat_chunks(*, with_usage: bool) -> list[dict[str, Any]]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "chat-2026-01-01"}
    usage = {"usage": None} if with_usage else {}
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in ("Grüße", " – ", "refund")]
    deltas.append(({}, "stop"))
    chunks = [{**head, "choices": [{"index": 0, "delta": d, "finish_reason": f}], **usage} for d, f in deltas]
    if with_usage:
        chunks.append({**head, "choices": [], "usage": CHAT["usage"]})
    return chunks


def tool_chunks() -> list[dict[str, Any]]:
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1700000000, "model": "chat-2026-01-01"}

    def call(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
        first = {"id": f"call_{index}", "type": "function"} if name else {}
        function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
        return {"tool_calls": [{"index": index, **first, "function": function}]}

    deltas = [
        {"role": "assistant", "content": None},
        call(0, "", "look_up"),
        call(1, "", "refund"),
        call(0, '{"order"'),
        call(1, '{"eur": 5}'),
        call(0, ": 7}"),
    ]
    chunks = [{**head, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    return [*chunks, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]


def message_events() -> list[tuple[str, dict[str, Any]]]:
    begun = {**MESSAGE, "content": [], "stop_reason": None, "usage": {**MESSAGE["usage"], "output_tokens": 1}}
    return [
        ("message_start", {"message": begun}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("ping", {}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "ref"}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "und"}}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}}),
        ("message_stop", {}),
    ]


def response_events() -> list[tuple[str, dict[str, Any]]]:
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    item = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    return [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": {**RESPONSE["output"][0], "content": []}}),
        ("response.content_part.added", {**item, "part": {"type": "output_text", "text": "", "annotations": []}}),
        ("response.output_text.delta", {**item, "delta": "refund", "logprobs": []}),
        ("response.completed", {"response": RESPONSE}),
    ]


def as_sse(events: list[tuple[str, dict[str, Any]]]) -> list[bytes]:
    """Named events, numbered as the responses API does."""
    numbered = enumerate(events)
    return [
        f"event: {name}\ndata: {json.dumps({'type': name, 'sequence_number': n, **data})}\n\n".encode()
        for n, (name, data) in numbered
    ]


def as_data(chunks: list[dict[str, Any]], *, done: bool = True) -> list[bytes]:
    """Chat chunks, ended as OpenAI ends them."""
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode() for chunk in chunks]
    return lines + ([b"data: [DONE]\n\n"] if done else [])


class Scripted:
    """The ASGI application; `seen` holds every request that came, `gone` is set when a client hung up."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.gone = threading.Event()
        self.release = threading.Event()
        self._came = threading.Event()

    def wait_for_request(self) -> None:
        """Return once a request has come; fails when none comes in time."""
        assert self._came.wait(WAIT_S), "no request came"

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        headers = dict(scope["headers"])
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        self.seen.append({"method": scope["method"], "target": target, "headers": headers, "body": body})
        self._came.set()
        try:
            data = json.loads(body)
        except ValueError:
            data = {}
        await self._answer(scope["path"], headers, data if isinstance(data, dict) else {}, body, receive, send)

    async def _answer(
        self, path: str, headers: Any, data: dict[str, Any], body: bytes, receive: Any, send: Any
    ) -> None:
        model = str(data.get("model"))
        if model == "limited":
            extra = [(b"retry-after", b"17"), (b"x-ratelimit-remaining-requests", b"0")]
            error = {"error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit"}}
            await _reply(send, json.dumps(error).encode(), status=429, extra=extra)
        elif model == "gzip" and data.get("stream"):
            packed = gzip.compress(b"".join(as_data(chat_chunks(with_usage=False))))
            pieces = [packed[n : n + 40] for n in range(0, len(packed), 40)]
            await _stream(send, pieces, extra=[(b"content-encoding", b"gzip")])
        elif model == "gzip":
            await _reply(send, gzip.compress(json.dumps(CHAT).encode()), extra=[(b"content-encoding", b"gzip")])
        elif model == "cut":
            await _stream(send, as_data(chat_chunks(with_usage=False))[:3], ends=False)
        elif model == "cut-plain":
            whole = json.dumps(CHAT).encode()
            await _reply(send, whole[:40], length=len(whole), ends=False)
        elif model == "endless":
            await self._endless(receive, send)
        elif model == "slow":
            await asyncio.to_thread(self.release.wait, WAIT_S)
            await _reply(send, json.dumps(CHAT).encode())
        elif model == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone.set()
        elif path.endswith("/chat/completions") and data.get("messages") and _engine_word(data):
            await self._engine(_engine_word(data), receive, send)
        elif data.get("stream"):
            await _stream(send, _stream_of(path, data))
        else:
            await _reply(send, _plain(path, body), extra=[(b"x-request-id", b"req_1"), (b"set-cookie", b"a=1")])

    async def _endless(self, receive: Any, send: Any) -> None:
        lines = as_data(chat_chunks(with_usage=False))[:2]
        await _stream(send, lines, ends=False)
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def _engine(self, word: str, receive: Any, send: Any) -> None:
        if word == "broken":
            await _reply(send, b"no", status=500)
        elif word == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            logprob = -0.001 if word == "sure" or word.startswith("say ") else -3.0
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": word.partition("say ")[2] or '{"intent": "local"}'},
                "finish_reason": "length" if word == "cut" else "stop",
                "logprobs": {"content": [{"token": "x", "logprob": logprob}]},
            }
            usage = {"prompt_tokens": 3, "completion_tokens": 1}
            await _reply(send, json.dumps({"choices": [choice], "usage": usage}).encode())


def _engine_word(data: dict[str, Any]) -> str:
    """Engines are asked for the model `owned`."""
    return str(data["messages"][-1]["content"]) if data.get("model") == "owned" else ""


def _plain(path: str, body: bytes) -> bytes:
    if path == "/v1/responses":
        return json.dumps(RESPONSE).encode()
    if path == "/v1/messages":
        return json.dumps(MESSAGE, indent=1).encode()
    if path == "/v1/embeddings":
        item = {"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return json.dumps({"object": "list", "data": [item], "model": "embed", "usage": usage}).encode()
    if path == "/v1/completions":
        choice = {"text": " refund", "index": 0, "logprobs": None, "finish_reason": "stop"}
        head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "old"}
        return json.dumps({**head, "choices": [choice]}).encode()
    if path == "/v1/files":
        return b'{"id":"file-1","object":"file","bytes":6,"created_at":1,"filename":"f","purpose":"batch"}'
    if path == "/v1/models":
        return b'{"object":"list", "data":[{"id":"up-1","object":"model","created":1,"owned_by":"up"}]}'
    if path == "/v1/chat/completions":
        return json.dumps(CHAT, ensure_ascii=False).encode()
    return b"echo:" + body


def _stream_of(path: str, data: dict[str, Any]) -> list[bytes]:
    if path == "/v1/messages":
        return as_sse(message_events())
    if path == "/v1/responses":
        return as_sse(response_events())
    if data.get("tools"):
        return as_data(tool_chunks())
    options = data.get("stream_options")
    return as_data(chat_chunks(with_usage=isinstance(options, dict) and options.get("include_usage") is True))


async def _reply(
    send: Any, body: bytes, *, status: int = 200, extra: Any = (), length: int | None = None, ends: bool = True
) -> None:
    size = str(len(body) if length is None else length).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", size), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not ends})


async def _stream(send: Any, lines: list[bytes], *, extra: Any = (), ends: bool = True) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), *extra]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for line in lines:
        half = len(line) // 2  # split anywhere, also inside a character
        await send({"type": "http.response.body", "body": line[:half], "more_body": True})
        await send({"type": "http.response.body", "body": line[half:], "more_body": True})
    if ends:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Shelf:
    """A recorder in memory, read into calls at once; it can be waited on, held up, and said to be full or gone."""

    def __init__(self, prices: Any = None) -> None:
        self.calls: list[Call] = []
        self.problem: str | None = None
        self.is_full = self.is_gone = False
        self.waiting_calls = self.waiting_bytes = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self._prices = prices or {}
        self._changed = threading.Condition()

    @property
    def refuses(self) -> bool:
        return self.is_full

    def look(self) -> None:
        """A journal would be looked at here."""

    def add(self, exchange: Exchange) -> None:
        call = read_exchange(exchange, prices=self._prices, limit_bytes=64 * 2**20).call
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()

    async def commit(self, exchange: Exchange, wait_s: float) -> bool:
        self.entered.set()
        is_open = await asyncio.to_thread(self.gate.wait, wait_s)
        if self.is_gone:
            raise GoneError
        self.add(exchange)
        return is_open

    def wait_for(self, is_wanted: Callable[[Call], bool]) -> Call:
        """The first call of this kind; fails when none comes in time."""

        def found() -> Call | None:
            return next((call for call in self.calls if is_wanted(call)), None)

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, WAIT_S), "no such call was recorded"
            call = found()
            assert call is not None
            return call

    def by_id(self, call_id: str) -> Call:
        return self.wait_for(lambda call: call.id == call_id)


@contextmanager
def running(gateway: Gateway, limits: Limits) -> Iterator[int]:
    """Serve a gateway from a thread; gives its port."""
    taken = listen("127.0.0.1", 0)
    loop, ready, ending = uvloop.new_event_loop(), threading.Event(), asyncio.Event()
    work = serve(gateway, taken, limits, on_ready=ready.set, grace_s=0.2, ending=ending)
    thread = threading.Thread(target=loop.run_until_complete, args=(work,), daemon=True)
    thread.start()
    assert ready.wait(WAIT_S)
    try:
        yield int(taken.getsockname()[1])
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(WAIT_S)
        loop.close()


@contextmanager
def served(app: Any, *, lifespan: str = "off") -> Iterator[int]:
    """Serve an ASGI application from a thread; gives its port. Stops at once, unlike `uvicorn.Server.run`."""
    taken = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan=lifespan, log_config=None, date_header=False, server_header=False
    )
    loop = config.get_loop_factory()()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(config, taken, stop),), daemon=True)
    thread.start()
    try:
        yield int(taken.getsockname()[1])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
        loop.close()
        taken.close()


async def _serve(config: uvicorn.Config, taken: socket.socket, stop: asyncio.Event) -> None:
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[taken])
    await stop.wait()
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=WAIT_S)
    await server.lifespan.shutdown()
