"""Paths of calls: which dialect is spoken at one, and which model it names.

    /v1/chat/completions                                  as with OpenAI's and Anthropic's own API
    /openai/deployments/NAME/chat/completions             as with Azure's, NAME being the model
    /openai/v1/chat/completions                           as with Azure's newer one

Not covered: where a path is at a provider (`dialects.address`), paths that Freehold serves itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from urllib.parse import unquote

from freehold.model.exchange import Dialect

AZURE = "/openai/"
API_PARAMETER = "api-version"
"""The parameter in which Azure's clients name a version of its API."""
DEPLOYMENTS = "/openai/deployments/"
V1 = "/v1"
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
_PATHS: Mapping[Dialect, str] = MappingProxyType({dialect: path for path, dialect in reversed(list(_KNOWN.items()))})
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


def path_of(dialect: Dialect) -> str:
    """The path at which a dialect is spoken; KeyError for `other`."""
    return _PATHS[dialect]


def _dialect_of(path: str) -> Dialect:
    if path.startswith(AZURE):
        return _DIALECTS.get(azure_end(path), "other")
    return _KNOWN.get(path, "other")


def path_model(path: str) -> str | None:
    """The model that a path names, as Azure's deployments and `/v1/models/NAME` do."""
    if path.startswith(DEPLOYMENTS):
        return unquote(path.removeprefix(DEPLOYMENTS).partition("/")[0]) or None
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
        rest = rest.removeprefix(V1)
    if rest != bare:
        return ("doubled_v1", rest) if rest.startswith("/v1/") else None
    if bare.startswith(("/v1/", AZURE)) or bare == V1:
        return None
    for end in sorted(_ENDS, key=len, reverse=True):
        if bare == f"/{end}" or (end == "models" and bare.startswith("/models/")):
            return "missing_v1", V1 + bare
        if bare.endswith(f"/{end}") and bare.count("/") <= _MOST_PARTS:
            return "unknown_path", f"/v1/{end}"
    return None


def azure_end(path: str) -> str:
    """What an Azure path has behind its resource, deployment or version."""
    if path.startswith(DEPLOYMENTS):
        return path.removeprefix(DEPLOYMENTS).partition("/")[2].rstrip("/").removeprefix("extensions/")
    return path.removeprefix(AZURE).removeprefix("v1/").rstrip("/")
