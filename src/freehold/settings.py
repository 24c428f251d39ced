"""Every setting, declared once: name, default, help.

A value comes from the default, then `freehold.toml`, then the environment (`FREEHOLD_<SECTION>_<NAME>`), then a flag.
Providers and per-task settings live in the file alone. An unknown name is an error that names the nearest.

Not covered: keys. A provider's key is read from the environment variable that `key_env` names, when it is needed.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from freehold.errors import SettingError

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `section` is empty for those at the top of the file."""

    section: str
    name: str
    default: Value
    help: str

    @property
    def key(self) -> str:
        """The dotted name, as in `gateway.port`."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "FREEHOLD_" + self.key.replace(".", "_").upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("", "state", ".freehold", "Folder that holds the record, datasets, models and reports."),
    Setting("", "database_url", "", "Database of the record; empty means SQLite inside the state folder."),
    Setting("gateway", "host", "127.0.0.1", "Address to listen on; anything but loopback is refused for now."),
    Setting("gateway", "port", 8700, "Port to listen on."),
    Setting("gateway", "max_body_mb", 64.0, "Largest request body, in MiB; larger ones are answered with 413."),
    Setting("gateway", "connect_timeout_s", 10.0, "Seconds to wait for a connection to a provider."),
    Setting("gateway", "idle_timeout_s", 600.0, "Seconds without a byte from a provider before giving up."),
    Setting("gateway", "record_wait_s", 5.0, "Longest hold of a response while its call is being written."),
    Setting("gateway", "add_usage", True, "Ask streams for token usage when the client did not; stripped again."),
    Setting("freeze", "proof_share", 0.2, "Share of the examples, the newest, that is kept for the proof."),
    Setting("freeze", "proof_max", 1000, "Most examples in the proof split."),
    Setting("freeze", "dev_share", 0.1, "Share of the examples, before the proof's, that tunes the confidence."),
    Setting("freeze", "dev_max", 400, "Most examples in the dev split."),
    Setting("freeze", "near_duplicate", 0.9, "Similarity (Jaccard) from which two inputs are near duplicates."),
    Setting("train", "base", "smollm2-135m", "Base to train from: a name that `freehold pull` knows, or a path."),
    Setting("train", "minutes", 40.0, "Longest training time, in minutes; the schedule fits itself to it."),
    Setting("train", "epochs", 0.0, "Most passes over the training split; 0 lets the recipe choose."),
    Setting("train", "seed", 0, "Seed of the order of examples and of the adapter."),
    Setting("serve", "threads", 0, "Threads of an engine; 0 means all cores."),
    Setting("serve", "slots", 8, "Answers that an engine works on at once."),
    Setting("prove", "margin", 0.02, "How much worse, in score per call, a full replacement may be."),
    Setting("prove", "alpha", 0.05, "Chance that a model worse than the margin is certified all the same."),
    Setting("prove", "risk", 0.05, "Most calls, as a share, that a cascade may answer locally and wrongly."),
    Setting("prove", "delta", 0.10, "Chance that the cascade's risk bound does not hold."),
    Setting("prove", "min_coverage", 0.10, "Least share of calls that a cascade must take over to be worth it."),
    Setting("prove", "seed", 0, "Seed of the order in which calls enter the proof."),
    Setting("route", "audit_rate", 0.05, "Share of locally answered calls that the provider is asked too."),
    Setting("route", "engine_timeout_s", 10.0, "Longest wait for the owned model before the provider answers."),
)

TASK_SETTINGS = ("base", "minutes", "epochs", "margin", "alpha", "risk", "delta", "min_coverage", "audit_rate")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, resolved; `values` maps dotted names to values."""

    values: dict[str, Value]
    providers: tuple[ProviderSettings, ...] = DEFAULT_PROVIDERS
    tasks: dict[str, dict[str, Value]] = field(default_factory=dict)
    source: str = "defaults"

    def text(self, key: str) -> str:
        """A setting as text."""
        return str(self.values[key])

    def number(self, key: str) -> float:
        """A setting as a number."""
        return float(self.values[key])

    def whole(self, key: str) -> int:
        """A setting as a whole number."""
        return int(self.values[key])

    def flag(self, key: str) -> bool:
        """A setting as a truth value."""
        return bool(self.values[key])

    @property
    def state(self) -> Path:
        """The state folder."""
        return Path(self.text("state"))

    @property
    def database_url(self) -> str:
        """The URL of the record's database."""
        return self.text("database_url") or f"sqlite:///{(self.state / 'freehold.db').absolute()}"

    def for_task(self, name: str) -> Settings:
        """These settings with those of `[tasks.NAME]` on top."""
        own = self.tasks.get(name, {})
        merged = dict(self.values)
        for setting in SETTINGS:
            if setting.section in ("train", "prove", "route") and setting.name in own:
                merged[setting.key] = own[setting.name]
        return replace(self, values=merged)

    def override(self, flags: Mapping[str, Value | None]) -> Settings:
        """These settings with flags on top; None means that the flag was not given."""
        merged = dict(self.values)
        for key, value in flags.items():
            if value is not None:
                merged[key] = _coerce(_declared(key), value, "a flag")
        return replace(self, values=merged)


def load_settings(
    path: Path | None = None, *, environment: Mapping[str, str] | None = None, state: str | None = None
) -> Settings:
    """Resolve all settings from `path` (default: `freehold.toml` here, if there is one) and the environment."""
    env = os.environ if environment is None else environment
    values: dict[str, Value] = {setting.key: setting.default for setting in SETTINGS}
    document = _read_file(path)
    values.update(_from_file(document))
    values.update(_from_environment(env))
    if state is not None:
        values["state"] = state
    return Settings(
        values=values,
        providers=_providers(document.get("providers")),
        tasks=_tasks(document.get("tasks", {})),
        source=str(path or "freehold.toml") if document else "defaults",
    )


def _read_file(path: Path | None) -> dict[str, Any]:
    chosen = path or Path("freehold.toml")
    if path is None and not chosen.exists():
        return {}
    try:
        return tomllib.loads(chosen.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingError(f"There is no settings file {str(chosen)!r}.", hint="Give an existing --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingError(f"{str(chosen)!r} cannot be read: {error}.", hint="Mend the file.") from error


def _from_file(document: Mapping[str, Any]) -> dict[str, Value]:
    sections = {setting.section for setting in SETTINGS if setting.section}
    found: dict[str, Value] = {}
    for name, value in document.items():
        if name in ("providers", "tasks"):
            continue
        if name in sections and isinstance(value, dict):
            for inner, inner_value in value.items():
                setting = _declared(f"{name}.{inner}")
                found[setting.key] = _coerce(setting, inner_value, "freehold.toml")
        else:
            setting = _declared(name)
            found[setting.key] = _coerce(setting, value, "freehold.toml")
    return found


def _from_environment(env: Mapping[str, str]) -> dict[str, Value]:
    return {s.key: _coerce(s, env[s.variable], s.variable) for s in SETTINGS if env.get(s.variable)}


def _declared(key: str) -> Setting:
    for setting in SETTINGS:
        if setting.key == key:
            return setting
    raise _unknown("setting", key, [s.key for s in SETTINGS] + ["providers", "tasks"])


def _unknown(what: str, name: str, known: list[str]) -> SettingError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return SettingError(f"There is no {what} {name!r}.", hint=hint)


def _coerce(setting: Setting, value: object, source: str) -> Value:
    kind = type(setting.default)
    wrong = SettingError(
        f"{setting.key} = {value!r} ({source}) is not {_KIND_NAMES[kind]}.",
        hint=f"{setting.help} Default: {setting.default!r}.",
    )
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            return str(value).lower() in ("1", "true", "yes", "on")
        raise wrong
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong
    if kind is str:
        return str(value)
    try:
        number = kind(value)
    except ValueError as error:
        raise wrong from error
    if not _is_sensible(setting, float(number)):
        raise wrong
    return number  # type: ignore[no-any-return]  # kind is int or float here


_KIND_NAMES = {str: "text", int: "a whole number in range", float: "a number in range", bool: "true or false"}
_SHARES = ("share", "duplicate", "margin", "alpha", "risk", "delta", "coverage", "audit_rate")


def _is_sensible(setting: Setting, number: float) -> bool:
    if number != number or number < 0:
        return False
    if setting.name == "port":
        return number <= 65535
    return number <= 1 if setting.name.endswith(_SHARES) else True


def _providers(section: object) -> tuple[ProviderSettings, ...]:
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
            raise _unknown(f"setting of providers.{name}", key, list(PROVIDER_SETTINGS))
    default = next((p for p in DEFAULT_PROVIDERS if p.name == name), None)
    base_url = table.get("base_url", default.base_url if default else None)
    if not isinstance(base_url, str) or not base_url.startswith(("http://", "https://")):
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
    key_env = str(table.get("key_env", default.key_env if default else ""))
    return ProviderSettings(
        name=name,
        base_url=base_url,
        dialect=dialect,
        key_env=key_env,
        models=tuple(models),
        prices=_prices(name, table.get("prices", {})),
    )


def _prices(name: str, table: object) -> dict[str, tuple[float, float]]:
    hint = 'Write prices = { "gpt-*" = [2.5, 10.0] }: USD per million input and output tokens.'
    if not isinstance(table, dict):
        raise SettingError(f"providers.{name}.prices is not a table.", hint=hint)
    prices: dict[str, tuple[float, float]] = {}
    for model, pair in table.items():
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, int | float) for x in pair)):
            raise SettingError(f"providers.{name}.prices.{model} is {pair!r}.", hint=hint)
        prices[model] = (float(pair[0]), float(pair[1]))
    return prices


def _tasks(section: object) -> dict[str, dict[str, Value]]:
    if not isinstance(section, dict):
        raise SettingError("[tasks] is not a table.", hint="Write [tasks.NAME] with settings below.")
    tasks: dict[str, dict[str, Value]] = {}
    for name, table in section.items():
        if not isinstance(table, dict):
            raise SettingError(f"tasks.{name} is not a table.", hint=f"Write [tasks.{name}] with settings below.")
        for key in table:
            if key not in TASK_SETTINGS:
                raise _unknown(f"setting of tasks.{name}", key, list(TASK_SETTINGS))
        by_name = {s.name: s for s in SETTINGS if s.section in ("train", "prove", "route")}
        tasks[name] = {key: _coerce(by_name[key], value, f"tasks.{name}") for key, value in table.items()}
    return tasks
