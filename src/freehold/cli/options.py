"""Opening what a command works on: settings from the root's options and the command's flags, then the workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from freehold.settings import SETTINGS, Settings, Value, load_settings
from freehold.terminal import tell

if TYPE_CHECKING:
    from freehold.pipeline.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])

SORTING_S = 5.0
"""So long a command that shows something sorts new calls first: in a busy hour they come as fast as they are sorted."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of text.")


@dataclass(frozen=True, slots=True)
class Root:
    """The options that stand before the verb."""

    config: Path | None
    state: str | None


def setting_option(key: str, flag: str) -> Callable[[F], F]:
    """An option that overrides a setting; its help and type are the setting's."""
    setting = next(s for s in SETTINGS if s.key == key)
    name = key.replace(".", "__")
    if isinstance(setting.default, bool):
        switch = f"{flag}/--no-{flag.removeprefix('--')}"
        return click.option(switch, name, default=None, help=f"{setting.help} [{setting.key}]")
    return click.option(flag, name, type=type(setting.default), default=None, help=f"{setting.help} [{setting.key}]")


def open_settings(flags: Mapping[str, Value | None] | None = None) -> Settings:
    """The settings of this command."""
    return _with_flags(_load(), flags)


@contextmanager
def open_workspace(
    flags: Mapping[str, Value | None] | None = None, *, task: str | None = None, is_strict: bool = True
) -> Iterator[Workspace]:
    """The workspace of this command; `task` puts that task's own settings under the flags.

    With a task, a table of settings that is for no task is a SettingError, where this `is_strict`.
    """
    from freehold.ops.heads import try_to_keep_head
    from freehold.ops.privacy import keep_private
    from freehold.pipeline import workspace as workspaces
    from freehold.sort.run.task_tables import check_tables

    settings = _load()
    keep_private(settings.state.absolute())
    opened = workspaces.open_workspace(settings)
    try:
        _catch_up(opened)
        if task is not None:
            if is_strict:
                check_tables(opened)
            settings = settings.for_task(opened.known_name(task))
        yield workspaces.Workspace(_with_flags(settings, flags), opened.store)
        try_to_keep_head(opened)
    finally:
        opened.store.close()


def _catch_up(workspace: Workspace) -> None:
    """Let the record have all calls that were answered so far; says it when it cannot."""
    from freehold.record.run.journal import catch_up

    waiting = catch_up(workspace)
    if waiting.calls:
        tell(f"{waiting.calls:,} calls wait in the journal and are not in the record yet: {waiting.problem or 'busy'}.")


def _load() -> Settings:
    root: Root = click.get_current_context().find_root().obj
    return load_settings(root.config, state=root.state)


def _with_flags(settings: Settings, flags: Mapping[str, Value | None] | None) -> Settings:
    return settings.override({key.replace("__", "."): value for key, value in (flags or {}).items()})
