"""Providers in `freehold.toml`: rented endpoints, with prices, timeouts, and what is done when they fail.

Not covered: keys. A provider's key is read from the environment variable that `key_env` names, when it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from freehold.errors import SettingError
from freehold.settings.setting import unknown

TIMEOUTS = ("connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s", "total_timeout_s")
"""Timeouts of one provider; those of `[gateway]` hold where they are not given."""

_NUMBERS: Mapping[str, tuple[float, float, float]] = {
    **dict.fromkeys(TIMEOUTS, (0.0, 0.0, 86_400.0)),
    "retries": (0, 0, 20),
    "backoff_s": (0.5, 0.0, 3600.0),
    "longest_pause_s": (20.0, 0.0, 3600.0),
    "hedge_after_s": (0.0, 0.0, 3600.0),
    "breaker_failures": (0, 0, 1_000_000),
    "breaker_s": (30.0, 0.1, 86_400.0),
}
"""Numbers of a provider: default, least, most."""
PRICE_PARTS = ("input", "output", "cached", "written")
_PRICES_HINT = (
    'Write prices = { "gpt-*" = [2.5, 10.0] }: USD per million input and output tokens, then if you like of input that'
    " is read from a prompt cache and written to one; or a table with input, output, cached, written."
)
PROVIDER_SETTINGS = ("base_url", "dialect", "key_env", "models", "prices", "fallbacks", *_NUMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One rented endpoint; `prices` maps a model glob to USD per million tokens: (input, output), then where they are
    known those of input that was read from a prompt cache, and written to one.

    `fallbacks` are (provider, model) pairs; an empty model means the same one. `timeouts` has those that were given.
    """

    name: str
    base_url: str
    dialect: Literal["openai", "anthropic"] = "openai"
    key_env: str = ""
    models: tuple[str, ...] = ()
    prices: dict[str, tuple[float, ...]] = field(default_factory=dict)
    fallbacks: tuple[tuple[str, str], ...] = ()
    timeouts: dict[str, float] = field(default_factory=dict)
    retries: int = 0
    backoff_s: float = 0.5
    longest_pause_s: float = 20.0
    hedge_after_s: float = 0.0
    breaker_failures: int = 0
    breaker_s: float = 30.0


DEFAULT_PROVIDERS = (
    ProviderSettings(name="openai", base_url="https://api.openai.com/v1", key_env="OPENAI_API_KEY"),
    ProviderSettings(
        name="anthropic",
        base_url="https://api.anthropic.com/v1",
        dialect="anthropic",
        key_env="ANTHROPIC_API_KEY",
    ),
)


def read_providers(section: object) -> tuple[ProviderSettings, ...]:
    """The `[providers]` section; the default providers when there is none."""
    if section is None:
        return DEFAULT_PROVIDERS
    if not isinstance(section, dict) or not section:
        raise SettingError("[providers] is empty.", hint="Write a table like [providers.openai] with base_url.")
    providers = tuple(_provider(name, table) for name, table in section.items())
    _check_fallbacks(providers)
    return providers


def _check_fallbacks(providers: tuple[ProviderSettings, ...]) -> None:
    by_name = {provider.name: provider for provider in providers}
    for provider in providers:
        for name, _ in provider.fallbacks:
            where = f"providers.{provider.name}.fallbacks"
            if name not in by_name or name == provider.name:
                others = ", ".join(sorted(set(by_name) - {provider.name})) or "none is configured"
                raise SettingError(f"{where} names {name!r}.", hint=f"Other providers: {others}.")
            if by_name[name].dialect != provider.dialect:
                raise SettingError(
                    f"{where} names {name!r}, which speaks another dialect.",
                    hint="A fallback gets the same request, so it must speak the same dialect.",
                )


def _provider(name: str, table: object) -> ProviderSettings:
    if not isinstance(table, dict):
        raise SettingError(f"providers.{name} is not a table.", hint=f"Write [providers.{name}] with base_url below.")
    for key in table:
        if key not in PROVIDER_SETTINGS:
            raise unknown(f"setting of providers.{name}", key, PROVIDER_SETTINGS)
    default = next((p for p in DEFAULT_PROVIDERS if p.name == name), None)
    base_url = table.get("base_url", default.base_url if default else None)
    if isinstance(base_url, str) and "@" in base_url:  # not shown, because what stands before the @ is a password
        raise SettingError(
            f"providers.{name}.base_url holds a user or a password.",
            hint="Name an environment variable with key_env instead: keys do not belong into a settings file.",
        )
    if not isinstance(base_url, str) or not _is_url(base_url):
        raise SettingError(
            f"providers.{name}.base_url is {base_url!r}.",
            hint="Give the URL, for example https://api.openai.com/v1.",
        )
    dialect = table.get("dialect", default.dialect if default else "openai")
    if dialect not in ("openai", "anthropic"):
        raise SettingError(f"providers.{name}.dialect is {dialect!r}.", hint="It is 'openai' or 'anthropic'.")
    models = table.get("models", [])
    if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
        raise SettingError(f"providers.{name}.models is {models!r}.", hint="Give a list of names or globs.")
    key_env = table.get("key_env", default.key_env if default else "")
    if not isinstance(key_env, str):
        raise SettingError(f"providers.{name}.key_env is {key_env!r}.", hint="Name the environment variable.")
    return ProviderSettings(
        name=name,
        base_url=base_url,
        dialect=dialect,
        key_env=key_env,
        models=tuple(models),
        prices=_prices(name, table.get("prices", {})),
        fallbacks=_fallbacks(name, table.get("fallbacks", [])),
        timeouts={key: _number(name, key, table) for key in TIMEOUTS if key in table},
        retries=int(_number(name, "retries", table)),
        backoff_s=_number(name, "backoff_s", table),
        longest_pause_s=_number(name, "longest_pause_s", table),
        hedge_after_s=_number(name, "hedge_after_s", table),
        breaker_failures=int(_number(name, "breaker_failures", table)),
        breaker_s=_number(name, "breaker_s", table),
    )


def _number(provider: str, key: str, table: Mapping[str, object]) -> float:
    default, least, most = _NUMBERS[key]
    value = table.get(key, default)
    is_whole = isinstance(default, int)
    fitting = int if is_whole else int | float
    if isinstance(value, fitting) and not isinstance(value, bool) and least <= value <= most:
        return value
    kind = "a whole number" if is_whole else "a number"
    raise SettingError(f"providers.{provider}.{key} is {value!r}.", hint=f"Give {kind} from {least:g} to {most:g}.")


def _fallbacks(provider: str, value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise SettingError(
            f"providers.{provider}.fallbacks is {value!r}.",
            hint='Give names of providers, with another model after a colon: ["backup", "backup:small-model"].',
        )
    return tuple((name, model) for name, _, model in (item.partition(":") for item in value))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_secret = parts.username is not None or parts.password is not None
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not has_secret
    except ValueError:
        return False


def _prices(name: str, table: object) -> dict[str, tuple[float, ...]]:
    if not isinstance(table, dict):
        raise SettingError(f"providers.{name}.prices is not a table.", hint=_PRICES_HINT)
    return {model: _price(f"providers.{name}.prices.{model}", price) for model, price in table.items()}


def _price(where: str, price: object) -> tuple[float, ...]:
    """The parts of a price in their order: input, output, and where they are given cached and cache-written input."""
    if isinstance(price, dict):
        for key in price:
            if key not in PRICE_PARTS:
                raise unknown(f"part of {where}", key, PRICE_PARTS)
        given = [price.get(key) for key in PRICE_PARTS]
        if given[3] is not None:
            given[2] = given[0] if given[2] is None else given[2]
        price = given[: 1 + max((n for n, part in enumerate(given) if part is not None), default=0)]
    if not (isinstance(price, list) and 2 <= len(price) <= len(PRICE_PARTS) and all(map(_is_price, price))):
        raise SettingError(f"{where} is {price!r}.", hint=_PRICES_HINT)
    return tuple(float(part) for part in price)


def _is_price(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
