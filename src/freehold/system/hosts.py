"""The names and addresses by which a gateway may be asked for, as `host` headers and the settings say them.

Not covered: what is done with a request for another host (`gateway.doors`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from freehold.errors import SettingError

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  (compared, not bound)
_LONGEST_HEADER = 264
"""A name of 253 characters with its port and brackets."""
_HINT = "Give names like gateway.internal or 10.0.0.7, without a port, with commas between them."


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names and addresses of a gateway beside loopback; `is_everywhere` where it listens on every address."""

    names: frozenset[str] = frozenset()
    is_everywhere: bool = False

    def allows(self, header: str) -> bool:
        """Whether a `host` header names this gateway."""
        name = host_name(header) if len(header) <= _LONGEST_HEADER else None
        if name is None:
            return False
        if name == "localhost" or name in self.names:
            return True
        return _is_address(name) and (self.is_everywhere or ipaddress.ip_address(name).is_loopback)


def read_hosts(setting: str, listening: str) -> Hosts:
    """The hosts of `gateway.allowed_hosts` and `gateway.host`; SettingError for what is no name and no address."""
    named = [host.strip() for host in setting.split(",") if host.strip()]
    for host in named:
        if host_name(host) != host.lower().strip("[]").rstrip("."):
            raise SettingError(f"gateway.allowed_hosts has {host!r}.", hint=_HINT)
    is_everywhere = listening in _EVERYWHERE
    own = [] if is_everywhere else [listening]
    return Hosts(frozenset(filter(None, map(host_name, [*named, *own]))), is_everywhere)


def host_name(header: str) -> str | None:
    """The name or address in a `host` header, without its port, in lower case; None where there is none."""
    text = header.strip().lower()
    if text.startswith("["):
        inside, bracket, port = text[1:].partition("]")
        return inside if bracket and _is_port(port) and _is_address(inside) else None
    if text.count(":") > 1:
        return text if _is_address(text) else None
    name, colon, port = text.partition(":")
    name = name.removesuffix(".")
    return name if _NAME.fullmatch(name) and _is_port(colon + port) else None


def is_own_origin(origin: str, host: str) -> bool:
    """Whether an `origin` header is the very one that the `host` header of its request names."""
    scheme, separator, authority = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and authority.lower() == host.lower()


def _is_port(text: str) -> bool:
    return text == "" or (text[0] == ":" and len(text) <= len(":65535") and (text[1:].isdigit() or text == ":"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
