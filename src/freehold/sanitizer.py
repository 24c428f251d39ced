"""What is taken out of a text before anybody sees it: passwords in URLs, gateway keys, and signs that a terminal obeys.

Errors, logs, `--json` and what `freehold settings` shows go through here. Not covered: bodies of calls, which are shown
as they are to whoever may read the record.
"""

from __future__ import annotations

import re
from types import MappingProxyType

MASK = "***"
_PASSWORD = re.compile(r"://[^\s/?#'\"@:]*:(?!\d{1,5}[/?#])(?P<secret>[^\s'\"]+)@")
_TOKEN = re.compile(r"https?://(?P<secret>[^\s/?#'\"@:]+)@")
_PARAMETER = re.compile(
    r"(?<![\w-])(?:[\w-]*[_-])?(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|sslpassword)="
    r"(?P<secret>[^&\s'\"]+)",
    re.IGNORECASE,
)
_GATEWAY_KEY = re.compile(r"fhk_[0-9a-z]{8}_(?P<secret>[0-9A-Za-z]{49})")
SECRETS = MappingProxyType(
    {"password": _PASSWORD, "token": _TOKEN, "parameter": _PARAMETER, "gateway_key": _GATEWAY_KEY}
)
"""Patterns of what is masked, by what it is; their group `secret` is what nobody may see."""
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of a line."""
_OBEYED_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_OBEYED_BYTES = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")


def masked(text: str) -> str:
    """The text without passwords of URLs and without secrets of gateway keys.

    >>> masked("postgresql://app:hunter2@db/f and https://h/?api_key=abc&x=1")
    'postgresql://app:***@db/f and https://h/?api_key=***&x=1'
    """
    if "://" in text:
        text = _TOKEN.sub(_with_mask, _PASSWORD.sub(_with_mask, text))
    if "=" in text:
        text = _PARAMETER.sub(_with_mask, text)
    return _GATEWAY_KEY.sub(_with_mask, text) if "fhk_" in text else text


def _with_mask(found: re.Match[str]) -> str:
    """What was found, with a mask in place of its secret."""
    start, end = (place - found.start() for place in found.span("secret"))
    return found[0][:start] + MASK + found[0][end:]


def plain_lines(text: str) -> str:
    r"""The text with control characters as their escapes; lines and tabs stay.

    >>> plain_lines("a\x9b31mb\x1b[0m")
    'a\\x9b31mb\\x1b[0m'
    """
    return _OBEYED.sub(lambda found: repr(found[0])[1:-1], text)


def plain_json(text: str) -> str:
    r"""JSON whose strings have no character that a terminal obeys; its value is the same.

    >>> plain_json('{"a": "\x9b"}')
    '{"a": "\\u009b"}'
    """
    return _OBEYED_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain_json_bytes(data: bytes) -> bytes:
    """The same for JSON in UTF-8."""
    if not _OBEYED_BYTES.search(data):
        return data
    return _OBEYED_BYTES.sub(lambda found: f"\\u{ord(found[0].decode()):04x}".encode(), data)
