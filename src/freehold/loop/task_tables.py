"""Tables of settings for tasks that do not exist: `[tasks.NAME]` with a name that no task has changes nothing.

A task of the name may still come, so that only commands about a task stop at it. Not covered: names of settings
(`freehold.settings`), which need no task to be told from mistakes.
"""

from __future__ import annotations

import difflib

from freehold.errors import SettingError
from freehold.loop.estate import Estate, open_estate
from freehold.loop.sorting import sort_new_calls
from freehold.settings import Settings
from freehold.store import read_facts


def unknown_tables(estate: Estate) -> tuple[SettingError, ...]:
    """One error for each table that is for no task; none while there are no tasks at all."""
    tables = estate.settings.tasks
    names = {task.id: task.name for task in estate.store.book.tasks()} if tables else {}
    known = set(names.values())
    return tuple(_error(estate, table, names) for table in tables if table not in known) if names else ()


def check_tables(estate: Estate) -> None:
    """Raise the error of the first table that is for no task, after calls that are new were sorted into theirs."""
    if not set(estate.settings.tasks) <= {task.name for task in estate.store.book.tasks()}:
        sort_new_calls(estate)
        for error in unknown_tables(estate):
            raise error


def tables_for_no_task(settings: Settings) -> tuple[SettingError, ...]:
    """The same errors for a command that opens no record; none where there is no database of this version yet."""
    facts = read_facts(settings.database_url, check_s=0) if settings.tasks else None
    if facts is None or facts.version != facts.wanted:
        return ()
    estate = open_estate(settings)
    try:
        return unknown_tables(estate)
    finally:
        estate.store.close()


def _error(estate: Estate, table: str, names: dict[str, str]) -> SettingError:
    near = [names[table]] if table in names else difflib.get_close_matches(table, names.values(), n=1)
    advice = f"Did you mean [tasks.{near[0]}]?" if near else "See the names in: freehold tasks."
    return SettingError(
        f"[tasks.{table}] in {estate.settings.source} is for no task, so that its settings do nothing.",
        hint=f"{advice} Until the task's first call has come, leave the table out.",
    )
