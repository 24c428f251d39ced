"""A run's state is JSON: whoever can write to the workflows' database, or alter a backup of it, runs no code here."""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from walker import STAGES, Scripted

import freehold.errors as errors
from freehold.errors import DataError, FreeholdError, StateError, error_of, plain_error
from freehold.model.task import Task
from freehold.pipeline.run_serializer import FORM, JsonSerializer
from freehold.pipeline.workflow import Plan, RunResult, run_pipeline
from freehold.pipeline.workspace import open_workspace
from freehold.settings import load_settings
from freehold.store.database import parse_url


class Trap:
    """A harmless pickle that shows whether it was read: it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@dataclass
class Place:
    """A state folder, its workflows' database on either store, and where the trap would show."""

    folder: Path
    database_url: str

    @property
    def trap(self) -> Path:
        return self.folder / "the pickle was read"

    @property
    def url(self) -> str:
        is_sqlite = self.database_url.startswith("sqlite")
        return f"sqlite:///{self.folder / 'state' / 'loop.db'}" if is_sqlite else self.database_url

    def run_pipeline(self, **script: str) -> RunResult:
        environment = {} if self.database_url.startswith("sqlite") else {"FREEHOLD_DATABASE_URL": self.database_url}
        workspace = open_workspace(load_settings(environment=environment, state=str(self.folder / "state")))
        try:
            task = Task(id="task1", name="triage", key="k")
            plan = Plan(task_id=task.id, stages=STAGES, mark="1")
            return run_pipeline(workspace, task, plan, Scripted(self.folder, script))  # type: ignore[arg-type]
        finally:
            workspace.store.close()

    def sql(self, statement: str, **values: Any) -> list[Any]:
        engine = create_engine(parse_url(self.url))
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            rows = list(result) if result.returns_rows else []
        engine.dispose()
        return rows

    def table(self, name: str) -> str:
        return name if self.url.startswith("sqlite") else f"dbos.{name}"

    def poison(self, table: str, column: str, form: str | None) -> None:
        """Put a pickle in a column of every run, and let its row say that it is of this form."""
        trap = base64.b64encode(pickle.dumps(Trap(self.trap))).decode()
        assert self.sql(f"SELECT count({column}) FROM {self.table(table)}")[0][0], "there is nothing to replace"
        self.sql(f"UPDATE {self.table(table)} SET {column} = :trap", trap=trap)
        marked = "operation_outputs" if table == "operation_outputs" else "workflow_status"
        self.sql(f"UPDATE {self.table(marked)} SET serialization = :form", form=form)

    def unfinish(self) -> None:
        """Let the run look as one that was killed: its inputs and its steps are read again."""
        self.sql(f"UPDATE {self.table('workflow_status')} SET status = 'PENDING'")
        self.sql(f"DELETE FROM {self.table('workflow_output')}")


@pytest.fixture
def place(tmp_path: Path, url: str) -> Place:
    return Place(tmp_path, url)


def test_every_row_is_in_our_form(place: Place) -> None:
    walked = place.run_pipeline()
    assert walked.decision == "move"
    forms, looked = set(), 0
    engine = create_engine(parse_url(place.url))
    schema = None if place.url.startswith("sqlite") else "dbos"
    tables = [
        t for t in inspect(engine).get_table_names(schema=schema) if t in ("workflow_status", "operation_outputs")
    ]
    engine.dispose()
    for table in tables:
        looked += 1
        forms |= {row[0] for row in place.sql(f"SELECT serialization FROM {place.table(table)}")}
    assert (forms, looked) == ({FORM}, 2)
    assert place.run_pipeline() == walked, "and it is found again"


@pytest.mark.parametrize("form", ["py_pickle", FORM, None])
@pytest.mark.parametrize(
    ("table", "column"),
    [("workflow_output", "output"), ("operation_outputs", "output"), ("workflow_input", "inputs")],
)
def test_a_pickle_in_a_row_is_refused_and_never_read(place: Place, table: str, column: str, form: str | None) -> None:
    place.run_pipeline()
    if table != "workflow_output":
        place.unfinish()
    place.poison(table, column, form)
    with pytest.raises(StateError) as caught:
        place.run_pipeline()
    assert not place.trap.exists()
    assert caught.value.hint


def test_the_state_of_an_earlier_freehold_is_refused_and_the_hint_goes_on(place: Place) -> None:
    before = place.run_pipeline()
    place.poison("workflow_output", "output", "py_pickle")
    with pytest.raises(StateError, match="1 runs in a form that can run code") as caught:
        place.run_pipeline()
    said = caught.value.hint.partition("aside: ")[2].partition("; and")[0]
    if place.url.startswith("sqlite"):
        subprocess.run(["bash", "-c", said], check=True)
    else:
        place.sql(said)
    assert place.run_pipeline() == before


def test_a_result_that_no_walk_gives_is_refused(place: Place) -> None:
    place.run_pipeline()
    said = JsonSerializer().serialize({"__class__": "os.system"})
    place.sql(f"UPDATE {place.table('workflow_output')} SET output = :said", said=said)
    with pytest.raises(StateError, match="no run gives"):
        place.run_pipeline()


def test_every_kind_of_error_crosses_a_walk() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, FreeholdError)]
    for kind in kinds:
        error = error_of(kind.__name__, "What.", "Then.")
        assert type(error) is kind
        form = JsonSerializer()
        again = form.deserialize(form.serialize(error))
        assert (type(again), again.message, again.hint) == (kind, "What.", "Then.")
    assert len(kinds) > 12

    class OwnError(DataError):
        """A kind of another module."""

    assert plain_error(OwnError("a"))["kind"] == "DataError"
    assert "ZeroDivisionError" in str(error_of(**plain_error(ZeroDivisionError("by zero"))))


@pytest.mark.parametrize("said", ["", "gASV", "[1]", '{"value": 1, "more": 2}', '{"error": 1}', "[" * 100_000])
def test_what_is_not_ours_is_refused(said: str) -> None:
    with pytest.raises(StateError):
        JsonSerializer().deserialize(said)
