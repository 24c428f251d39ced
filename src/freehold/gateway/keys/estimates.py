"""What a call of a key with budgets may cost, before it is let in.

The price is that of the provider that would be asked, or of the dearest of its fallbacks. A request whose cost nobody
can know is refused: one to a path other than those of answers and embeddings (files, batches, pictures, sound), or for
a model without a price where USD are limited. Free are the lists of models, counting tokens, and reading an answer that
the provider keeps. Not covered: reserving it (`gateway.keys.budgets`), the estimate itself (`text.likely_cost`).
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.dialects import BadBodyError
from freehold.gateway.config import Provider
from freehold.gateway.errors import RefusedError
from freehold.gateway.keys.scope import read_plainly
from freehold.gateway.models import is_about_models
from freehold.gateway.provider.providers import choose_provider
from freehold.gateway.request_context import RequestContext
from freehold.model.budget import Amount
from freehold.model.exchange import Usage
from freehold.model.key import Key
from freehold.text.likely_cost import likely_usage, most_usd

_COUNTING = "/v1/messages/count_tokens"
_KEPT_ANSWERS = "/v1/responses/"


def likely_amount(
    context: RequestContext, key: Key, providers: Sequence[Provider], *, assumed_output: int
) -> Amount | None:
    """What a call may use of its key's budgets; None where it costs nothing, RefusedError where nobody can know."""
    if _is_free(context):
        return None
    if context.dialect == "other" or context.method != "POST":
        raise _unknown(key, f"what {context.method} {context.path!r} costs is not known", "Use another key for it.")
    data = read_plainly(context)
    try:
        body = None if context.header(b"content-encoding") else context.body
        usage = likely_usage(context.dialect, data, assumed_output=assumed_output, body=body)
    except BadBodyError as error:
        raise RefusedError(400, "bad_body", str(error), hint="Give a whole number, or leave it out.") from error
    tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
    return Amount(
        0.0 if key.usd_per_day is None else _usd(context, key, providers, usage),
        0 if key.tokens_per_minute is None else tokens,
    )


def _is_free(context: RequestContext) -> bool:
    path = context.path
    is_plain = "//" not in path and "/." not in path
    is_reading = context.method == "GET" and path.startswith(_KEPT_ANSWERS) and is_plain
    return is_reading or is_about_models(context) or (context.method == "POST" and path == _COUNTING)


def _usd(context: RequestContext, key: Key, providers: Sequence[Provider], usage: Usage) -> float:
    provider = choose_provider(providers, context)
    cost = most_usd(context.model, usage, provider.prices)
    if cost is None:
        raise _unknown(
            key,
            f"the model {context.model!r} has no price",
            f"Give one under [providers.{provider.name}] in freehold.toml.",
        )
    by_name = {other.name: other for other in providers}
    others = [
        most_usd(fallback.model or context.model, usage, by_name[fallback.provider].prices) or 0.0
        for fallback in provider.resilience.fallbacks
    ]
    return max(cost, *others, 0.0) * (2 if provider.resilience.hedge_after_s else 1)


def _unknown(key: Key, why: str, hint: str) -> RefusedError:
    message = f"The gateway key {key.name!r} has a budget, and {why}."
    return RefusedError(403, "cost_unknown", message, hint=hint)
