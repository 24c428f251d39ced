"""Opening a database: migrations give the tables of the schema, and whatever is wrong with it is one clear error."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from made import a_call
from sqlalchemy import create_engine, text

from freehold.errors import BusyError, FreeholdError, MissingExtraError, SettingError, StateError
from freehold.store import CallFilter, Store, schema


def test_migrations_make_the_tables_of_the_schema(url: str) -> None:
    Store(url).close()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_opening_again_keeps_what_is_there(url: str) -> None:
    first = Store(url)
    first.calls.add([a_call()])
    first.close()
    second = Store(url)
    assert second.calls.count(CallFilter()) == 1
    second.close()


def test_many_processes_may_open_a_new_database_at_once(url: str) -> None:
    code = "import sys; from freehold.store import Store; Store(sys.argv[1]).close()"
    started = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE) for _ in range(4)]
    ended = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 4, ended


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '0006'",
        "UPDATE alembic_version SET version_num = '0001'",
        "UPDATE alembic_version SET version_num = '0000'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
def test_a_database_that_is_half_migrated_is_left_alone(url: str, change: str) -> None:
    """Another tool, or files of two backups: the tables are not those of the version that it names."""
    store = Store(url)
    store.calls.add([a_call(id="kept")])
    store.close()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(change))
    with pytest.raises(StateError, match=r"no whole one of any version of Freehold: .*Restore a backup") as caught:
        Store(url)
    assert "\n" not in str(caught.value)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT id FROM calls")).scalars().all() == ["kept"]
    engine.dispose()


def _damaged(folder: Path) -> Iterator[tuple[str, type[FreeholdError], str]]:
    garbage = folder / "garbage.db"
    garbage.write_bytes(b"this is no database, " * 400)
    yield f"sqlite:///{garbage}", StateError, "is damaged"
    newer = folder / "newer.db"
    Store(f"sqlite:///{newer}").close()
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    yield f"sqlite:///{newer}", StateError, "pip install -U freehold"
    blocked = folder / "file"
    blocked.write_text("x")
    yield f"sqlite:///{blocked}/state/freehold.db", StateError, "cannot be made"
    (folder / "folder.db").mkdir()
    yield f"sqlite:///{folder / 'folder.db'}", StateError, "cannot be opened"
    yield "nonsense", SettingError, "not a database URL"
    yield "mysql://u:secret@h/d", SettingError, "sqlite:///"
    yield "postgresql://u:p@h:port/d", SettingError, "not a database URL"


def test_each_thing_that_can_be_wrong_with_a_database_is_one_line_that_helps(tmp_path: Path) -> None:
    checked = 0
    for url, kind, words in _damaged(tmp_path):
        with pytest.raises(kind) as caught:
            Store(url)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.hint
        checked += 1
    assert checked == 7


def test_a_database_damaged_in_use_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "freehold.db"
    store = Store(f"sqlite:///{path}")
    store.calls.add([a_call(response_body=b"x" * 9000) for _ in range(50)])
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StateError, match="damaged"):
        Store(f"sqlite:///{path}").calls.find(CallFilter())


def test_a_full_disk_is_said_to_be_full_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "freehold.db"
    store = Store(f"sqlite:///{path}")
    kept = a_call()
    store.calls.add([kept])
    with store._database._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StateError, match="Free some space"):
        store.calls.add([a_call(response_body=b"x" * 200_000)])
    assert store.calls.find(CallFilter()) == [kept]
    store.close()


def test_a_database_that_was_deleted_or_replaced_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state" / "freehold.db"
    url = f"sqlite:///{path}"
    store = Store(url)
    first = a_call()
    store.calls.add([first])
    path.parent.rename(tmp_path / "moved")
    for work in (lambda: store.calls.add([a_call()]), lambda: store.calls.find(CallFilter())):
        with pytest.raises(StateError, match="was deleted or replaced while it was in use"):
            work()
    assert not path.parent.exists(), "no empty database was made in its place"
    (tmp_path / "moved").rename(path.parent)
    assert store.calls.find(CallFilter()) == [first]
    path.unlink()
    Store(url).close()
    with pytest.raises(StateError, match="was deleted or replaced while it was in use"):
        store.calls.add([a_call()])
    store.close()
    assert Store(url).calls.find(CallFilter()) == []


def test_a_database_that_goes_in_the_middle_of_a_write_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "freehold.db"
    store = Store(f"sqlite:///{path}")
    store.calls.add([a_call()])
    with pytest.raises(StateError, match="was deleted"), store._database.writing():
        path.unlink()
    store.close()


def test_a_locked_database_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.store.database._SQLITE_PRAGMAS", ("busy_timeout=10", "journal_mode=WAL"))
    path = tmp_path / "freehold.db"
    store = Store(f"sqlite:///{path}")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="locked"):
        store.calls.add([a_call()])
    other.rollback()
    other.close()
    store.calls.add([a_call()])
    store.close()


def test_postgresql_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec

    def without_psycopg(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "psycopg" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_psycopg)
    with pytest.raises(MissingExtraError, match=r"freehold\[postgres\]"):
        Store("postgresql://localhost/freehold")
