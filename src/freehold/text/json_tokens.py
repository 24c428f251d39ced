"""Which tokens of a JSON answer carry its values, so that braces and field names do not dilute the confidence.

A model that learnt a fixed shape is sure of every brace and every field name, whatever the answer. What can be wrong
are the values: strings with their quotes (the opening quote decides between a string and `null`), numbers, `true`,
`false`, `null`, and empty objects and lists. Tokens are laid along the answer's UTF-8 bytes; one that lies in a value,
wholly or in part, counts.

Not covered: names of fields that an answer may leave out or add, how many elements a list has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from freehold.text.scoring import is_acceptable

Token = tuple[bytes, float]
"""A generated token: its bytes and its log probability."""

_ITEM = re.compile(
    rb'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")(?P<colon>\s*:)?|-?\d[\d.eE+-]*|true|false|null|\{\s*\}|\[\s*\]', re.DOTALL
)


def value_spans(text: str) -> list[tuple[int, int]]:
    """Where the values of this JSON text stand, as [start, end) in its UTF-8 bytes; none where it is not JSON.

    Example: {"a": "x", "b": [1, null]} has its values at "x", 1 and null.
    """
    if not text.lstrip().startswith(("{", "[")) or not is_acceptable("json", text):
        return []
    items = _ITEM.finditer(_bytes(text))
    return [item.span() for item in items if item.group("colon") is None]


def value_logprobs(text: str, tokens: Sequence[Token]) -> tuple[float, ...]:
    """The log probabilities of the tokens in the values of `text`, in order.

    Empty where the text is not JSON, or the tokens do not spell it: then no token can be told from another.
    """
    spans = value_spans(text)
    if not spans:
        return ()
    at = b"".join(spelled for spelled, _ in tokens).find(_bytes(text))
    if at < 0:
        return ()
    found: list[float] = []
    start, k = -at, 0
    for spelled, logprob in tokens:
        end = start + len(spelled)
        while k < len(spans) and spans[k][1] <= start:
            k += 1
        if k < len(spans) and spans[k][0] < end:
            found.append(logprob)
        start = end
    return tuple(found)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
