"""Receipts in the database: appended in the transaction of what they are for, read in order, never changed.

Appending is one at a time, whichever process does it: SQLite has one writer, PostgreSQL a lock that the transaction
holds. So numbers have no gaps, and a verdict or a route and its receipt are both there or neither is. There is no code
that updates or deletes a receipt, and triggers refuse it. Not covered: what is sealed (`model.receipt`), what is stated
(`model.statement`).
"""

from __future__ import annotations

import getpass
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, insert, select

import freehold
from freehold.errors import DataError
from freehold.model.dataset import Manifest
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.live import Live
from freehold.model.model_card import ModelCard
from freehold.model.receipt import START, Head, Kind, Receipt, receipt_of, seal
from freehold.model.route import Route
from freehold.model.statement import Setting, is_same_proof, state_route, state_verdict, state_watch
from freehold.model.verdict import Verdict
from freehold.store import schema
from freehold.store.database import Database
from freehold.store.documents import read_document
from freehold.store.statements import RECEIPTS_LOCK, lock

T = TypeVar("T")
REPORT_FILES = ("report.html", "report.json", "report.txt")
_ROWS_PER_READ = 200
_TABLE = schema.receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStep:
    """What the watch of a route set on it `now`, what it `told` last, and the figures that it had `seen` by then."""

    route: Route
    told: Live
    now: Live
    seen: Mapping[str, object]


class ReceiptTable:
    """The chain as it is read; what is no receipt any more comes as words that say why."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> Head:
        """The newest receipt's number and hash; number 0 where there is none."""
        with self._database.reading() as connection:
            return _head(connection)

    def stream(self, *, task_id: str | None = None, after: int = 0) -> Iterator[Receipt | str]:
        """The receipts, of one task or all, whose number is above `after`, oldest first."""
        last = after
        while True:
            query = select(_TABLE).where(_TABLE.c.number > last).order_by(_TABLE.c.number).limit(_ROWS_PER_READ)
            with self._database.reading() as connection:
                chosen = query if task_id is None else query.where(_TABLE.c.task_id == task_id)
                rows = connection.execute(chosen).all()
            yield from (_read(row) for row in rows)
            if len(rows) < _ROWS_PER_READ:
                return
            last = rows[-1].number

    def newest(self, count: int, task_id: str | None = None) -> list[Receipt | str]:
        """The newest receipts, of one task or all, oldest of them first."""
        query = select(_TABLE).order_by(_TABLE.c.number.desc()).limit(count)
        with self._database.reading() as connection:
            rows = connection.execute(query if task_id is None else query.where(_TABLE.c.task_id == task_id)).all()
        return [_read(row) for row in reversed(rows)]

    def numbered(self, number: int) -> Receipt | str | None:
        """The receipt of this number."""
        with self._database.reading() as connection:
            row = connection.execute(select(_TABLE).where(_TABLE.c.number == number)).first()
        return None if row is None else _read(row)

    def beginning(self, hash_start: str) -> list[int]:
        """The numbers of up to two receipts whose hash begins so."""
        query = select(_TABLE.c.number).where(_TABLE.c.hash.startswith(hash_start, autoescape=True)).limit(2)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def of_verdict(self, verdict_id: str) -> Receipt | None:
        """The newest receipt of the verdict of this id."""
        with self._database.reading() as connection:
            return _of_verdict(connection, verdict_id)


def take_turn(connection: Connection) -> None:
    """Let nobody else append until this transaction ends; its first statement."""
    lock(connection, RECEIPTS_LOCK)


def append_verdict(connection: Connection, verdict: Verdict, report: Mapping[str, str]) -> None:
    """Append a verdict's receipt, unless its last one says the same; `report` gives SHA-256 of files by name."""
    manifest = _document(connection, schema.datasets, verdict.dataset_hash, Manifest)
    statement = state_verdict(verdict, _setting(connection, verdict.task_id, verdict.model_id), manifest, report)
    known = _of_verdict(connection, verdict.id)
    if known is None or not is_same_proof(known.content, statement):
        _append(connection, "verdict", verdict.task_id, statement)


def append_route(connection: Connection, route: Route, before: Route) -> None:
    """Append the receipt of a route that takes the place of `before`."""
    setting = _setting(connection, route.task_id, route.model_id)
    _append(connection, "route", route.task_id, state_route(route, setting, before, _grounds(connection, route)))


def append_watch(connection: Connection, step: WatchStep) -> None:
    """Append the receipt of what the watch of a route set on it."""
    setting, grounds = _setting(connection, step.route.task_id, step.route.model_id), _grounds(connection, step.route)
    statement = state_watch(step.route, setting, step.told, step.now, step.seen, grounds)
    _append(connection, "watch", step.route.task_id, statement)


def report_sums(report_path: str) -> dict[str, str]:
    """The SHA-256 of the files of a report, by name; those that are there."""
    if not report_path:
        return {}
    paths = [path for name in REPORT_FILES if (path := Path(report_path).parent / name).is_file()]
    return {path.name: sha256_hex(path.read_bytes()) for path in paths}


@cache
def code_version() -> Mapping[str, str]:
    """The version that runs, and a digest of its source files as they are on disk when first asked.

    The digest is that of `find . -name '*.py' | LC_ALL=C sort | xargs sha256sum | sha256sum` in the package's folder.
    """
    folder = Path(freehold.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: f"./{path.relative_to(folder).as_posix()}".encode()):
        line = f"{sha256_hex(path.read_bytes())}  ./{path.relative_to(folder).as_posix()}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return {"version": freehold.__version__, "sha256": digest.hexdigest()}


def _append(connection: Connection, kind: Kind, task_id: str, statement: Mapping[str, object]) -> None:
    receipt = seal(_head(connection), kind=kind, task_id=task_id, document=statement, created_at=time.time())
    names = ("number", "hash", "previous", "created_at", "kind", "task_id", "document")
    connection.execute(insert(_TABLE), [{name: getattr(receipt, name) for name in names}])


def _head(connection: Connection) -> Head:
    query = select(_TABLE.c.number, _TABLE.c.hash).order_by(_TABLE.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return START if row is None else Head(row.number, row.hash)


def _of_verdict(connection: Connection, verdict_id: str) -> Receipt | None:
    """The newest receipt of a verdict; the text is searched for its id, then read to be sure."""
    is_named = _TABLE.c.document.contains(f'"id":{canonical_json(verdict_id)}', autoescape=True)
    query = select(_TABLE).where(_TABLE.c.kind == "verdict", is_named).order_by(_TABLE.c.number.desc())
    for row in connection.execute(query):
        receipt = _read(row)
        if isinstance(receipt, Receipt) and _verdict_id(receipt) == verdict_id:
            return receipt
    return None


def _grounds(connection: Connection, route: Route) -> str | None:
    """The receipt, as N:HASH, of the verdict that a route rests on."""
    found = _of_verdict(connection, route.verdict_id) if route.verdict_id else None
    return None if found is None else f"{found.number}:{found.hash}"


def _verdict_id(receipt: Receipt) -> object:
    try:
        verdict = receipt.content.get("verdict")
    except DataError:
        return None
    return verdict.get("id") if isinstance(verdict, dict) else None


def _setting(connection: Connection, task_id: str, model_id: str | None) -> Setting:
    name = connection.execute(select(schema.tasks.c.name).where(schema.tasks.c.id == task_id)).scalar()
    card = None if model_id is None else _document(connection, schema.models, model_id, ModelCard)
    return Setting(task=name, model=card, code=code_version(), account=_account())


def _document(connection: Connection, table: Any, row_id: str, kind: type[T]) -> T | None:
    found = connection.execute(select(table.c.document).where(table.c.id == row_id)).scalar()
    return None if found is None else read_document(found, kind)


def _read(row: Row[Any]) -> Receipt | str:
    found = receipt_of(dict(row._mapping))
    return found if isinstance(found, Receipt) else f"receipt {str(row.number)[:20]} cannot be read: {found}"


def _account() -> str:
    """The account of this machine that the process runs as."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
