"""Which provider a request goes to, at which address, with which headers.

Not covered: asking it (`gateway.rented`). Keys pass through here and nowhere else; they are never recorded or logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import urlsplit

from freehold.core.key import holds_key
from freehold.gateway.config import Provider
from freehold.gateway.http1.client import Origin
from freehold.gateway.http1.heads import Header, header_lines, plain
from freehold.gateway.inbound import KEY_HEADERS, Inbound
from freehold.gateway.refusal import RefusedError
from freehold.record import readable_encodings

GATEWAY_KEY_PREFIX = b"fhk_"
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
_PLACEHOLDERS = (b"", b"freehold", b"none")
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


def choose_provider(providers: Sequence[Provider], inbound: Inbound) -> Provider:
    """The provider that a request goes to; RefusedError when there is none.

    A provider that lists the model comes first, then one that takes any model; among equals the one that speaks the
    caller's dialect, then the first.
    """
    wanted = "anthropic" if inbound.speaks_anthropic else "openai"
    model = inbound.model
    fitting = sorted(providers, key=lambda provider: provider.dialect != wanted)
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


def upstream_target(provider: Provider, target: bytes) -> bytes:
    """The target at the provider for one here, like `/v1/chat/completions?x=1`.

    A base URL is written as for the provider's SDK: with `/v1` or another path for OpenAI's (`https://host/openai`),
    without `/v1` for Anthropic's; a bare host stands for `https://host/v1`.
    """
    _, path = address(provider.base_url)
    if path.endswith(b"/v1"):
        return path.removesuffix(b"/v1") + target
    return path + (target.removeprefix(b"/v1") if path and provider.dialect == "openai" else target)


def upstream_head(
    provider: Provider, inbound: Inbound, lent: Header | None, *, size_bytes: int, is_identity: bool = False
) -> bytes:
    """The head of the request to a provider; `lent` is the key that the gateway lends, if it does (`lent_key`).

    `size_bytes` is the length of the body; `is_identity` asks for an answer that is not compressed.
    """
    origin, _ = address(provider.base_url)
    is_default_port = origin.port == (443 if origin.is_secure else 80)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    headers = [(b"host", (host if is_default_port else f"{host}:{origin.port}").encode())]
    headers += upstream_headers(inbound, lent)
    if is_identity:
        headers = [header for header in headers if header[0].lower() != b"accept-encoding"]
        headers.append((b"accept-encoding", b"identity"))
    if size_bytes or inbound.method in _METHODS_WITH_BODY:
        headers.append((b"content-length", b"%d" % size_bytes))
    target = upstream_target(provider, inbound.target)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (inbound.method.encode(), target, header_lines(headers))


def upstream_headers(inbound: Inbound, lent: Header | None) -> list[Header]:
    """The end-to-end headers of a request, with the key that is lent in place of any that stands there."""
    by_name = inbound.http.by_name
    dropped = _NOT_FORWARDED | _named_by_connection(inbound.headers) if b"connection" in by_name else _NOT_FORWARDED
    headers: list[Header] = []
    for name, value in inbound.headers:
        lower = name.lower()
        if lower in dropped or lower.startswith(b"freehold-"):
            continue
        if lent is not None and lower in KEY_HEADERS:
            continue
        if GATEWAY_KEY_PREFIX in value and holds_key(value.decode("latin-1")):
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


def lent_key(provider: Provider, inbound: Inbound, environment: Mapping[str, str]) -> Header | None:
    """The provider's key for a caller who brings none; None where none is needed, RefusedError when there is none."""
    if not provider.key_env or has_provider_key(inbound):
        return None
    key = environment.get(provider.key_env, "")
    if not key:
        raise RefusedError(
            401,
            "missing_key",
            f"The provider {provider.name!r} needs a key: the request brings none, and {provider.key_env} is not set.",
            hint=f"Set {provider.key_env} where the gateway runs, or give the client its own key.",
        )
    if inbound.key_id is None and not _is_local_page(inbound.header(b"origin")):
        raise RefusedError(
            401,
            "missing_key",
            f"The page at {inbound.header(b'origin')!r} may not use the gateway's own key.",
            hint="Let the page's server call the gateway, or send a key with the request.",
        )
    return (b"x-api-key", plain(key)) if provider.dialect == "anthropic" else (b"authorization", plain(f"Bearer {key}"))


def _is_local_page(origin: str) -> bool:
    """A browser names the page that a request comes from; only pages of this machine are trusted with a lent key."""
    try:
        return not origin or urlsplit(origin).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False


def has_provider_key(inbound: Inbound) -> bool:
    """Whether the caller brings a key for the provider; a gateway key is none."""
    by_name = inbound.http.by_name
    return inbound.has_keys and any(name in by_name and _is_key(by_name[name]) for name in KEY_HEADERS)


def _is_key(value: bytes) -> bool:
    key = _bare_key(value)
    return key.lower() not in _PLACEHOLDERS and not key.startswith(GATEWAY_KEY_PREFIX)


def _bare_key(value: bytes) -> bytes:
    key = value.strip()
    if key.lower() in (b"bearer", b"basic"):
        return b""
    return key[7:].strip() if key[:7].lower() == b"bearer " else key


def response_headers(raw: Sequence[Header], call_id: str, *, is_edited: bool) -> list[Header]:
    """The end-to-end headers of a response, with the call's id; an edited body has no length yet."""
    kept = []
    named = _named_by_connection(raw)
    for header in raw:
        lower = header[0].lower()
        if lower in _HOP_BY_HOP or lower in named or lower.startswith(b"freehold-"):
            continue
        if is_edited and lower == b"content-length":
            continue
        kept.append(header)
    kept.append((b"freehold-call-id", call_id.encode()))
    return kept


def _named_by_connection(headers: Sequence[Header]) -> frozenset[bytes]:
    values = [value for name, value in headers if name.lower() == b"connection"]
    if not values:
        return frozenset()
    return frozenset(item.strip().lower() for value in values for item in value.split(b","))
