"""Providers in `freehold.toml`: rented endpoints, with prices.

Not covered: keys. A provider's key is read from the environment variable that `key_env` names, when it is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from freehold.errors import SettingError
from freehold.settings.declared import unknown

PROVIDER_SETTINGS = ("base_url", "dialect", "key_env", "models", "prices")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One rented endpoint; `prices` maps a model glob to (input, output) in USD per million tokens."""

    name: str
    base_url: str
    dialect: str = "openai"
    key_env: str = ""
    models: tuple[str, ...] = ()
    prices: dict[str, tuple[float, float]] = field(default_factory=dict)


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
    return tuple(_provider(name, table) for name, table in section.items())


def _provider(name: str, table: object) -> ProviderSettings:
    if not isinstance(table, dict):
        raise SettingError(f"providers.{name} is not a table.", hint=f"Write [providers.{name}] with base_url below.")
    for key in table:
        if key not in PROVIDER_SETTINGS:
            raise unknown(f"setting of providers.{name}", key, PROVIDER_SETTINGS)
    default = next((p for p in DEFAULT_PROVIDERS if p.name == name), None)
    base_url = table.get("base_url", default.base_url if default else None)
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
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _prices(name: str, table: object) -> dict[str, tuple[float, float]]:
    hint = 'Write prices = { "gpt-*" = [2.5, 10.0] }: USD per million input and output tokens.'
    if not isinstance(table, dict):
        raise SettingError(f"providers.{name}.prices is not a table.", hint=hint)
    prices: dict[str, tuple[float, float]] = {}
    for model, pair in table.items():
        if not (isinstance(pair, list) and len(pair) == 2 and all(_is_price(x) for x in pair)):
            raise SettingError(f"providers.{name}.prices.{model} is {pair!r}.", hint=hint)
        prices[model] = (float(pair[0]), float(pair[1]))
    return prices


def _is_price(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
