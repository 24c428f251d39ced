"""Web pages of other origins: which may call the gateway, and what their browsers are told.

A browser asks before it sends a page's call (a preflight), and hides the answer from the page unless it is told that
the page may read it. Both is for the origins that `gateway.allowed_origins` names, and for no other. A preflight is no
call.

Not covered: keys. A page needs one like any client; one of a declared origin may be lent the provider's, as this
machine's own pages are (`gateway.provider.provider_keys`).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from freehold.errors import SettingError
from freehold.gateway.errors import RefusedError
from freehold.httpd.heads import Header
from freehold.httpd.request import Request

_METHOD = b"access-control-request-method"
_ASKED_HEADERS = re.compile(rb"[\w\-, ]{0,4000}")
_BELIEVED_S = 7200
_DEFAULT_PORTS = (("http", 80), ("https", 443))


def read_origins(setting: str) -> frozenset[bytes]:
    """The origins of a setting like `https://app.example, http://localhost:3000`; SettingError for anything else."""
    return frozenset(_read_origin(origin.strip()) for origin in setting.split(",") if origin.strip())


def _read_origin(text: str) -> bytes:
    hint = "Give origins like https://app.example or http://localhost:3000, with commas between them."
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise SettingError(f"gateway.allowed_origins has {text!r}.", hint=hint) from error
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment and parts.username is None
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_bare:
        raise SettingError(f"gateway.allowed_origins has {text!r}.", hint=hint)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    suffix = "" if port is None or (parts.scheme, port) in _DEFAULT_PORTS else f":{port}"
    return f"{parts.scheme}://{host}{suffix}".encode("latin-1", "replace")


def is_preflight(request: Request) -> bool:
    """Whether a browser asks if a page may send a call."""
    by_name = request.by_name
    return request.method == "OPTIONS" and b"origin" in by_name and _METHOD in by_name


def reading_headers(request: Request, allowed: frozenset[bytes]) -> tuple[Header, ...]:
    """The headers that let a page read a response; none for a page of an origin that is not declared."""
    origin = request.by_name.get(b"origin")
    if origin is None or origin not in allowed:
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    )


def preflight_headers(request: Request, allowed: frozenset[bytes]) -> list[Header]:
    """What a browser is told that asks for a page; RefusedError for an origin that is not declared."""
    reading = reading_headers(request, allowed)
    if not reading:
        origin = request.header(b"origin")
        raise RefusedError(
            403,
            "origin_not_allowed",
            f"Pages of {origin!r} may not call this gateway.",
            hint=f'Declare it in freehold.toml: allowed_origins = "{_shown(origin)}" under [gateway].',
        )
    told: list[Header] = [
        *(header for header in reading if header[0] != b"access-control-expose-headers"),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, HEAD"),
        (b"access-control-max-age", b"%d" % _BELIEVED_S),
    ]
    asked = request.by_name.get(b"access-control-request-headers", b"")
    if asked and _ASKED_HEADERS.fullmatch(asked):
        told.append((b"access-control-allow-headers", asked))
    if request.by_name.get(b"access-control-request-private-network") == b"true":
        told.append((b"access-control-allow-private-network", b"true"))
    return told


def _shown(origin: str) -> str:
    return origin if re.fullmatch(r"https?://[\w.\-:\[\]]{1,200}", origin) else "https://app.example"
