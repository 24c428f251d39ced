"""A structural fingerprint of a request: equal for requests that an app sends from the same place in its code.

It covers the system prompt with everything that looks like a date, number, id or address masked out, the tools (masked
alike) and the response format. Without a system prompt the model takes its place: then a task is found by the text that
messages share (`tasks`), or it is whatever is asked of that model, as with a fine-tuned one.

Not covered: what varies and looks like prose, a user's name for instance. `tasks.families` finds that over many calls.
"""

from __future__ import annotations

import re

from freehold.core.exchange import Asked
from freehold.core.ids import canonical_json, sha256_hex

LEAD_ROLES = frozenset({"system", "developer"})
CHAT_DIALECTS = frozenset({"openai-chat", "openai-responses", "openai-completions", "anthropic-messages"})

_ADDRESS = re.compile(r"[^\s@<>()\"']{1,64}@[^\s@<>()\"']+")
_VARYING = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b(?=[a-f]*\d)[0-9a-f]{8,}\b"
    r"|\b(?:jan|febr?|apr|aug|sept?|oct|nov|dec)(?:uary|ust|il|ember|tember|ober)?\b|\b(?:march|may|june?|july?)\b"
    r"|\b(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b"
    r"|\d+(?:[.,:/-]\d+)*(?:[tT]#?\d[\d:.]*)?[zZ]?",
    re.IGNORECASE,
)


def key(asked: Asked) -> str:
    """The fingerprint, at most 40 characters; equal across OpenAI's and Anthropic's ways to ask the same thing."""
    if asked.dialect not in CHAT_DIALECTS:
        return f"{asked.dialect}:{sha256_hex(asked.model or '')[:16]}"
    lead = lead_text(asked)
    shape = [mask(lead), mask(asked.tools or ""), asked.response_format or "", "" if lead else asked.model or ""]
    return f"chat:{sha256_hex(canonical_json(shape))[:16]}"


def lead_text(asked: Asked) -> str:
    """The system and developer messages before the conversation, joined; empty when there is none."""
    texts = []
    for message in asked.messages:
        if message.role not in LEAD_ROLES:
            break
        texts.append(message.content)
    return "\n\n".join(texts) if len(texts) < len(asked.messages) else ""


def mask(text: str) -> str:
    """The text with dates, numbers, ids and addresses replaced by `#` and white space evened out."""
    if "@" in text:
        text = _ADDRESS.sub("#", text)
    return " ".join(_VARYING.sub("#", text).split())


def tools_digest(tools: str | None) -> str:
    """A short digest of the tools, masked; empty for none."""
    return sha256_hex(mask(tools))[:16] if tools else ""


def format_digest(response_format: str | None) -> str:
    """A short digest of the response format, exact: another schema is another task; empty for none."""
    return sha256_hex(response_format)[:16] if response_format else ""
