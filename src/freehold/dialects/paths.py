"""Paths of calls: which dialect is spoken at one, which model it names, and where it is at a provider.

    /v1/chat/completions                                  as with OpenAI's and Anthropic's own API
    /openai/deployments/NAME/chat/completions             as with Azure's, NAME being the model
    /openai/v1/chat/completions                           as with Azure's newer one

A base URL is written as for the provider's SDK: with `/v1` or another path for OpenAI's (`https://host/openai`),
without `/v1` for Anthropic's; a bare host stands for `https://host/v1`. Azure's is a bare host, or ends in `/openai` or
`/openai/v1`; it gets Azure's paths as they are. Any other provider gets them as the path of OpenAI's API.

Not covered: paths that Freehold serves itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from freehold.model.exchange import Dialect

AZURE = "/openai/"
API_PARAMETER = "api-version"
"""The parameter in which Azure's clients name a version of its API."""
_DEPLOYMENTS = "/openai/deployments/"
_V1 = "/v1"
_AZURE_HOSTS = (".azure.com", ".azure.us", ".azure.cn")
_GOOGLE_HOSTS = (".googleapis.com",)
_DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "chat/completions": "openai-chat",
        "extensions/chat/completions": "openai-chat",
        "responses": "openai-responses",
        "completions": "openai-completions",
        "embeddings": "openai-embeddings",
        "messages": "anthropic-messages",
    }
)
_KNOWN: Mapping[str, Dialect] = MappingProxyType({f"/v1/{end}": dialect for end, dialect in _DIALECTS.items()})
_ENDS = (
    *_DIALECTS,
    "messages/count_tokens",
    "models",
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "images/generations",
    "images/edits",
    "moderations",
    "decisions",
)
_MOST_PARTS = 12
Fault = Literal["missing_v1", "doubled_v1", "unknown_path"]


def dialect_of(path: str) -> Dialect:
    """The dialect that is spoken at a path like `/v1/chat/completions`."""
    return _KNOWN.get(path) or _dialect_of(path.partition("?")[0].rstrip("/"))


def _dialect_of(path: str) -> Dialect:
    if path.startswith(AZURE):
        return _DIALECTS.get(_azure_end(path), "other")
    return _KNOWN.get(path, "other")


def path_model(path: str) -> str | None:
    """The model that a path names, as Azure's deployments and `/v1/models/NAME` do."""
    if path.startswith(_DEPLOYMENTS):
        return unquote(path.removeprefix(_DEPLOYMENTS).partition("/")[0]) or None
    for start in ("/v1/models/", "/openai/v1/models/"):
        if path.startswith(start):
            return path.removeprefix(start) or None
    return None


def call_fault(path: str) -> tuple[Fault, str] | None:
    """What is wrong with a path that a client's base URL made, and the path that it should be; None for any other.

    Example: `/chat/completions` is `/v1/chat/completions` with a forgotten `/v1`.
    """
    bare = path.partition("?")[0].rstrip("/")
    rest = bare
    while rest.startswith("/v1/v1"):
        rest = rest.removeprefix(_V1)
    if rest != bare:
        return ("doubled_v1", rest) if rest.startswith("/v1/") else None
    if bare.startswith(("/v1/", AZURE)) or bare == _V1:
        return None
    for end in sorted(_ENDS, key=len, reverse=True):
        if bare == f"/{end}" or (end == "models" and bare.startswith("/models/")):
            return "missing_v1", _V1 + bare
        if bare.endswith(f"/{end}") and bare.count("/") <= _MOST_PARTS:
            return "unknown_path", f"/v1/{end}"
    return None


@lru_cache(maxsize=256)
def _base(base_url: str) -> tuple[str, bool, bool]:
    """The path of a base URL, whether its host is Azure's, and whether it speaks Azure's paths."""
    parts = urlsplit(base_url.rstrip("/"))
    host = parts.hostname or ""
    is_on_azure = host.endswith(_AZURE_HOSTS)
    ends_so = parts.path.endswith(("/openai", "/openai/v1")) and not host.endswith(_GOOGLE_HOSTS)
    return parts.path, is_on_azure, is_on_azure or ends_so


def speaks_azure(base_url: str) -> bool:
    """Whether a base URL is an Azure resource's: by its host, or by a path that ends in `/openai` or `/openai/v1`."""
    return _base(base_url)[2]


def is_azure_host(base_url: str) -> bool:
    """Whether a base URL is on one of Azure's own hosts."""
    return _base(base_url)[1]


def key_header(base_url: str, key: str, path: str, *, is_anthropic: bool) -> tuple[str, str]:
    """The header in which a provider wants its key, for a call at a path; Anthropic takes this in all its versions."""
    if is_anthropic:
        return "x-api-key", key
    if is_azure_host(base_url) or (path.startswith(AZURE) and speaks_azure(base_url)):
        return "api-key", key
    return "authorization", f"Bearer {key}"


def provider_target(base_url: str, target: str, *, is_anthropic: bool = False, model: str | None = None) -> str:
    """The target at a provider, with its query, for one here like `/v1/chat/completions?x=1`.

    `model` takes the place of a model that the target names, if it names one.
    """
    base, is_on_azure, is_azure = _base(base_url)
    if target.startswith(AZURE):
        if is_azure:
            return base.removesuffix(_V1).removesuffix("/openai") + _with_deployment(target, model)
        target = _plain_target(target)
    elif is_on_azure and base in ("", "/openai") and not is_anthropic:
        return "/openai" + target
    if base.endswith(_V1):
        return base.removesuffix(_V1) + target
    return base + (target.removeprefix(_V1) if base and not is_anthropic else target)


def _with_deployment(target: str, model: str | None) -> str:
    if model is None or not target.startswith(_DEPLOYMENTS):
        return target
    _, slash, rest = target.removeprefix(_DEPLOYMENTS).partition("/")
    return _DEPLOYMENTS + quote(model, safe="") + slash + rest


def _plain_target(target: str) -> str:
    """Azure's target as one of OpenAI's API, without the version parameter that only Azure knows."""
    path, _, query = target.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair and not pair.startswith(f"{API_PARAMETER}="))
    return f"/v1/{_azure_end(path)}" + (f"?{kept}" if kept else "")


def _azure_end(path: str) -> str:
    """What an Azure path has behind its resource, deployment or version."""
    if path.startswith(_DEPLOYMENTS):
        return path.removeprefix(_DEPLOYMENTS).partition("/")[2].rstrip("/").removeprefix("extensions/")
    return path.removeprefix(AZURE).removeprefix("v1/").rstrip("/")
