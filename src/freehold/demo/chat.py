"""The shapes of OpenAI's chat completions: whole answers, streamed chunks, usage and errors.

Only what a plain text answer needs. Tools, images, several choices and log-probabilities are not simulated, and token
counts are an estimate by the length of the text.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MODEL: Final = "rented-large-1"
FINGERPRINT: Final = "fp_simulated"

_CHARS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_PIECE = re.compile(r"\s*[^\W\d_]{1,6}|\s*\d{1,3}|\s*[^\w\s]{1,3}|\s*_|\s+")

Body = dict[str, object]


@dataclass(frozen=True)
class ChatRequest:
    """What the provider reads from a request body."""

    text: str
    """the last user message"""
    prompt_tokens: int
    is_stream: bool
    with_usage: bool


class RefusedError(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.kind = status, message, param, code, kind

    def body(self) -> Body:
        """The JSON body of the error."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def read_request(raw: bytes) -> ChatRequest:
    """Parse a request body; RefusedError says what is wrong with it."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise RefusedError(400, "We could not parse the JSON body of your request.") from problem
    if not isinstance(body, dict):
        raise RefusedError(400, f"The body has to be a JSON object, not {type(body).__name__}.")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RefusedError(400, "You must provide a model parameter.", "model")
    if model != MODEL:
        raise RefusedError(
            404,
            f"The model {model!r} does not exist; this simulated provider has {MODEL!r}.",
            "model",
            "model_not_found",
        )
    if body.get("n") not in (None, 1):
        raise RefusedError(400, "This simulated provider gives one choice only.", "n", "unsupported_value")
    options = body.get("stream_options")
    return ChatRequest(
        text=_last_user_text(body.get("messages")),
        prompt_tokens=_prompt_tokens(body),
        is_stream=body.get("stream") is True,
        with_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def pieces(text: str) -> list[str]:
    """Cut an answer into pieces of about one token each; joined again they are the answer."""
    return _PIECE.findall(text)


def usage(prompt_tokens: int, completion_tokens: int) -> Body:
    """The usage object of an answer."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def completion(name: str, text: str, prompt_tokens: int) -> Body:
    """A whole answer. `name` is its id."""
    message: Body = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    return {
        **_head(name, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage(prompt_tokens, len(pieces(text))),
    }


def chunks(name: str, text: str, prompt_tokens: int, *, with_usage: bool) -> Iterator[bytes]:
    """The events of a streamed answer: role, one per piece, the finish, the usage if asked for, and [DONE]."""
    head = _head(name, "chat.completion.chunk") | ({"usage": None} if with_usage else {})

    def event(delta: Mapping[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice]})

    yield event({"role": "assistant", "content": "", "refusal": None})
    cut = pieces(text)
    for piece in cut:
        yield event({"content": piece})
    yield event({}, "stop")
    if with_usage:
        yield _event({**head, "choices": [], "usage": usage(prompt_tokens, len(cut))})
    yield b"data: [DONE]\n\n"


def models() -> Body:
    """The list of models: one."""
    return {
        "object": "list",
        "data": [{"id": MODEL, "object": "model", "created": 1_763_000_000, "owned_by": "simulated"}],
    }


def _head(name: str, kind: str) -> Body:
    return {
        "id": name,
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _event(body: Body) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _last_user_text(listed: object) -> str:
    if not isinstance(listed, list) or not listed:
        raise RefusedError(400, "'messages' has to be a list with at least one message.", "messages")
    for message in reversed(listed):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    raise RefusedError(400, "There is no message with the role 'user'.", "messages")


def _text(content: object) -> str:
    """The text of a message's content, which may be given in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if parts and all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
    raise RefusedError(400, "The content of the last user message has to be text.", "messages")


def _prompt_tokens(body: Mapping[str, object]) -> int:
    listed = body.get("messages")
    texts = (
        [message.get("content") for message in listed if isinstance(message, dict)] if isinstance(listed, list) else []
    )
    chars = sum(len(text) if isinstance(text, str) else len(json.dumps(text)) for text in texts)
    chars += len(json.dumps(body["response_format"])) if "response_format" in body else 0
    return -(-chars // _CHARS_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(texts)
