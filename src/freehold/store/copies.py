"""Copies of an SQLite database that is in use: whole, and as of one moment.

Not covered: PostgreSQL, which brings pg_dump.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from freehold.errors import StateError


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database while others write to it; writers do not wait. StateError when it cannot be read or written."""
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE").close()
    except sqlite3.Error as error:
        raise StateError(
            f"The database {str(source)!r} cannot be copied to {str(target)!r}: {error}.",
            hint="Run: freehold doctor; and look at the free space of the disk.",
        ) from error
