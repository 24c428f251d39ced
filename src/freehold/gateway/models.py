"""`GET /v1/models` and `GET /v1/models/NAME`: what can be asked for.

One provider's own answer passes through byte for byte; where there are several sources, their lists are merged in the
caller's shape, and one model is looked up in them. Not covered: owned models. They are reached through the provider's
model names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase

from freehold.dialects.values import as_list, as_object, dump, parse_anyhow
from freehold.gateway.config import Provider
from freehold.gateway.errors import RefusedError
from freehold.gateway.provider.provider_keys import lent_key
from freehold.gateway.provider.providers import address, upstream_head
from freehold.gateway.request_context import RequestContext
from freehold.httpd.client import Pool, UpstreamError

_LARGEST_LIST_BYTES = 16 * 2**20
Entry = dict[str, object]
_ONE_MODEL = "/v1/models/"
_UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def is_model_list(context: RequestContext) -> bool:
    """Whether a request asks for the list of models."""
    return context.method == "GET" and context.path.rstrip("/") == "/v1/models"


def is_about_models(context: RequestContext) -> bool:
    """Whether a request asks for the list of models or for one of them."""
    return is_model_list(context) or (context.method == "GET" and context.path.startswith(_ONE_MODEL))


def sole_source(providers: Sequence[Provider], context: RequestContext) -> bool:
    """Whether one provider's own answer is the whole list."""
    sources = [p for p in providers if p.models or p.dialect == _wanted(context)]
    return len(sources) == 1 and not sources[0].models


async def told_models(providers: Sequence[Provider], context: RequestContext, pool: Pool) -> bytes:
    """The list out of all providers, or the one model of it that is asked for; RefusedError when nobody can tell."""
    name = None if is_model_list(context) else context.path.removeprefix(_ONE_MODEL).rstrip("/")
    if name is not None:  # each provider is asked for its list
        context = context.at(_ONE_MODEL.rstrip("/"))
    entries = await _merged(providers, context, pool)
    if name is None:
        return _listing(list(entries.values()), context)
    if name not in entries:
        raise RefusedError(
            404,
            "unknown_model",
            f"No configured provider has a model {name!r}.",
            hint="GET /v1/models lists those that can be asked for.",
        )
    return dump(entries[name])


async def _merged(providers: Sequence[Provider], context: RequestContext, pool: Pool) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    failure: RefusedError | None = None
    is_first = True
    for provider in providers:
        for name in provider.models:
            if not _is_glob(name):
                entries.setdefault(name, _entry(name, provider, context))
        if not _must_be_asked(provider, context):
            continue
        try:
            for entry in await _own_list(provider, context if is_first else context.without_keys(), pool):
                entries.setdefault(str(entry.get("id")), entry)
        except RefusedError as refusal:
            failure = refusal
        is_first = False  # the caller's key is for the first provider of its dialect alone
    if not entries and failure is not None:
        raise failure
    return entries


async def _own_list(provider: Provider, context: RequestContext, pool: Pool) -> list[Entry]:
    lent = lent_key(provider, context, os.environ)
    head = upstream_head(provider, context, lent, size_bytes=0, is_identity=True)
    origin, _ = address(provider.base_url)
    try:
        response = await pool.ask(origin, head, b"", is_head=False, timeouts=provider.timeouts)
        body = await response.read_all(_LARGEST_LIST_BYTES)
    except UpstreamError as error:
        message = f"The provider {provider.name!r} did not give its list of models: {error}."
        raise RefusedError(502, "upstream_unreachable", message, hint="Check its base_url and the network.") from error
    if response.status != 200:
        raise RefusedError(
            response.status,
            "upstream_error",
            f"The provider {provider.name!r} answered {response.status} when asked for its models.",
        )
    entries = [as_object(item) for item in as_list(parse_anyhow(body).get("data"))]
    return [entry for entry in entries if _is_offered(str(entry.get("id")), provider)]


def _must_be_asked(provider: Provider, context: RequestContext) -> bool:
    """Whether only the provider itself knows its models: it lists none, or lists a glob."""
    is_open = not provider.models or any(map(_is_glob, provider.models))
    return is_open and provider.dialect == _wanted(context)


def _is_offered(name: str, provider: Provider) -> bool:
    return not provider.models or any(fnmatchcase(name, pattern) for pattern in provider.models)


def _wanted(context: RequestContext) -> str:
    return "anthropic" if context.speaks_anthropic else "openai"


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _entry(name: str, provider: Provider, context: RequestContext) -> Entry:
    if context.speaks_anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN_TIME}
    return {"id": name, "object": "model", "created": 0, "owned_by": provider.name}


def _listing(entries: list[Entry], context: RequestContext) -> bytes:
    if not context.speaks_anthropic:
        return dump({"object": "list", "data": entries})
    ids = [entry.get("id") for entry in entries] or [None]
    return dump({"data": entries, "first_id": ids[0], "last_id": ids[-1], "has_more": False})
