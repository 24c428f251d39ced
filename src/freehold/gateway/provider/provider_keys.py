"""Providers' keys: the caller's own passes, and the gateway lends one to a caller who brings none.

A placeholder, as people write one where a client insists on a key, does not count as a key. Only what cannot be a key
is in that list: a key that is taken for a placeholder would be replaced by another one.

Keys pass through here and `gateway.provider.providers` and nowhere else; they are never recorded or logged. Not
covered: gateway keys (`gateway.keys.admission`), pages that may not ask at all (`gateway.doors`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from freehold.dialects.address import key_header, speaks_azure
from freehold.dialects.paths import AZURE
from freehold.gateway.config import Provider
from freehold.gateway.errors import RefusedError
from freehold.gateway.request_context import KEY_HEADERS, RequestContext
from freehold.httpd.heads import Header, plain

GATEWAY_KEY_PREFIX = b"fhk_"
PLACEHOLDERS = frozenset(
    b"""
    freehold none null nil undefined empty dummy dummy-key dummykey dummy-api-key fake fake-key fake-api-key
    placeholder placeholder-key changeme change-me unused not-used not-needed notneeded not-required no-key nokey
    no-key-needed no-key-required no-api-key na n/a ignored your-key your-api-key your-api-key-here
    your-openai-api-key your-anthropic-api-key insert-your-api-key-here api-key-here sk-none sk-dummy sk-fake
    sk-placeholder sk-no-key-required sk-not-needed sk-your-key sk-your-api-key ollama lm-studio
    """.split()
)
"""Compared in lower case and with hyphens for underscores."""
_SIGNS_ALONE = re.compile(rb"(?:sk-)?(?:x{3,}|\*{3,}|\.{3,}|-+)|<[^<>]*>|\$\{?\w+\}?|\{\{.*\}\}", re.IGNORECASE)
_LONGEST_PLACEHOLDER = 64


def lent_key(provider: Provider, context: RequestContext, environment: Mapping[str, str]) -> Header | None:
    """The provider's key for a caller who brings none; None where none is needed, RefusedError when there is none."""
    if not provider.key_env or has_provider_key(context):
        return None
    key = environment.get(provider.key_env, "")
    if not key:
        raise RefusedError(
            401,
            "missing_key",
            f"The provider {provider.name!r} needs a key: the request brings none, and {provider.key_env} is not set.",
            hint=f"Set {provider.key_env} where the gateway runs, or give the client its own key.",
        )
    name, value = key_header(provider.base_url, key, context.path, provider.dialect)
    return name.encode(), plain(value)


def as_plain_key(provider: Provider, context: RequestContext, headers: Sequence[Header]) -> list[Header]:
    """Headers in which an Azure client's `api-key` is the bearer key that any other provider expects."""
    by_name = context.http.by_name
    is_moved = context.path.startswith(AZURE) and not speaks_azure(provider.base_url)
    if not is_moved or b"api-key" not in by_name or b"authorization" in by_name:
        return list(headers)
    return [(b"authorization", b"Bearer " + v) if name.lower() == b"api-key" else (name, v) for name, v in headers]


def has_provider_key(context: RequestContext) -> bool:
    """Whether the caller brings a key for the provider; a gateway key does not count."""
    by_name = context.http.by_name
    return context.has_keys and any(name in by_name and is_key(by_name[name]) for name in KEY_HEADERS)


def is_key(value: bytes) -> bool:
    """Whether the value of a key's header is one for a provider: no placeholder, no gateway key."""
    key = _bare_key(value)
    if not key or key.startswith(GATEWAY_KEY_PREFIX):
        return False
    if len(key) > _LONGEST_PLACEHOLDER:
        return True
    return key.lower().replace(b"_", b"-") not in PLACEHOLDERS and _SIGNS_ALONE.fullmatch(key) is None


def _bare_key(value: bytes) -> bytes:
    key = value.strip()
    if key.lower() in (b"bearer", b"basic"):
        return b""
    return key[7:].strip() if key[:7].lower() == b"bearer " else key
