"""Resolving settings: default, then `freehold.toml`, then the environment, then a flag; the later one wins.

An unknown name is an error that names the nearest, in the file and in the environment alike.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from freehold.errors import SettingError
from freehold.settings.catalogue import SETTINGS, TASK_SETTINGS, declared
from freehold.settings.providers import DEFAULT_PROVIDERS, ProviderSettings, read_providers
from freehold.settings.setting import Value, coerce, unknown

_BY_TASK = ("record", "train", "prove", "route", "watch")
"""The sections whose settings a task may have of its own."""


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
            if setting.section in _BY_TASK and setting.name in own:
                merged[setting.key] = own[setting.name]
        return replace(self, values=merged)

    def override(self, flags: Mapping[str, Value | None]) -> Settings:
        """These settings with flags on top; None means that the flag was not given."""
        merged = dict(self.values)
        for key, value in flags.items():
            if value is not None:
                merged[key] = coerce(declared(key), value, "a flag")
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
        providers=read_providers(document.get("providers")),
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
                setting = declared(f"{name}.{inner}")
                found[setting.key] = coerce(setting, inner_value, "freehold.toml")
        else:
            setting = declared(name)
            found[setting.key] = coerce(setting, value, "freehold.toml")
    return found


def _from_environment(env: Mapping[str, str]) -> dict[str, Value]:
    variables = {s.variable: s for s in SETTINGS}
    sections = tuple({f"FREEHOLD_{s.section.upper()}_" for s in SETTINGS if s.section})
    for name in env:
        if name.startswith(sections) and name not in variables:
            raise unknown("setting", name, list(variables))
    return {s.key: coerce(s, env[name], name) for name, s in variables.items() if env.get(name)}


def _tasks(section: object) -> dict[str, dict[str, Value]]:
    if not isinstance(section, dict):
        raise SettingError("[tasks] is not a table.", hint="Write [tasks.NAME] with settings below.")
    tasks: dict[str, dict[str, Value]] = {}
    for name, table in section.items():
        if not isinstance(table, dict):
            raise SettingError(f"tasks.{name} is not a table.", hint=f"Write [tasks.{name}] with settings below.")
        for key in table:
            if key not in TASK_SETTINGS:
                raise unknown(f"setting of tasks.{name}", key, TASK_SETTINGS)
        by_name = {s.name: s for s in SETTINGS if s.section in _BY_TASK}
        tasks[name] = {key: coerce(by_name[key], value, f"tasks.{name}") for key, value in table.items()}
    return tasks
