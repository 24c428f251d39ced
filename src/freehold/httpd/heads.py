"""The heads of requests and responses as bytes, and what their headers say about the body.

Not covered: parsing; httptools does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType

Header = tuple[bytes, bytes]

_LINES: Mapping[int, bytes] = MappingProxyType(
    {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}
)
_LINE_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")
BODYLESS_STATUSES = frozenset((204, 304))


def status_line(status: int) -> bytes:
    """The first line of a response; an unknown status has no phrase."""
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def header_lines(headers: Iterable[Header]) -> bytes:
    """Headers as lines; the values are those of parsed headers, or went through `plain`."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def plain(text: str) -> bytes:
    """A text of ours as the value of a header: no line breaks, nothing outside Latin-1."""
    return text.encode("latin-1", "replace").translate(_LINE_BREAKS)


def find(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first header of this lower-case name."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def has_token(headers: Iterable[Header], name: bytes, token: bytes) -> bool:
    """Whether a comma-separated header holds a token, whatever its case."""
    return any(
        token in [item.strip() for item in value.lower().split(b",")] for key, value in headers if key.lower() == name
    )
