"""What an exchange did cost, for the budget of its key: the same as the record comes to, but sooner.

Most answers are JSON that tells its model and usage; these two are all that is read of it. Any other exchange (a
stream, a compressed one, one that broke off or tells no usage) is read as the record reads it (`record.read_exchange`).
Not covered: what is done with it (`gateway.keys.budgets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from freehold.dialects.usage import anthropic_usage, openai_usage
from freehold.model.price import Price, cost_usd
from freehold.record import Exchange, read_exchange

_LARGEST_READ_BYTES = 64 * 2**20
_OK, _LEAST_ERROR_STATUS, _CLIENT_GONE_STATUS = 200, 400, 499
_OPENAI = ("openai-chat", "openai-responses", "openai-completions")


@dataclass(frozen=True, slots=True)
class Cost:
    """USD and tokens, in and out; None where nobody knows. `is_paid_for`: a provider may want money for it."""

    usd: float | None
    tokens: int | None
    is_paid_for: bool = True


class _Told(msgspec.Struct):
    model: str | None = None
    usage: dict[str, object] | None = None
    error: object = None


_READER = msgspec.json.Decoder(_Told)


class Settlement:
    """Tells costs by the prices of each provider, by its name."""

    def __init__(self, prices: Mapping[str, Mapping[str, Price]]) -> None:
        self._prices = prices

    def __call__(self, exchange: Exchange) -> Cost:
        """What an exchange did cost."""
        prices = self._prices.get(exchange.decision.provider, {})
        found = _quickly(exchange, prices)
        if found is not None:
            return found
        call = read_exchange(exchange, prices=prices, limit_bytes=_LARGEST_READ_BYTES).call
        is_unknown = call.input_tokens is None and call.output_tokens is None
        is_paid_for = call.provider != "" and (call.status < _LEAST_ERROR_STATUS or call.status == _CLIENT_GONE_STATUS)
        tokens = None if is_unknown else (call.input_tokens or 0) + (call.output_tokens or 0)
        return Cost(call.cost_usd, tokens, is_paid_for)


def _quickly(exchange: Exchange, prices: Mapping[str, Price]) -> Cost | None:
    """The cost by what a plain answer tells; None where more of it must be read."""
    request, decision, response = exchange.request, exchange.decision, exchange.response
    is_whole = response.status == _OK and response.error is None and not (response.is_cut or response.is_stream)
    if not is_whole or response.content_encoding or decision.arm not in ("rented", "audit"):
        return None
    try:
        told = _READER.decode(response.body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    if told.usage is None or told.error is not None:
        return None
    if request.dialect in _OPENAI:
        usage = openai_usage(told.usage)
    elif request.dialect == "anthropic-messages":
        usage = anthropic_usage(told.usage)
    else:
        return None
    usd = cost_usd(told.model, usage, prices)
    if usd is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return Cost(usd, usage.input_tokens + usage.output_tokens)
