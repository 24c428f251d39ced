"""The fingerprint and the digests of tasks and templates that earlier versions found: they mean what they meant.

They took the tools and the response format as they were spelled, and knew the calendar in English alone. A task or a
route that was found so goes on with them (`Template.version` 1, keys that begin with `chat:`).

Not covered: new tasks (`text.prompts.fingerprint`, `text.prompts.request_shape`).
"""

from __future__ import annotations

import re

from freehold.model.exchange import Asked
from freehold.model.ids import canonical_json, sha256_hex

KEY_START = "chat:"

_ADDRESS = re.compile(r"[^\s@<>()\"']{1,64}@[^\s@<>()\"']+")
_VARYING = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b(?=[a-f]*\d)[0-9a-f]{8,}\b"
    r"|\b(?:jan|febr?|apr|aug|sept?|oct|nov|dec)(?:uary|ust|il|ember|tember|ober)?\b|\b(?:march|may|june?|july?)\b"
    r"|\b(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b"
    r"|\d+(?:[.,:/-]\d+)*(?:[tT]#?\d[\d:.]*)?[zZ]?",
    re.IGNORECASE,
)


def key_v1(asked: Asked, lead: str) -> str:
    """The fingerprint of a chat request whose lead text this is, as it was."""
    shape = [mask_v1(lead), mask_v1(asked.tools or ""), asked.response_format or "", "" if lead else asked.model or ""]
    return f"{KEY_START}{sha256_hex(canonical_json(shape))[:16]}"


def mask_v1(text: str) -> str:
    """The text with numbers, ids, addresses and English dates replaced by `#` and white space evened out."""
    if "@" in text:
        text = _ADDRESS.sub("#", text)
    return " ".join(_VARYING.sub("#", text).split())


def tools_digest(tools: str | None) -> str:
    """A short digest of the tools, masked; empty for none."""
    return sha256_hex(mask_v1(tools))[:16] if tools else ""


def format_digest(response_format: str | None) -> str:
    """A short digest of the response format, exact; empty for none."""
    return sha256_hex(response_format)[:16] if response_format else ""
