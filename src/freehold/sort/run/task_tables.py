"""Tables of settings for tasks that do not exist: `[tasks.NAME]` with a name that no task has changes nothing.

A task of the name may still come, so that only commands about a task stop at it. Not covered: names of settings
(`freehold.settings`), which need no task to be told from mistakes.
"""

from __future__ import annotations

import difflib

from freehold.errors import SettingError
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import Settings
from freehold.sort.run.sort import sort_new_calls
from freehold.store import read_diagnostics


def unknown_tables(workspace: Workspace) -> tuple[SettingError, ...]:
    """One error for each table that is for no task; none while there are no tasks at all."""
    tables = workspace.settings.tasks
    names = {task.id: task.name for task in workspace.store.registry.tasks()} if tables else {}
    known = set(names.values())
    return tuple(_error(workspace, table, names) for table in tables if table not in known) if names else ()


def check_tables(workspace: Workspace) -> None:
    """Raise the error of the first table that is for no task, after calls that are new were sorted into theirs."""
    if not set(workspace.settings.tasks) <= {task.name for task in workspace.store.registry.tasks()}:
        sort_new_calls(workspace)
        for error in unknown_tables(workspace):
            raise error


def tables_for_no_task(settings: Settings) -> tuple[SettingError, ...]:
    """The same errors for a command that opens no record; none where there is no database of this version yet."""
    facts = read_diagnostics(settings.database_url, check_s=0) if settings.tasks else None
    if facts is None or facts.version != facts.wanted:
        return ()
    workspace = open_workspace(settings)
    try:
        return unknown_tables(workspace)
    finally:
        workspace.store.close()


def _error(workspace: Workspace, table: str, names: dict[str, str]) -> SettingError:
    near = [names[table]] if table in names else difflib.get_close_matches(table, names.values(), n=1)
    advice = f"Did you mean [tasks.{near[0]}]?" if near else "See the names in: freehold tasks."
    return SettingError(
        f"[tasks.{table}] in {workspace.settings.source} is for no task, so that its settings do nothing.",
        hint=f"{advice} Until the task's first call has come, leave the table out.",
    )
