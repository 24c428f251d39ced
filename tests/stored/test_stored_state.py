"""A state folder that an earlier version made, its record in SQLite or PostgreSQL, opens, migrates and goes on.

`pack.py` made it out of what `make demo` leaves: a task that was frozen, trained, proven and moved, and calls after
that. Its weights are left out.
"""

from __future__ import annotations

import json
import lzma
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from click.testing import Result
from made import Run
from msgspec import structs
from sqlalchemy import JSON, Boolean, MetaData, Table, create_engine, insert, text
from stored.test_stored_names import paths

import freehold.store
from freehold.model.coins import COIN_NAMES, NO_COINS
from freehold.model.ids import uuid7
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter
from freehold.store.database import parse_url

HERE = Path(__file__).parent
TASK, CALLS = "lookup", 620
KEYS = HERE / "json_keys.json"
LOOKS = (
    ("calls", "--limit", "50"),
    ("tasks",),
    ("tasks", "edits"),
    ("status",),
    ("receipts",),
    ("receipts", "show", "1"),
    ("receipts", "verify"),
    ("receipts", "head"),
    ("keys", "list"),
    ("settings",),
    ("back", TASK),
)
"""Verbs that only look, then one that takes a route back."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder as it was."""
    with lzma.open(HERE / "demo.tar.xz") as file, tarfile.open(fileobj=file) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "state"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def where(request: pytest.FixtureRequest, state: Path) -> dict[str, str]:
    """What says where the record is: in the state folder, or in a PostgreSQL database."""
    found = {"FREEHOLD_STATE": str(state)}
    if request.param == "postgres":
        found["FREEHOLD_DATABASE_URL"] = _copied(state / "freehold.db", request.getfixturevalue("postgres"))
        (state / "freehold.db").unlink()
    return found


@pytest.fixture
def workspace(where: dict[str, str]) -> Iterator[Workspace]:
    """All of it, open."""
    opened = open_workspace(load_settings(environment=where))
    yield opened
    opened.store.close()


@pytest.fixture
def verb(where: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a verb on it."""
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    return run


def _copied(database: Path, server: Any) -> str:
    """The URL of a PostgreSQL database of the same version, made by that version's migrations, with the same rows."""
    name = f"t{uuid7().replace('-', '')}"
    server.psql(f"CREATE DATABASE {name};")
    uri = str(server.get_uri(name))
    source, target = create_engine(f"sqlite:///{database}"), create_engine(parse_url(uri))
    with source.connect() as reading, target.begin() as writing:
        (version,) = reading.execute(text("SELECT version_num FROM alembic_version")).one()
        config = Config()
        config.set_main_option("script_location", str(Path(freehold.store.__file__).parent / "migrations"))
        config.attributes["connection"] = writing
        command.upgrade(config, version)
        tables = MetaData()
        tables.reflect(writing)
        for table in tables.sorted_tables:
            columns = ", ".join(column.name for column in table.columns)
            rows = reading.execute(text(f"SELECT {columns} FROM {table.name}")).mappings().all()
            if rows and table.name != "alembic_version":
                writing.execute(insert(table), [_fitting(row, table) for row in rows])
    source.dispose()
    target.dispose()
    return uri


def _fitting(row: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """A row of SQLite, whose booleans are numbers and whose documents are text, as PostgreSQL wants it."""
    found = dict(row)
    for column in table.columns:
        value = found[column.name]
        if value is not None and isinstance(column.type, Boolean):
            found[column.name] = bool(value)
        if isinstance(value, str) and isinstance(column.type, JSON):
            found[column.name] = json.loads(value)
    return found


def test_an_old_record_opens_with_all_that_it_holds(workspace: Workspace) -> None:
    task = workspace.task(TASK)
    route = workspace.store.registry.route(task.id)
    verdict = workspace.store.registry.verdict(str(route.verdict_id))
    assert workspace.store.calls.count(CallFilter(is_direct=True)) == CALLS
    assert (route.kind, route.version) == ("cascade", 1)
    assert verdict is not None
    assert verdict.decision == "move"
    assert workspace.model(task, route.model_id).id == verdict.model_id


def test_coins_that_were_tags_are_fields_now(workspace: Workspace) -> None:
    task = workspace.task(TASK)
    owned = workspace.store.calls.find(CallFilter(task_id=task.id, arm="owned"))
    assert {call.coins.audit_rate for call in owned} == {workspace.store.registry.route(task.id).audit_rate}
    audited = {call.parent_id for call in workspace.store.calls.find(CallFilter(task_id=task.id, arm="audit"))}
    assert {call.id for call in owned if call.coins.is_audit_due} == audited
    everything = workspace.store.calls.find(CallFilter())
    assert all(call.tags.keys().isdisjoint(COIN_NAMES) for call in everything)
    assert any(call.tags for call in everything)


def test_an_old_record_takes_new_calls_and_sorts_them(workspace: Workspace) -> None:
    task = workspace.task(TASK)
    (newest,) = workspace.store.calls.find(CallFilter(task_id=task.id, arm="rented", newest_first=True, limit=1))
    fresh = {"id": uuid7(), "parent_id": None, "task_id": None, "task_key": None}
    call = structs.replace(newest, **fresh, route_version=0, tags={}, coins=NO_COINS)
    workspace.store.calls.add([call])
    sort_new_calls(workspace)
    kept = workspace.store.calls.get(call.id)
    assert kept is not None
    assert kept.task_id == task.id


def test_an_old_task_is_frozen_anew_and_its_receipts_are_whole(verb: Run) -> None:
    frozen = _ok(verb("freeze", TASK, "--json"))
    assert json.loads(frozen.stdout)["counts"]["proof"] > 0
    assert "whole" in _ok(verb("receipts", "verify")).stdout


def test_the_keys_of_json_output_are_what_they_were(verb: Run) -> None:
    found = {" ".join(words): sorted(set(_keys(_ok(verb(*words, "--json"))))) for words in LOOKS}
    assert found == json.loads(KEYS.read_text(encoding="utf-8")), f"write {KEYS} with:\n{json.dumps(found, indent=1)}"


def _ok(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def _keys(result: Result) -> Iterator[str]:
    for line in result.stdout.splitlines():
        yield from paths(json.loads(line))
