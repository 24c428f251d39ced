"""Opening the database: SQLite in WAL mode or PostgreSQL by URL, migrated to this version.

Not covered: what is in it (`schema`), backups.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError, SQLAlchemyError

from freehold.errors import BusyError, FreeholdError, SettingError, StateError

HEAD = "0001"


def open_database(url: str) -> Engine:
    """Connect, create the state folder where needed, and migrate forward.

    Raises SettingError for an unusable URL, StateError for a damaged, full or newer database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingError(
            f"database_url {url!r} is not a database URL.", hint="Use sqlite:///… or postgresql://…"
        ) from error
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and parsed.database:
        _make_folder(Path(parsed.database).parent)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, pool_pre_ping=not is_sqlite)
    if is_sqlite:
        event.listen(engine, "connect", _tune_sqlite)
    with translated(parsed.render_as_string()):
        _migrate(engine)
    return engine


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn database failures into errors that say what to do."""
    try:
        yield
    except OperationalError as error:
        raise _explain(where, str(error.orig)) from error
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise StateError(
            f"The database {where!r} is damaged: {error.orig}.",
            hint="Restore a backup, or move the file away to begin anew.",
        ) from error
    except SQLAlchemyError as error:
        raise StateError(f"The database {where!r} cannot be used: {error}.", hint="Check database_url.") from error


def _explain(where: str, reason: str) -> FreeholdError:
    if "disk is full" in reason:
        return StateError(f"The disk that holds {where!r} is full.", hint="Free some space, then run this again.")
    if "locked" in reason:
        return BusyError(f"The database {where!r} is locked by another process.", hint="Try again in a moment.")
    if "readonly" in reason or "unable to open" in reason:
        return StateError(f"The database {where!r} cannot be opened: {reason}.", hint="Check the folder's permissions.")
    return StateError(f"The database {where!r} cannot be used: {reason}.", hint="Check database_url and the disk.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"The state folder {str(folder)!r} cannot be made: {error.strerror}.",
            hint="Choose another --state.",
        ) from error


def _tune_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        found = _version(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise StateError(
            f"The database is of version {found}; this Freehold knows {HEAD}.",
            hint="Upgrade: pip install -U freehold.",
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            if _version(connection) == HEAD:
                return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Any) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
