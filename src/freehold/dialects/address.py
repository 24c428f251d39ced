"""Where a provider is asked, and which headers it needs: those of its key, and of its API version.

A base URL is written as for the provider's SDK: with `/v1` or another path for OpenAI's (`https://host/openai`),
without `/v1` for Anthropic's; a bare host stands for `https://host/v1`. Azure's is a bare host, or ends in `/openai` or
`/openai/v1`; it gets Azure's paths as they are. Any other provider gets them as the path of OpenAI's API.

Not covered: which provider is asked (`gateway.provider.providers`), which dialect a path speaks (`dialects.paths`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit

from freehold.dialects.paths import API_PARAMETER, AZURE, DEPLOYMENTS, V1, azure_end
from freehold.model.exchange import Dialect

ProviderDialect = Literal["openai", "anthropic"]
KEY_HEADERS = ("authorization", "x-api-key", "api-key")
"""Where clients put a provider's key."""
MODELS_PATH = "/v1/models"
"""Where a provider lists its models."""
CHAT_DIALECTS: Mapping[ProviderDialect, Dialect] = MappingProxyType(
    {"openai": "openai-chat", "anthropic": "anthropic-messages"}
)
"""The dialect in which a chat is asked of a provider."""
_ANTHROPIC_VERSION = "2023-06-01"
_AZURE_HOSTS = (".azure.com", ".azure.us", ".azure.cn")
_GOOGLE_HOSTS = (".googleapis.com",)


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


def version_headers(speaks: ProviderDialect) -> dict[str, str]:
    """The headers that choose a provider's API version, for a request that repeats no call."""
    return {"anthropic-version": _ANTHROPIC_VERSION} if speaks == "anthropic" else {}


def key_header(base_url: str, key: str, path: str, speaks: ProviderDialect) -> tuple[str, str]:
    """The header in which a provider wants its key, for a call at a path; Anthropic takes this in all its versions."""
    if speaks == "anthropic":
        return "x-api-key", key
    if is_azure_host(base_url) or (path.startswith(AZURE) and speaks_azure(base_url)):
        return "api-key", key
    return "authorization", f"Bearer {key}"


def provider_target(base_url: str, target: str, speaks: ProviderDialect, *, model: str | None = None) -> str:
    """The target at a provider, with its query, for one here like `/v1/chat/completions?x=1`.

    `model` takes the place of a model that the target names, if it names one.
    """
    base, is_on_azure, is_azure = _base(base_url)
    if target.startswith(AZURE):
        if is_azure:
            return base.removesuffix(V1).removesuffix("/openai") + _with_deployment(target, model)
        target = _plain_target(target)
    elif is_on_azure and base in ("", "/openai") and speaks != "anthropic":
        return "/openai" + target
    if base.endswith(V1):
        return base.removesuffix(V1) + target
    return base + (target.removeprefix(V1) if base and speaks != "anthropic" else target)


def _with_deployment(target: str, model: str | None) -> str:
    if model is None or not target.startswith(DEPLOYMENTS):
        return target
    _, slash, rest = target.removeprefix(DEPLOYMENTS).partition("/")
    return DEPLOYMENTS + quote(model, safe="") + slash + rest


def _plain_target(target: str) -> str:
    """Azure's target as one of OpenAI's API, without the version parameter that only Azure knows."""
    path, _, query = target.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair and not pair.startswith(f"{API_PARAMETER}="))
    return f"/v1/{azure_end(path)}" + (f"?{kept}" if kept else "")
