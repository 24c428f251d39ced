"""What the two providers' APIs answer to their own SDKs, byte by byte: enough of each for the SDK to read it.

Not covered: thinking. Every answer is the same every time, so that two ways of asking can be compared.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fidelity.upstream import LAST_CHUNK, SSE_HEAD, End, Seen, chunk, plain

TEXT = "Grüße 😀 refund"
USAGE = {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24, "prompt_tokens_details": {"cached_tokens": 8}}
_LOGPROBS = {"content": [{"token": "G", "logprob": -0.25, "bytes": [71], "top_logprobs": []}], "refusal": None}
_HEAD = {"id": "chatcmpl-1", "created": 1700000000, "model": "gpt-x-2026-01-01", "system_fingerprint": "fp_1"}
_TOOLS = ("look_up", '{"order": 7}'), ("refund", '{"eur": "5 €"}')
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_sequence": None}
_BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": TEXT},
    {"type": "tool_use", "id": "toolu_1", "name": "refund", "input": {"eur": "5 €"}},
]
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "model": "gpt-x",
    "output": [
        {
            "id": "m1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11},
}
_FILE = {"id": "file-1", "object": "file", "bytes": 6, "created_at": 1, "filename": "f", "purpose": "batch"}
_BATCH = {
    "id": "b1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-1",
    "status": "done",
}
_MESSAGE_BATCH = {
    "id": "mb1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"succeeded": 1},
}
_MODEL = {"id": "gpt-x", "object": "model", "created": 1, "owned_by": "me", "type": "model", "display_name": "X"}
_JOB = {"id": "ft-1", "object": "fine_tuning.job", "model": "gpt-x", "status": "queued", "training_file": "file-1"}
_RESULT = {"custom_id": "a", "result": {"type": "succeeded", "message": {**_MESSAGE, "content": []}}}
BINARY = bytes(range(256)) * 40


def _listed(item: object) -> dict[str, object]:
    return {"object": "list", "data": [item], "has_more": False, "first_id": "a", "last_id": "a"}


_ANSWERS: Mapping[tuple[str, str], object] = {
    ("POST", "/v1/responses"): _RESPONSE,
    ("GET", "/v1/responses/resp_1"): _RESPONSE,
    ("POST", "/v1/completions"): {
        "id": "cmpl-1",
        "object": "text_completion",
        "model": "old",
        "choices": [{"index": 0, "text": TEXT, "finish_reason": "stop"}],
    },
    ("POST", "/v1/embeddings"): {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1e-7]}],
        "model": "embed",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    },
    ("POST", "/v1/images/generations"): {"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}]},
    ("POST", "/v1/images/edits"): {"created": 1, "data": [{"url": "https://images.example/1"}]},
    ("POST", "/v1/files"): _FILE,
    ("GET", "/v1/files"): _listed(_FILE),
    ("GET", "/v1/files/file-1/content"): BINARY,
    ("DELETE", "/v1/files/file-1"): {"id": "file-1", "object": "file", "deleted": True},
    ("POST", "/v1/audio/transcriptions"): {"text": TEXT},
    ("POST", "/v1/audio/speech"): BINARY,
    ("POST", "/v1/batches"): _BATCH,
    ("GET", "/v1/batches/b1"): _BATCH,
    ("POST", "/v1/batches/b1/cancel"): _BATCH,
    ("GET", "/v1/models"): _listed(_MODEL),
    ("GET", "/v1/models/gpt-x"): _MODEL,
    ("POST", "/v1/moderations"): {"id": "mod", "model": "m", "results": []},
    ("POST", "/v1/fine_tuning/jobs"): _JOB,
    ("POST", "/v1/messages/count_tokens"): {"input_tokens": 12},
    ("POST", "/v1/messages/batches"): _MESSAGE_BATCH,
    ("GET", "/v1/messages/batches/mb1"): {**_MESSAGE_BATCH, "results_url": "/v1/messages/batches/mb1/results"},
    ("GET", "/v1/messages/batches/mb1/results"): (json.dumps(_RESULT) + "\n").encode(),
}
HEADERS = ((b"x-request-id", b"req_1"), (b"request-id", b"req_2"), (b"x-ratelimit-remaining-requests", b"59"))


async def answer(seen: Seen) -> AsyncIterator[bytes | End]:
    """The script: what the API answers to this request; a stream has one write for each event."""
    path = seen.target.decode().partition("?")[0]
    if seen.data.get("stream"):
        yield SSE_HEAD
        for event in _STREAMS[path](seen.data):
            yield chunk(event)
        yield LAST_CHUNK
        return
    if path == "/v1/chat/completions":
        body: object = chat(seen.data)
    elif path == "/v1/messages":
        blocks = _BLOCKS if seen.data.get("tools") else _BLOCKS[1:2]
        body = {
            **_MESSAGE,
            "content": blocks,
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 7, "output_tokens": 2},
        }
    else:
        body = _ANSWERS[seen.method, path]
    if isinstance(body, bytes):
        yield plain(body, kind=b"application/octet-stream", headers=HEADERS)
    else:
        yield plain(json.dumps(body, ensure_ascii=False).encode(), headers=HEADERS)


def chat(data: dict[str, Any]) -> dict[str, Any]:
    """A chat completion for this request: tools where it has tools, as many choices as it wants."""
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None}
    finish = "stop"
    if data.get("tools"):
        calls = [_tool_call(n, name, text) for n, (name, text) in enumerate(_TOOLS)]
        message, finish = {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
    logprobs = _LOGPROBS if data.get("logprobs") else None
    choices = [
        {"index": n, "message": message, "logprobs": logprobs, "finish_reason": finish}
        for n in range(data.get("n") or 1)
    ]
    return {**_HEAD, "object": "chat.completion", "choices": choices, "usage": USAGE}


def _tool_call(n: int, name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}


def chat_stream(data: dict[str, Any]) -> list[bytes]:
    """The same as a stream: usage only where it was asked for."""
    deltas: list[tuple[int, dict[str, Any], str | None]] = []
    for n in range(data.get("n") or 1):
        deltas.append((n, {"role": "assistant", "content": None if data.get("tools") else ""}, None))
        if not data.get("tools"):
            deltas += [(n, {"content": piece}, None) for piece in TEXT] + [(n, {}, "stop")]
    if data.get("tools"):
        for n, (name, _) in enumerate(_TOOLS):
            deltas.append((0, {"tool_calls": [{"index": n, **_tool_call(n, name, "")}]}, None))
        for pieces in zip(*(arguments.partition(":") for _, arguments in _TOOLS), strict=True):
            calls = [{"index": n, "function": {"arguments": piece}} for n, piece in enumerate(pieces)]
            deltas += [(0, {"tool_calls": [call]}, None) for call in calls]
        deltas.append((0, {}, "tool_calls"))
    wants_usage = (data.get("stream_options") or {}).get("include_usage")
    head = {**_HEAD, "object": "chat.completion.chunk"}
    logprobs = {"logprobs": _LOGPROBS} if data.get("logprobs") else {}
    usage = {"usage": None} if wants_usage else {}
    chunks = [
        {**head, "choices": [{"index": n, "delta": delta, "finish_reason": finish, **logprobs}], **usage}
        for n, delta, finish in deltas
    ]
    if wants_usage:
        chunks.append({**head, "choices": [], "usage": USAGE})
    return [b": ping\n\n", *(_event(item) for item in chunks), b"data: [DONE]\n\n"]


def _event(data: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _message_stream(data: dict[str, Any]) -> list[bytes]:
    blocks = _BLOCKS if data.get("tools") else _BLOCKS[1:2]
    usage = {"input_tokens": 7, "output_tokens": 1}
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": {**_MESSAGE, "content": [], "stop_reason": None, "usage": usage}})
    ]
    for n, block in enumerate(blocks):
        kind = block["type"]
        if kind == "tool_use":
            empty, deltas = (
                {**block, "input": {}},
                [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}],
            )
        else:
            field = "text" if kind == "text" else "thinking"
            empty = {**block, field: ""}
            deltas = [{"type": f"{field}_delta", field: piece} for piece in block[field]]
        events.append(("content_block_start", {"index": n, "content_block": empty}))
        events += [("content_block_delta", {"index": n, "delta": delta}) for delta in deltas]
        events += [("ping", {}), ("content_block_stop", {"index": n})]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [("message_delta", {"delta": end, "usage": {"output_tokens": 2}}), ("message_stop", {})]
    return [_event({"type": name, **fields}, name) for name, fields in events]


def _response_stream(_: dict[str, Any]) -> list[bytes]:
    item = {"output_index": 0, "item_id": "m1", "content_index": 0}
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": {**_RESPONSE, "status": "in_progress", "output": []}}),
        ("response.output_text.delta", {**item, "delta": TEXT, "logprobs": []}),
        ("response.completed", {"response": _RESPONSE}),
    ]
    numbered = enumerate(events)
    return [_event({"type": name, "sequence_number": n, **fields}, name) for n, (name, fields) in numbered]


def _text_stream(_: dict[str, Any]) -> list[bytes]:
    head = {"id": "cmpl-1", "object": "text_completion", "model": "old"}
    events = [_event({**head, "choices": [{"index": 0, "text": piece, "finish_reason": None}]}) for piece in TEXT]
    return [*events, b"data: [DONE]\n\n"]


_STREAMS: Mapping[str, Callable[[dict[str, Any]], list[bytes]]] = {
    "/v1/chat/completions": chat_stream,
    "/v1/messages": _message_stream,
    "/v1/responses": _response_stream,
    "/v1/completions": _text_stream,
}
