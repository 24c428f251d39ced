"""Facts about a database, read without changing it: nothing is made, and nothing is migrated.

Not covered: judging them (`ops.doctor`).
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text

from freehold.errors import StateError
from freehold.store.database import HEAD, parse_url, translated

_CONNECT_TIMEOUT_S = 5
_STEPS_PER_LOOK = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseDiagnostics:
    """What is known of a database; `version` is that of its tables, None where it has none yet.

    `damage` is what an integrity check found, None where it was not done to the end, empty where all is well.
    """

    kind: str
    place: str
    server: str
    version: str | None
    wanted: str = HEAD
    size_bytes: int = 0
    damage: tuple[str, ...] | None = None


def read_diagnostics(url: str, *, check_s: float) -> DatabaseDiagnostics | None:
    """Facts about a database, with an integrity check of at most `check_s` seconds; None when there is none yet."""
    parsed = parse_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    place = str(parsed.database) if is_sqlite else parsed.render_as_string(hide_password=True)
    if is_sqlite and not Path(place).exists():
        return None
    options: dict[str, Any] = {} if is_sqlite else {"connect_timeout": _CONNECT_TIMEOUT_S}
    engine = create_engine(parsed, connect_args=options)
    try:
        with translated(place), engine.connect() as connection:
            read = _read_sqlite if is_sqlite else _read_postgres
            return read(connection, place, check_s)
    finally:
        engine.dispose()


def _read_sqlite(connection: Connection, place: str, check_s: float) -> DatabaseDiagnostics:
    version = _version(connection)
    files = [path for end in ("", "-wal") if (path := Path(place + end)).exists()]
    return DatabaseDiagnostics(
        kind="sqlite",
        place=place,
        server=sqlite3.sqlite_version,
        version=version,
        size_bytes=sum(path.stat().st_size for path in files),
        damage=_quick_check(connection, check_s),
    )


def _read_postgres(connection: Connection, place: str, check_s: float) -> DatabaseDiagnostics:
    del check_s  # PostgreSQL checks its pages when it reads them
    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    server = connection.execute(text("SHOW server_version")).scalar_one()
    version = _version(connection)
    return DatabaseDiagnostics(
        kind="postgresql", place=place, server=str(server), version=version, size_bytes=int(size)
    )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def _quick_check(connection: Connection, check_s: float) -> tuple[str, ...] | None:
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise StateError("The database's driver is not sqlite3.", hint="Use a database_url that begins with sqlite://.")
    deadline = time.monotonic() + check_s
    raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_PER_LOOK)
    try:
        found = tuple(str(row[0]) for row in raw.execute("PRAGMA quick_check(10)"))
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return None
        raise StateError(
            f"The database cannot be checked: {error}.", hint="Try again; if it stays so, restore a backup."
        ) from error
    except sqlite3.DatabaseError as error:
        return (str(error),)
    finally:
        raw.set_progress_handler(None, 0)
    return () if found == ("ok",) else found
