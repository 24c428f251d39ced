"""How DBOS writes runs down: as JSON, so that whoever can write to that database cannot run code here.

    {"value": ...}                                      inputs and results: text, numbers, lists, objects
    {"error": {"kind": ..., "message": ..., "hint": ...}}   an error of `freehold.errors`, or words about any other

DBOS itself would use pickle, and it reads what a row calls a pickle with pickle, whichever serializer it was given. So
both is needed: a serializer of our own, and `without_pickle`, which takes the other one away while DBOS runs. Rows in
another form are refused before anything is read; an earlier Freehold wrote such rows.

Not covered: whether what a row says is true. Every stage looks into the record for what a row names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from dbos import Serializer
from dbos._serialization import DefaultSerializer
from sqlalchemy import create_engine, inspect, text

from freehold.errors import FreeholdError, StateError, error_of, plain_error
from freehold.store import translated
from freehold.store.database import parse_url

FORM = "freehold_json"
WORKFLOW = "road"
_TABLE = "workflow_status"
_LARGEST_TEXT = 2**20
_FORGET = f"DELETE FROM dbos.{_TABLE} WHERE name = '{WORKFLOW}' AND coalesce(serialization, '')"  # noqa: S608


class JsonSerializer(Serializer):
    """Values and errors as JSON."""

    def name(self) -> str:
        """What rows of this form are marked with."""
        return FORM

    def serialize(self, data: Any) -> str:
        """A value or an error as text; TypeError for what JSON cannot say."""
        if isinstance(data, Exception):
            return json.dumps({"error": plain_error(data)})
        return json.dumps({"value": data}, allow_nan=False)

    def deserialize(self, serialized_data: str) -> Any:
        """The value or the error of a text; StateError where it is none that `serialize` wrote."""
        try:
            found = json.loads(serialized_data) if len(serialized_data) <= _LARGEST_TEXT else None
        except (ValueError, RecursionError) as error:
            raise _unreadable() from error
        match found:
            case {"value": value, **others} if not others:
                return value
            case {"error": {"kind": str(kind), "message": str(message), "hint": str(hint)}}:
                return error_of(kind, message, hint)
        raise _unreadable()


def _unreadable() -> StateError:
    return StateError(
        "The state of a run is not in the form in which Freehold writes it: something else wrote to its database.",
        hint="Move loop.db* out of the state folder and give the command again; no dataset, model or verdict is lost.",
    )


def _refuse(_self: object, _data: object) -> NoReturn:
    raise _unreadable()


@contextmanager
def without_pickle() -> Iterator[None]:
    """While the block runs DBOS neither reads nor writes a pickle, whatever its rows ask for."""
    before = DefaultSerializer.serialize, DefaultSerializer.deserialize
    DefaultSerializer.serialize = DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        DefaultSerializer.serialize, DefaultSerializer.deserialize = before  # type: ignore[method-assign]


def check_form(url: str, place: str) -> None:
    """StateError where a run in the workflows' database at `url` is in another form; none of it is read."""
    parsed = parse_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    schema = None if is_sqlite else "dbos"
    engine = create_engine(parsed)
    try:
        with translated(place), engine.connect() as connection:
            found = inspect(connection)
            if not found.has_table(_TABLE, schema=schema):
                return
            columns = {column["name"] for column in found.get_columns(_TABLE, schema=schema)}
            table = _TABLE if is_sqlite else f"{schema}.{_TABLE}"
            other = "coalesce(serialization, '') <> :form" if "serialization" in columns else ":form = :form"
            query = f"SELECT count(*) FROM {table} WHERE name = :name AND {other}"  # noqa: S608  (our own words)
            count = int(connection.execute(text(query), {"name": WORKFLOW, "form": FORM}).scalar_one())
    finally:
        engine.dispose()
    if count:
        raise _of_other_form(count, place, is_sqlite=is_sqlite)


def _of_other_form(count: int, place: str, *, is_sqlite: bool) -> FreeholdError:
    aside = Path(place).parent / "old-walks"
    way = f"mkdir '{aside}' && mv '{place}'* '{aside}'/" if is_sqlite else f"{_FORGET} <> '{FORM}'"
    return StateError(
        f"{place!r} holds {count:,} runs in a form that can run code when it is read: an earlier Freehold wrote them,"
        " or somebody else did.",
        hint=f"Put them aside: {way}; and give the command again. Datasets, models and verdicts are kept elsewhere, and"
        " a run that was interrupted goes on from what it has made.",
    )
