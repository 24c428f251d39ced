"""Traffic made from the providers' documents: one exchange each, with what is to be read of it.

A stream is written event by event as its provider writes it. Not covered: the providers' errors before an answer; they
pass as they come.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from freehold.dialects.endings import Ending

CHAT, RESPONSES, MESSAGES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"
Tools = list[tuple[str, str]]


@dataclass(frozen=True)
class Reading:
    """What is to be read of an exchange; `usage` is (input, cached, output), `error` a part of the provider's words."""

    text: str = ""
    thought: str = ""
    tools: Tools = field(default_factory=list)
    ending: Ending = "complete"
    usage: tuple[int | None, int | None, int | None] = (None, None, None)
    model: str | None = None
    error: str = ""
    is_refusal: bool = False
    call_error: str | None = None


@dataclass(frozen=True)
class Recorded:
    """One exchange: the request's body, the raw response, and its reading."""

    name: str
    path: str
    request: dict[str, Any]
    raw: bytes
    reading: Reading
    kind: str = "application/json"
    is_packed: bool = False

    @property
    def is_stream(self) -> bool:
        """The client asked for a stream."""
        return self.request.get("stream") is True


def ask(model: str, *, stream: bool = False, **more: Any) -> dict[str, Any]:
    """A chat request."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Where is my parcel?"}], **more}
    return {**body, "stream": True} if stream else body


def whole(name: str, request: dict[str, Any], body: dict[str, Any], reading: Reading, *, path: str = CHAT) -> Recorded:
    """An exchange whose answer is one JSON body."""
    return Recorded(name, path, request, json.dumps(body, ensure_ascii=False).encode(), reading)


def streamed(
    name: str,
    request: dict[str, Any],
    events: list[dict[str, Any] | str],
    reading: Reading,
    *,
    path: str = CHAT,
    done: bool = True,
    names: bool = False,
    kind: str = "text/event-stream",
    end: str = "\n",
) -> Recorded:
    """An exchange whose answer is a stream; a text among the events stands in it as it is."""
    raw = ""
    for event in events:
        if isinstance(event, str):
            raw += event
            continue
        named = f"event: {event['type']}{end}" if names else ""
        raw += f"{named}data: {json.dumps(event, ensure_ascii=False)}{end}{end}"
    raw += f"data: [DONE]{end}{end}" if done else ""
    return Recorded(name, path, request, raw.encode(), reading, kind)


@dataclass(frozen=True)
class Head:
    """What every chunk of a provider begins with."""

    fields: dict[str, Any]

    def chunk(self, delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
        """A chunk with one choice; `more` stands beside the choices, `choice` in it."""
        choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, **more.pop("choice", {})}
        return {**self.fields, "choices": [choice], **more}

    def bare(self, **more: Any) -> dict[str, Any]:
        """A chunk without choices."""
        return {**self.fields, "choices": [], **more}

    def body(self, message: dict[str, Any], finish: str | None, usage: Any, **more: Any) -> dict[str, Any]:
        """The whole completion."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", **message},
            "finish_reason": finish,
            **more.pop("choice", {}),
        }
        head = {**self.fields, "object": "chat.completion"}
        return {**head, "choices": [choice], **({"usage": usage} if usage is not None else {}), **more}


def head(model: str, **more: Any) -> Head:
    """The fields of a chat completion chunk."""
    return Head(
        {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": model, **more}
    )


def tokens(prompt: int, completion: int, total: int | None = None, **more: Any) -> dict[str, Any]:
    """Usage in OpenAI's manner."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total or prompt + completion,
        **more,
    }


def tool(name: str, arguments: Any, call_id: str | None = "call_1", **more: Any) -> dict[str, Any]:
    """A tool call, or a delta of one."""
    first = {} if call_id is None else {"id": call_id, "type": "function"}
    return {**more, **first, "function": {**({"name": name} if name else {}), "arguments": arguments}}
