"""How an engine is asked for an owned answer, and how its answer is read.

One shape for proof and for live traffic, so that what was proven is what is served: chat completions, temperature 0,
logprobs on, control tokens escaped on the way there and mended on the way back.

The URL of an engine of our own holds its key, as `http://:KEY@127.0.0.1:PORT`: it is a secret, and is shown nowhere.
Not covered: the HTTP itself (`serve.ask`, `gateway`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from freehold.model.prompt import Prompt
from freehold.text.chatml import turns, unescape
from freehold.text.json_tokens import Token, value_logprobs


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedAnswer:
    """What the owned model answered; `logprobs` holds the natural-log probability of each generated token.

    `value_logprobs` are those of them that lie in the values of a JSON answer: empty where they cannot be told from the
    others, None for an answer that was kept before they were looked for. `is_whole` is False when the answer was cut by
    `max_tokens`; such an answer is never used.
    """

    text: str
    logprobs: tuple[float, ...] = ()
    value_logprobs: tuple[float, ...] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0
    is_whole: bool = True


def with_key(url: str, key: str) -> str:
    """The URL of an engine with its key.

    >>> with_key("http://127.0.0.1:80", "abc")
    'http://:abc@127.0.0.1:80'
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}:{key}@{rest}"


def key_headers(url: str) -> dict[str, str]:
    """The headers that open an engine; none where its URL has no key.

    >>> key_headers("http://:abc@127.0.0.1:80"), key_headers("http://127.0.0.1:80")
    ({'authorization': 'Bearer abc'}, {})
    """
    key = urlsplit(url).password
    return {"authorization": f"Bearer {key}"} if key else {}


NOT_ASKED = OwnedAnswer(text="", is_whole=False)
"""What stands for the answer to a call about which no owned model is asked."""


def owned_body(prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
    """The request body that asks an engine for one greedy answer with its logprobs."""
    return {
        "model": "owned",
        "messages": turns(prompt.messages),
        "temperature": 0,
        "max_tokens": max_tokens,
        "logprobs": True,
        "top_logprobs": 1,
        "stream": False,
        "cache_prompt": False,
    }


def read_owned(body: bytes, *, latency_ms: float) -> OwnedAnswer:
    """Read an engine's chat completion; ValueError when it is not one."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        text = choice["message"]["content"] or ""
        usage = data.get("usage") or {}
        content = (choice.get("logprobs") or {}).get("content") or []
        tokens = [_token(entry) for entry in content]
        logprobs = tuple(logprob for _, logprob in tokens)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not a chat completion: {body[:200]!r}") from error
    return OwnedAnswer(
        text=unescape(text),
        logprobs=logprobs,
        value_logprobs=value_logprobs(text, tokens),
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or len(logprobs)),
        latency_ms=latency_ms,
        is_whole=choice.get("finish_reason") == "stop",
    )


def _token(entry: dict[str, Any]) -> Token:
    """One entry of an engine's `logprobs`; its bytes are right even where a character is split over tokens."""
    logprob, spelled = float(entry["logprob"]), entry.get("bytes")
    if isinstance(spelled, list):
        return bytes(spelled), logprob
    return str(entry.get("token") or "").encode("utf-8", "surrogatepass"), logprob
