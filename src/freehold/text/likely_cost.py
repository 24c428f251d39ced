"""What a call may cost, told before it is made: by the text of its request and the output that it allows.

    input     the estimate of `text.estimate`, and a quarter more; for each picture, sound or file `FILE_TOKENS`
    output    the largest limit that the request names, else an assumed one; once for each answer that it wants

An answer can still cost more: where the request names no limit and the answer is longer than assumed, where the
provider holds a part of the prompt, and where it bills more than tokens (searches, tools that it runs).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from freehold.dialects.values import BadBodyError, JsonObject, as_count
from freehold.model.exchange import Dialect, Usage
from freehold.model.price import Price, price_of
from freehold.text.estimate import ASCII_CHARS, object_tokens, stands_for_a_file

MARGIN = 1.25
FILE_TOKENS = 2000
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_SMALL_BYTES = 16 * 2**10
_LOOKED_INTO = (b"file", b"url", b"data", b"source", b"audio", b"image", b"\\u")
_BYTES_PER_TOKEN = 3.0
_PER_ANSWER = ("n", "best_of")
_TEXT_FIELDS = frozenset(("content", "text", "input", "prompt", "system", "arguments", "output"))
_FILE_FIELDS = ("file_id", "image_url", "file_url", "url")


def likely_usage(dialect: Dialect, data: JsonObject, *, assumed_output: int, body: bytes | None = None) -> Usage:
    """About the most tokens that a request may use; BadBodyError where a limit that it names is no number.

    `body` are the bytes that `data` was read from: of a small one without files the length is enough to go by.
    """
    limits = [_count(data, name) for name in _OUTPUT_LIMITS]
    output = max((limit for limit in limits if limit), default=assumed_output)
    answers = max((_count(data, name) or 1 for name in _PER_ANSWER), default=1) * _prompts(dialect, data)
    return Usage(
        input_tokens=_input_tokens(data, body),
        output_tokens=0 if dialect == "openai-embeddings" else output * answers,
    )


def most_usd(model: str | None, usage: Usage, prices: Mapping[str, Price]) -> float | None:
    """The cost of so many tokens at the highest price of each kind; None for a model without a price."""
    price = price_of(model, prices) if model is not None else None
    if price is None:
        return None
    for_input, for_output, *others = price
    return ((usage.input_tokens or 0) * max(for_input, *others, 0.0) + (usage.output_tokens or 0) * for_output) / 1e6


def _input_tokens(data: JsonObject, body: bytes | None) -> int:
    if body is not None and len(body) <= _SMALL_BYTES and not any(word in body for word in _LOOKED_INTO):
        return math.ceil(MARGIN * len(body) / (ASCII_CHARS if body.isascii() else _BYTES_PER_TOKEN))
    return math.ceil(MARGIN * object_tokens(data)) + sum(_file_tokens(data))


def _count(data: JsonObject, name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    count = as_count(value)
    if count is None:
        raise BadBodyError(f"{name} is {value!r:.40}, and no number of tokens or answers.")
    return count


def _prompts(dialect: Dialect, data: JsonObject) -> int:
    """How many prompts a completion has; each is answered."""
    prompt = data.get("prompt")
    if dialect != "openai-completions" or not isinstance(prompt, list):
        return 1
    return max(1, sum(not isinstance(item, int) for item in prompt))


def _file_tokens(data: JsonObject) -> Iterator[int]:
    """The tokens of pictures, sounds and files in a request, sent along or named by an address or an id.

    What stands where text stands is text, whatever it looks like: `text.estimate` leaves it out as a file.
    """
    waiting: list[tuple[str, object]] = [(name, data.get(name)) for name in ("messages", "input", "system", "prompt")]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, str):
            if stands_for_a_file(one):
                yield math.ceil(MARGIN * len(one) / ASCII_CHARS) if name in _TEXT_FIELDS else FILE_TOKENS
        elif isinstance(one, list):
            waiting += ((name, item) for item in one)
        elif isinstance(one, dict):
            if any(isinstance(one.get(field), str) for field in _FILE_FIELDS):
                yield FILE_TOKENS
            else:
                waiting += one.items()
