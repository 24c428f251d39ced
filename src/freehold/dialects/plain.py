"""Which messages an owned model can be asked with: turns of text, and the beginning of an answer.

Thoughts of earlier answers are skipped: they are no part of what was said. A last message of the assistant is the
beginning of the answer (a prefill) where the dialect or the request says so. Elsewhere nobody can tell whether the
provider goes on with it or answers it, so that such a call is the provider's.

Not covered: fields beside the messages (`fields`), comparing an owned answer with its beginning (`text.prefill`).
"""

from __future__ import annotations

from freehold.dialects.values import JsonObject, as_count, as_object

_THOUGHTS = ("thinking", "redacted_thinking", "reasoning")
_RESULTS = frozenset({"tool", "function"})
_TOOL_KEYS = ("tool_calls", "function_call", "audio")
_GO_ON_KEYS = ("prefix", "partial")
Pair = tuple[str, str]


def without_thoughts(content: object) -> object:
    """A message's content without the thoughts among its parts."""
    if not isinstance(content, list) or not any(as_object(part).get("type") in _THOUGHTS for part in content):
        return content
    return [part for part in content if as_object(part).get("type") not in _THOUGHTS]


def is_turn(role: str, message: JsonObject) -> bool:
    """Whether a message is something that was said, neither the call of a tool nor what one gave back."""
    if not message or role in _RESULTS:
        return False
    return message.keys().isdisjoint(_TOOL_KEYS) or not any(message.get(key) for key in _TOOL_KEYS)


def is_marked_to_go_on(message: JsonObject) -> bool:
    """Whether a message says of itself that the answer goes on with it, as some providers have it."""
    return not message.keys().isdisjoint(_GO_ON_KEYS) and any(message.get(key) is True for key in _GO_ON_KEYS)


def role_of_last(pairs: list[Pair]) -> str:
    """Who says the last message; an empty text where there is none."""
    return pairs[-1][0] if pairs else ""


def begun_answer(pairs: list[Pair], *, goes_on: bool) -> tuple[list[Pair], str, bool]:
    """The messages without the beginning of an answer, that beginning, and whether the owned model can be asked so.

    `goes_on` says that a last message of the assistant's is such a beginning.
    """
    if role_of_last(pairs) != "assistant":
        return pairs, "", bool(pairs)
    if not goes_on:
        return pairs, "", False
    asked = pairs[:-1]
    return asked, pairs[-1][1], role_of_last(asked) not in ("", "assistant")


def smallest_limit(data: JsonObject, *names: str) -> int | None:
    """The smallest number of tokens that any of these fields sets as a limit; None where none does."""
    limits = [as_count(data.get(name)) for name in names]
    return min((limit for limit in limits if limit), default=None)
