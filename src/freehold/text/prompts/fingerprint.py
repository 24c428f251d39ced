"""A structural fingerprint of a request: equal for requests that an app sends from the same place in its code.

It covers the system prompt with every date, number, id and address masked out, and the shapes of tools and response
format. Without a system prompt the model takes its place: then a task is found by the text that messages share
(`sort`), or it is whatever is asked of that model, as with a fine-tuned one.

Not covered: what varies and looks like prose, a user's name for instance. `sort.families` finds that over many calls.
"""

from __future__ import annotations

import re

from freehold.model.exchange import Asked
from freehold.model.ids import canonical_json, sha256_hex
from freehold.text.dates.dates import spots
from freehold.text.prompts.fingerprint_v1 import key_v1
from freehold.text.prompts.request_shape import format_shape, tools_shape

LEAD_ROLES = frozenset({"system", "developer"})
CHAT_DIALECTS = frozenset({"openai-chat", "openai-responses", "openai-completions", "anthropic-messages"})
LEAD_BREAK = "\n\n"
"""What stands between several system messages that are read as one."""
KEY_START = "prompt:"

_ADDRESS = re.compile(r"[^\s@<>()\"']{1,64}@[^\s@<>()\"']+")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")


def key(asked: Asked) -> str:
    """The fingerprint, at most 40 characters; equal across OpenAI's and Anthropic's ways to ask the same thing."""
    if asked.dialect not in CHAT_DIALECTS:
        return f"{asked.dialect}:{sha256_hex(asked.model or '')[:16]}"
    return key_of(asked, lead_text(asked))


def key_of(asked: Asked, lead: str) -> str:
    """The fingerprint of a chat request whose system prompt is taken to be `lead`."""
    parts = [
        mask(lead),
        tools_shape(asked.tools),
        format_shape(asked.response_format),
        "" if lead else asked.model or "",
    ]
    return f"{KEY_START}{sha256_hex(canonical_json(parts))[:16]}"


def earlier_key(asked: Asked) -> str:
    """The fingerprint that earlier versions gave a chat request."""
    return key_v1(asked, lead_text(asked))


def lead_text(asked: Asked) -> str:
    """The system and developer messages before the conversation, joined; empty when there is none, or nothing else."""
    count = _lead_count(asked)
    return _joined(asked, count) if count < len(asked.messages) else ""


def whole_lead(asked: Asked) -> str:
    """The same, also where nothing comes after it; so ask requests that only bring back what a tool gave."""
    return _joined(asked, _lead_count(asked))


def is_bare(asked: Asked) -> bool:
    """Whether a request is nothing but its system prompt."""
    return 0 < len(asked.messages) == _lead_count(asked)


def _lead_count(asked: Asked) -> int:
    count = 0
    for message in asked.messages:
        if message.role not in LEAD_ROLES:
            break
        count += 1
    return count


def _joined(asked: Asked, count: int) -> str:
    if count < 2:
        return asked.messages[0].content if count else ""
    return LEAD_BREAK.join(message.content for message in asked.messages[:count])


def mask(text: str) -> str:
    """The text with dates, numbers, ids and addresses replaced by `#` and white space evened out."""
    if "@" in text:
        text = _ADDRESS.sub("#", text)
    return " ".join(_NUMBER.sub("#", dateless(text, "#")).split())


def dateless(text: str, mark: str) -> str:
    """The text with `mark` in place of each date and id."""
    pieces, end = [], 0
    for spot in spots(text):
        pieces += [text[end : spot.start], mark]
        end = spot.end
    return "".join([*pieces, text[end:]]) if pieces else text
