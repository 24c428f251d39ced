"""The names under which a gateway may be asked for, and the web pages that may ask it.

A page elsewhere can let its own name resolve to this machine (DNS rebinding). Its browser then takes the gateway for
part of that page, lets it read everything, and sends no preflight. The `host` header still says the page's name, so
only names that are the gateway's own are served:

    a loopback name or address    localhost, 127.0.0.1, [::1]
    `gateway.host`                any address, where it listens on all of them: no page can have one for its name
    `gateway.allowed_hosts`       names that a proxy, a container or a DNS server gives this gateway

A page that asks by a right name tells its own origin, or its browser tells that it is of another site. It must be a
page of this gateway, of this machine (for calls), or of an origin in `gateway.allowed_origins`. What sends neither
`host` nor `origin` is no browser.

Not covered: keys (`gateway.keys.admission`), what a browser is told of other origins (`gateway.origins`).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from freehold.gateway.errors import RefusedError
from freehold.httpd.request import Request
from freehold.system.hosts import Hosts, host_name, is_own_origin

_MOST_KNOWN = 512


class Doors:
    """The names of one gateway, and the pages that may ask it."""

    def __init__(self, hosts: Hosts, origins: frozenset[bytes]) -> None:
        self._hosts = hosts
        self._origins = origins
        self._known: set[bytes] = set()

    def refusal_of(self, request: Request, *, is_call: bool) -> RefusedError | None:
        """Why a request may not come in by its host or its page; None where it may."""
        by_name = request.by_name
        host = by_name.get(b"host")
        if host is not None and host not in self._known and not self._is_own(host):
            return _foreign_host(host.decode("latin-1"))
        origin = by_name.get(b"origin")
        if origin is None:
            return _foreign_page(None) if _is_from_other_site(request, is_call=is_call) else None
        if origin in self._origins or (is_call and is_loopback_origin(origin)):
            return None
        page = origin.decode("latin-1")
        return None if is_own_origin(page, request.header(b"host")) else _foreign_page(page)

    def _is_own(self, host: bytes) -> bool:
        """Whether a `host` header names this gateway; its callers ask for it by the same few names again and again."""
        is_own = self._hosts.allows(host.decode("latin-1"))
        if is_own and len(self._known) < _MOST_KNOWN:
            self._known.add(host)
        return is_own


def is_loopback_origin(origin: bytes) -> bool:
    """Whether a page of this machine sends the request, at whatever port."""
    try:
        parts = urlsplit(origin.decode("latin-1"))
        return parts.scheme in ("http", "https") and Hosts().allows(parts.netloc)
    except ValueError:
        return False


def _is_from_other_site(request: Request, *, is_call: bool) -> bool:
    """Whether a browser says that a page of another site asks without telling its origin; a link may be followed."""
    if request.by_name.get(b"sec-fetch-site") != b"cross-site":
        return False
    is_link = request.method in ("GET", "HEAD") and request.by_name.get(b"sec-fetch-mode") == b"navigate"
    return is_call or not is_link


def _foreign_host(host: str) -> RefusedError:
    shown = host_name(host) or "gateway.internal"
    return RefusedError(
        403,
        "host_not_allowed",
        f"This gateway does not go by the name {host[:200]!r}.",
        hint=f'If it should, declare the name in freehold.toml: allowed_hosts = "{shown}" under [gateway].',
    )


def _foreign_page(origin: str | None) -> RefusedError:
    page = "A web page of another site" if origin is None else f"A page of {origin[:200]!r}"
    shown = origin if origin and re.fullmatch(r"https?://[\w.\-:\[\]]{1,200}", origin) else "https://app.example"
    return RefusedError(
        403,
        "origin_not_allowed",
        f"{page} may not ask this gateway.",
        hint=f'If it should, declare it in freehold.toml: allowed_origins = "{shown}" under [gateway].',
    )
