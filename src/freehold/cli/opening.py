"""Opening what a command works on: settings from the root's options and the command's flags, then the estate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from freehold.settings import SETTINGS, Settings, Value, load_settings

if TYPE_CHECKING:
    from freehold.loop.estate import Estate

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of text.")


def setting_option(key: str, flag: str) -> Callable[[F], F]:
    """An option that overrides a setting; its help and type are the setting's."""
    setting = next(s for s in SETTINGS if s.key == key)
    name = key.replace(".", "__")
    return click.option(flag, name, type=type(setting.default), default=None, help=f"{setting.help} [{setting.key}]")


def open_settings(flags: Mapping[str, Value | None] | None = None) -> Settings:
    """The settings of this command."""
    config, state = click.get_current_context().find_root().obj
    settings = load_settings(config, state=state)
    return settings.override({key.replace("__", "."): value for key, value in (flags or {}).items()})


@contextmanager
def open_estate(flags: Mapping[str, Value | None] | None = None, *, task: str | None = None) -> Iterator[Estate]:
    """The estate of this command; `task` puts that task's own settings under the flags."""
    from freehold.loop import estate as estates

    settings = open_settings()
    if task is not None:
        settings = settings.for_task(task)
    settings = settings.override({key.replace("__", "."): value for key, value in (flags or {}).items()})
    estate = estates.open_estate(settings)
    try:
        yield estate
    finally:
        estate.store.close()
