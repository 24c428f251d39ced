"""Opening the database: SQLite in WAL mode or PostgreSQL by URL, migrated to this version.

Every failure of a database leaves as an error that says what to do. A file of SQLite that was deleted or replaced still
takes what is written, and nobody would find it again: that is an error, too. Not covered: what is in it (`schema`),
backups.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError, SQLAlchemyError

from freehold.errors import AwayError, BusyError, FreeholdError, MissingExtraError, SettingError, StateError
from freehold.store.statements import MIGRATION_LOCK, lock

HEAD = "0007"
_AWAY_STATES = ("08", "53", "57")
"""PostgreSQL's classes of connection trouble, missing resources and operators' interventions."""
_HALF_MIGRATED = ("already exists", "duplicate column", "no such table", "no such column", "does not exist")
"""What a database says where its tables are not those of the version that it names."""
_LOCK_WAIT_S = 10.0
_LOCK_PAUSE_S = 0.02
_SQLITE_PRAGMAS = (
    "busy_timeout=10000",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
)


class Database:
    """One open database; `place` names it in messages: a file, or a URL without its password."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self.place = place
        self._file: Path | None = None
        self._identity: tuple[int, int] | None = None
        self._inserts: dict[str, tuple[str, list[str] | None]] = {}

    def hold_on_to(self, file: Path) -> None:
        """From now on, only work that lands in this very file counts."""
        self._file = file.absolute()
        self._identity = _identity(self._file)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with."""
        self._check_file()
        with translated(self.place), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end; BusyError when another writer was first."""
        self._check_file()
        with translated(self.place), self._engine.begin() as connection:
            yield connection
        self._check_file()

    def _check_file(self) -> None:
        """StateError when the file is not the one that was opened."""
        if self._file is not None and _identity(self._file) != self._identity:
            raise StateError(
                f"The database {self.place!r} was deleted or replaced while it was in use.",
                hint="Put it back, or stop Freehold and start it again; calls that are not in it wait in the journal.",
            )

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that can say what to do `on_conflict`."""
        return postgresql.insert(table) if self._engine.dialect.name == "postgresql" else sqlite.insert(table)

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, but for those that are there already, whose values are in the order of the table's columns.

        Values go to the driver as they are: a JSON document as its text (`dump_json`). A statement with typed
        parameters takes twice the time.
        """
        if table.name not in self._inserts:
            statement = self.insert(table).on_conflict_do_nothing()
            names = [column.name for column in table.c]
            compiled = statement.compile(dialect=self._engine.dialect, column_keys=names)
            self._inserts[table.name] = str(compiled), None if compiled.positional else names
        sql, named = self._inserts[table.name]
        if named is None:
            connection.exec_driver_sql(sql, list(rows))
        else:
            connection.exec_driver_sql(sql, [dict(zip(named, row, strict=True)) for row in rows])

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Connect, create the state folder where needed, and migrate forward.

    Raises SettingError for an unusable URL, StateError for a damaged, full or newer database, MissingExtraError
    without PostgreSQL's driver.
    """
    parsed = parse_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and parsed.database:
        make_private_file(Path(parsed.database))
    engine = create_engine(parsed, pool_pre_ping=not is_sqlite, json_serializer=dump_json)
    if is_sqlite:
        event.listen(engine, "connect", _tune_sqlite)
    database = Database(engine, str(parsed.database) if is_sqlite else parsed.render_as_string(hide_password=True))
    try:
        with translated(database.place):
            _migrate(engine, database.place)
    except FreeholdError:
        engine.dispose()
        raise
    if is_sqlite and parsed.database:
        database.hold_on_to(Path(parsed.database))
    return database


def _identity(file: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None where there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def dump_json(document: object) -> str:
    """A document as JSON; most of those of a call are empty, which is told quickly."""
    if not document and isinstance(document, dict | list):
        return "{}" if isinstance(document, dict) else "[]"
    return json.dumps(document)


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the failures of the database in `place` into errors that say what to do."""
    try:
        yield
    except IntegrityError as error:
        raise BusyError(
            f"Another process wrote the same into {place!r} at the same moment.", hint="Look, then try again."
        ) from error
    except OperationalError as error:
        raise (_away(place, error.orig) or _explain(place, str(error.orig))) from error
    except DatabaseError as error:
        raise StateError(
            f"The database {place!r} is damaged: {error.orig}.",
            hint="Restore a backup, or move the file away to begin anew.",
        ) from error
    except SQLAlchemyError as error:
        raise StateError(f"The database {place!r} cannot be used: {error}.", hint="Check database_url.") from error
    except json.JSONDecodeError as error:
        raise StateError(
            f"A document in the database {place!r} is no JSON: {error}. Something else wrote to it.",
            hint="Restore a backup.",
        ) from error


def _away(place: str, error: BaseException | None) -> AwayError | None:
    """The error for a server that does not answer; None for any other failure."""
    state = getattr(error, "sqlstate", "")  # psycopg's errors alone have one; None before there is a connection
    reason = " ".join(str(error).split()).rstrip(".?")
    is_refusal = "authentication failed" in reason or "does not exist" in reason
    if is_refusal or (state is not None and state[:2] not in _AWAY_STATES):
        return None
    return AwayError(f"The database {place!r} does not answer: {reason}.", hint="Start it, or check database_url.")


def _explain(place: str, reason: str) -> FreeholdError:
    reason = " ".join(reason.split()).rstrip(".?")
    if "disk is full" in reason or "disk I/O error" in reason or "No space left" in reason:
        return StateError(
            f"The disk of the database {place!r} does not take what is written: {reason}.",
            hint="Free some space, then run this again; what was written before is kept.",
        )
    if "locked" in reason:
        return BusyError(f"The database {place!r} is locked by another process.", hint="Try again in a moment.")
    if "readonly" in reason or "unable to open" in reason:
        return StateError(
            f"The database {place!r} cannot be opened for writing: {reason}.",
            hint="Check the folder's permissions, or choose another --state.",
        )
    return StateError(f"The database {place!r} cannot be used: {reason}.", hint="Check database_url and the disk.")


def parse_url(url: str) -> URL:
    """A database's URL, with its driver; SettingError for an unusable one, MissingExtraError without the driver."""
    wrong = SettingError(f"database_url {url!r} is not a database URL.", hint="Use sqlite:///… or postgresql://…")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise wrong from error
    if parsed.drivername == "sqlite":
        return parsed
    if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise wrong
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtraError("postgres", "A record in PostgreSQL")
    return parsed.set(drivername="postgresql+psycopg")


def make_private_file(path: Path) -> None:
    """Make a database's file, empty, that its account alone may read, with its folder; one that is there stays.

    SQLite would make it as the process makes files, and gives the files beside it the same rights. StateError where
    the folder cannot be made; where the file cannot, SQLite says so.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"The state folder {str(path.parent)!r} cannot be made: {error.strerror}.", hint="Choose another --state."
        ) from error
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _tune_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        _set_pragma(cursor, pragma)
    cursor.close()


def _set_pragma(cursor: sqlite3.Cursor, pragma: str) -> None:
    """Set a pragma; SQLite does not wait by itself where several processes switch a new file to WAL at once."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_PAUSE_S)
        else:
            return


def _migrate(engine: Engine, place: str) -> None:
    with engine.connect() as connection:
        if _is_current(connection, place):
            return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        lock(connection, MIGRATION_LOCK)
        if _is_current(connection, place):
            return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except (AssertionError, CommandError, DatabaseError) as error:
            reason = " ".join(str(getattr(error, "orig", error)).split())
            if isinstance(error, DatabaseError) and not any(sign in reason for sign in _HALF_MIGRATED):
                raise
            raise StateError(
                f"The database {place!r} is no whole one of any version of Freehold: {reason or 'it has no version'}.",
                hint="Restore a backup, or choose another database_url. Nothing was changed.",
            ) from error


def _is_current(connection: Connection, place: str) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    found = "" if row is None else str(row[0])
    if found > HEAD:
        raise StateError(
            f"The database {place!r} is of version {found}; this Freehold knows {HEAD}.",
            hint="Upgrade: pip install -U freehold.",
        )
    return found == HEAD
