"""Token counts for exchanges whose provider told none: streams that broke off, and providers that never tell.

A token is about four characters of ASCII text, two and a half of other alphabets, one of Chinese, Japanese or Korean.
That is right within about a quarter for prose; JSON and code have more. It is there so that a budget holds, not to
check a bill. Four tokens are added for each message, as chat templates do.

Not covered: images, sound and files; what stands for them in a request (data URLs, base64) counts nothing. What a
provider thinks without showing it counts nothing either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from msgspec import structs

from freehold.dialects.values import JsonObject, parse_anyhow
from freehold.model.exchange import Answer, Usage

ASCII_CHARS, OTHER_CHARS, CJK_CHARS = 4.0, 2.5, 1.0
"""Characters per token."""
_TOKENS_PER_MESSAGE = 4
_CJK = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
_READ_KEYS = ("messages", "system", "input", "instructions", "prompt", "tools", "functions")
_SCHEMA_KEYS = ("response_format", "output_format", "output_config", "text")
_LIST_KEYS = ("messages", "input")
_LONGEST_WORD = 1024


def text_tokens(text: str) -> int:
    """About how many tokens a text is. Example: `text_tokens("four") == 1`."""
    if text.isascii():
        return math.ceil(len(text) / ASCII_CHARS)
    cjk = len(_CJK.findall(text))
    plain = len(text.encode("ascii", "ignore"))
    other = len(text) - plain - cjk
    return math.ceil(plain / ASCII_CHARS + cjk / CJK_CHARS + other / OTHER_CHARS)


def request_tokens(body: bytes) -> int:
    """About how many tokens a request is, by all the text that its model reads; 0 for a body that is no JSON object."""
    return object_tokens(parse_anyhow(body))


def object_tokens(data: JsonObject) -> int:
    """The same for a body that has been read."""
    read = "\n".join(text for key in (*_READ_KEYS, *_SCHEMA_KEYS) if key in data for text in _texts(data[key]))
    messages = sum(len(value) for key in _LIST_KEYS if isinstance(value := data.get(key), list))
    bare = sum(_bare_tokens(data.get(key)) for key in ("prompt", "input"))
    return text_tokens(read) + _TOKENS_PER_MESSAGE * messages + bare


def answer_tokens(answer: Answer) -> int:
    """About how many tokens an answer is, as far as it came."""
    calls = [f"{call.name}{call.arguments}" for call in answer.tool_calls]
    return text_tokens("\n".join((answer.text, answer.thought, *calls)).strip("\n"))


def estimated_usage(body: bytes, answer: Answer, *, is_whole: bool) -> Usage:
    """Counts for an exchange: what was told, and estimates for the rest.

    Where the exchange was not whole, a told output count is one of the moment at best: the larger of both counts.
    """
    told = answer.usage
    output = told.output_tokens
    if output is None or not is_whole:
        output = max(output or 0, answer_tokens(answer))
    return structs.replace(told, input_tokens=told.input_tokens or request_tokens(body), output_tokens=output)


def _bare_tokens(value: object) -> int:
    """The tokens that are given as numbers, in one list or in lists of a list."""
    if not isinstance(value, list):
        return 0
    return sum(1 if isinstance(item, int) else _bare_tokens(item) for item in value if isinstance(item, int | list))


def _texts(value: object) -> Iterator[str]:
    """All texts in a JSON value, keys of objects included; without a stack of calls, since it may be deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if not stands_for_a_file(one):
                yield one
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += (inner for key, inner in one.items() if key != "role")
            waiting += (key for key in one if key not in ("role", "content", "type", "text"))


def stands_for_a_file(text: str) -> bool:
    """Whether a text is the bytes of a picture, a sound or a file, written as text."""
    return text.startswith("data:") or (
        len(text) > _LONGEST_WORD and " " not in text[:_LONGEST_WORD] and text.isascii()
    )
