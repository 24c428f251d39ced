"""Which provider a request goes to, at which address, with which headers.

Not covered: asking it (`gateway.rented`), and keys (`gateway.provider.provider_keys`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import urlsplit

from freehold.dialects.address import provider_target, speaks_azure
from freehold.dialects.paths import AZURE
from freehold.gateway.config import Provider
from freehold.gateway.errors import RefusedError
from freehold.gateway.provider.provider_keys import GATEWAY_KEY_PREFIX, as_plain_key
from freehold.gateway.request_context import KEY_HEADERS, RequestContext
from freehold.httpd.client import Origin
from freehold.httpd.heads import Header, header_lines
from freehold.model.key import SESSION_COOKIE, holds_key
from freehold.record import readable_encodings

_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_NOT_FORWARDED = _HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


def choose_provider(providers: Sequence[Provider], context: RequestContext) -> Provider:
    """The provider that a request goes to; RefusedError when there is none.

    A provider that lists the model comes first, then one that takes any model; among equals the one that speaks the
    caller's dialect, for Azure's paths one that speaks these, then the first.
    """
    wanted = "anthropic" if context.speaks_anthropic else "openai"
    model = context.model
    fitting = sorted(providers, key=lambda provider: provider.dialect != wanted)
    if context.path.startswith(AZURE):
        fitting.sort(key=lambda provider: (provider.dialect != wanted, not speaks_azure(provider.base_url)))
    if model is not None:
        for provider in fitting:
            if lists_model(provider, model):
                return provider
    for provider in fitting:
        if provider.dialect == wanted and (not provider.models or model is None):
            return provider
    raise _no_provider(providers, model, wanted)


def lists_model(provider: Provider, model: str) -> bool:
    """Whether a name or glob in the provider's list matches the model."""
    return any(fnmatchcase(model, pattern) for pattern in provider.models)


def _no_provider(providers: Sequence[Provider], model: str | None, wanted: str) -> RefusedError:
    known = ", ".join(sorted({name for provider in providers for name in provider.models}))
    if model is not None and known:
        return RefusedError(
            404,
            "unknown_model",
            f"No configured provider has a model {model!r}.",
            hint=f"Known models: {known}. They are listed in freehold.toml under [providers.NAME].",
        )
    return RefusedError(
        404,
        "no_provider",
        f"No configured provider speaks the {wanted} dialect.",
        hint=f'Add a [providers.NAME] with dialect = "{wanted}" to freehold.toml.',
    )


@lru_cache(maxsize=256)
def address(base_url: str) -> tuple[Origin, bytes]:
    """Where a base URL points: the origin, and the path without its last slash."""
    parts = urlsplit(base_url.rstrip("/"))
    is_secure = parts.scheme == "https"
    return Origin(is_secure, parts.hostname or "", parts.port or (443 if is_secure else 80)), parts.path.encode()


def upstream_target(provider: Provider, target: bytes, model: str | None = None) -> bytes:
    """The target at the provider for one here (`dialects.address`); `model` replaces one that its path names."""
    path = target.decode("latin-1")
    return provider_target(provider.base_url, path, provider.dialect, model=model).encode("latin-1")


def upstream_head(
    provider: Provider,
    context: RequestContext,
    lent: Header | None,
    *,
    size_bytes: int,
    is_identity: bool = False,
    model: str | None = None,
) -> bytes:
    """The head of the request to a provider; `lent` is the key that the gateway lends, if it does (`lent_key`).

    `size_bytes` is the length of the body; `is_identity` asks for an answer that is not compressed; `model` is another
    one than the request names.
    """
    headers = [(b"host", _host_of(provider.base_url)), *upstream_headers(context, lent)]
    if context.path.startswith(AZURE):
        headers = as_plain_key(provider, context, headers)
    if is_identity:
        headers = [header for header in headers if header[0].lower() != b"accept-encoding"]
        headers.append((b"accept-encoding", b"identity"))
    if size_bytes or context.method in _METHODS_WITH_BODY:
        headers.append((b"content-length", b"%d" % size_bytes))
    target = upstream_target(provider, context.target, model)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (context.method.encode(), target, header_lines(headers))


@lru_cache(maxsize=256)
def _host_of(base_url: str) -> bytes:
    """The `host` header for a provider."""
    origin, _ = address(base_url)
    is_default_port = origin.port == (443 if origin.is_secure else 80)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return (host if is_default_port else f"{host}:{origin.port}").encode()


def upstream_headers(context: RequestContext, lent: Header | None) -> list[Header]:
    """The end-to-end headers of a request, with the key that is lent in place of any that stands there."""
    by_name = context.http.by_name
    dropped = _NOT_FORWARDED | _named_by_connection(context.headers) if b"connection" in by_name else _NOT_FORWARDED
    headers: list[Header] = []
    for name, value in context.headers:
        lower = name.lower()
        if lower in dropped or lower.startswith(b"freehold-"):
            continue
        if lent is not None and lower in KEY_HEADERS:
            continue
        if GATEWAY_KEY_PREFIX in value and holds_key(value.decode("latin-1")):
            continue
        if lower == b"cookie" and SESSION_COOKIE in value:  # a browser sends it to all paths of this machine
            continue
        if lower == b"accept-encoding":
            headers.append((name, _readable(value)))
        else:
            headers.append((name, value))
    if lent is not None:
        headers.append(lent)
    return headers


@lru_cache(maxsize=256)
def _readable(accept_encoding: bytes) -> bytes:
    return readable_encodings(accept_encoding.decode("latin-1")).encode("latin-1")


def response_headers(
    raw: Sequence[Header], call_id: str, *, is_edited: bool, is_from_page: bool = False
) -> list[Header]:
    """The end-to-end headers of a response, with the call's id; an edited body has no length yet.

    To a page of another origin the gateway itself says what it may read; the provider does not (`gateway.origins`).
    """
    kept = []
    named = _named_by_connection(raw)
    for header in raw:
        lower = header[0].lower()
        if lower in _HOP_BY_HOP or lower in named or lower.startswith(b"freehold-"):
            continue
        if (is_edited and lower == b"content-length") or (is_from_page and lower.startswith(b"access-control-")):
            continue
        kept.append(header)
    kept.append((b"freehold-call-id", call_id.encode()))
    return kept


def _named_by_connection(headers: Sequence[Header]) -> frozenset[bytes]:
    values = [value for name, value in headers if name.lower() == b"connection"]
    if not values:
        return frozenset()
    return frozenset(item.strip().lower() for value in values for item in value.split(b","))
