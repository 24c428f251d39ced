"""Which provider a request goes to, at which URL, with which headers.

Not covered: asking it (`gateway.upstream`). Keys pass through here and nowhere else; they are never recorded or logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from freehold.gateway.config import Provider
from freehold.gateway.inbound import Header, Inbound
from freehold.gateway.refusal import RefusedError
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
_KEY_HEADERS = (b"authorization", b"x-api-key", b"api-key")
_PLACEHOLDERS = ("", "freehold", "none")


def choose_provider(providers: Sequence[Provider], inbound: Inbound) -> Provider:
    """The provider that a request goes to; RefusedError when there is none.

    A provider that lists the model comes first, then one that takes any model; among equals the one that speaks the
    caller's dialect, then the first.
    """
    wanted = "anthropic" if inbound.speaks_anthropic else "openai"
    model = asked_model(inbound)
    fitting = sorted(providers, key=lambda provider: provider.dialect != wanted)
    if model is not None:
        for provider in fitting:
            if lists_model(provider, model):
                return provider
    for provider in fitting:
        if provider.dialect == wanted and (not provider.models or model is None):
            return provider
    raise _no_provider(providers, model, wanted)


def asked_model(inbound: Inbound) -> str | None:
    """The model that a request names, in its body or as `/v1/models/NAME`."""
    path = inbound.request.path
    if path.startswith("/v1/models/"):
        return path.removeprefix("/v1/models/")
    return inbound.request.asked.model if inbound.request.asked else None


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


def upstream_url(provider: Provider, target: str) -> str:
    """The provider's URL for a target like `/v1/chat/completions?x=1`.

    A base URL is written as for the provider's SDK: with `/v1` or another path for OpenAI's (`https://host/openai`),
    without `/v1` for Anthropic's; a bare host stands for `https://host/v1`.
    """
    base = provider.base_url.rstrip("/")
    if base.endswith("/v1"):
        return base.removesuffix("/v1") + target
    has_path = bool(urlsplit(base).path)
    return base + (target.removeprefix("/v1") if has_path and provider.dialect == "openai" else target)


def upstream_headers(provider: Provider, inbound: Inbound, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The end-to-end headers of a request, with a key; RefusedError when nobody has one."""
    named = _named_by_connection(inbound.headers)
    has_own_key = any(_is_key(name, value) for name, value in inbound.headers)
    lends_key = bool(provider.key_env) and not has_own_key
    headers: list[tuple[str, str]] = []
    for name, value in inbound.headers:
        if name in _NOT_FORWARDED or name in named or name.startswith(b"freehold-"):
            continue
        if lends_key and name in _KEY_HEADERS:
            continue
        text = _text(value)
        headers.append((_text(name), readable_encodings(text) if name == b"accept-encoding" else text))
    if lends_key:
        headers.append(_lent_key(provider, inbound, environment))
    return headers


def _lent_key(provider: Provider, inbound: Inbound, environment: Mapping[str, str]) -> tuple[str, str]:
    key = environment.get(provider.key_env, "")
    if not key:
        raise RefusedError(
            401,
            "missing_key",
            f"The provider {provider.name!r} needs a key: the request brings none, and {provider.key_env} is not set.",
            hint=f"Set {provider.key_env} where the gateway runs, or give the client its own key.",
        )
    if not _is_local_page(inbound.header(b"origin")):
        raise RefusedError(
            401,
            "missing_key",
            f"The page at {inbound.header(b'origin')!r} may not use the gateway's own key.",
            hint="Let the page's server call the gateway, or send a key with the request.",
        )
    return ("x-api-key", key) if provider.dialect == "anthropic" else ("authorization", f"Bearer {key}")


def _is_local_page(origin: str) -> bool:
    """A browser names the page that a request comes from; only pages of this machine are trusted with a lent key."""
    return not origin or urlsplit(origin).hostname in ("localhost", "127.0.0.1", "::1")


def _is_key(name: bytes, value: bytes) -> bool:
    if name not in _KEY_HEADERS:
        return False
    text = _text(value).strip().lower()
    key = "" if text in ("bearer", "basic") else text.removeprefix("bearer ").strip()
    return key not in _PLACEHOLDERS


def without_keys(inbound: Inbound) -> Inbound:
    """The request without its caller's keys, for a provider that they may not be meant for."""
    return replace(inbound, headers=tuple(header for header in inbound.headers if header[0] not in _KEY_HEADERS))


def response_headers(raw: Sequence[Header], call_id: str, *, is_edited: bool) -> list[Header]:
    """The end-to-end headers of a response, with the call's id; an edited body has no length yet."""
    named = _named_by_connection(raw)
    dropped = _HOP_BY_HOP | named | ({b"content-length"} if is_edited else set())
    kept = [(name, value) for name, value in raw if name.lower() not in dropped and not _is_ours(name)]
    return [*kept, (b"freehold-call-id", call_id.encode())]


def _is_ours(name: bytes) -> bool:
    return name[:9].lower() == b"freehold-"


def _named_by_connection(headers: Sequence[Header]) -> frozenset[bytes]:
    values = [value for name, value in headers if name.lower() == b"connection"]
    return frozenset(item.strip().lower() for value in values for item in value.split(b","))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
