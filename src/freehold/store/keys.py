"""Gateway keys, and what was used with each: sums per minute and per UTC day.

Two counts stand beside each other. `admitted` is how many requests gateways let in under a limit, `settled_tokens` and
`settled_usd` are what their calls did cost; each gateway adds its own several times a second (`sync`, `store.budgets`),
so that several gateways share one limit. `requests`, `tokens` and `cost_usd` are of recorded calls and are added in the
transaction that writes those calls, so that no call counts twice or not at all; they come later, and also from gateways
that died.

Sums per day are kept for ever, sums per minute for two hours. Not covered: what follows from a sum
(`freehold.gateway.keys.admission`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, true, update

from freehold.errors import BusyError, StateError
from freehold.model.key import DAY_S, MINUTE_S, Key, KeyUsage
from freehold.store import schema
from freehold.store.database import Database

Admissions = Mapping[tuple[str, int], int]
"""How many requests were let in, by key id and Unix minute."""

_MINUTES_KEPT = 120
_SUMS = ("admitted", "requests", "tokens", "cost_usd", "unpriced", "settled_tokens", "settled_usd")
_CLIENT_GONE_STATUS = 499
_REFUSED_TAG = "freehold-refused"


class KeyTable:
    """All gateway keys, with their usage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: Key) -> None:
        """Keep a new key; BusyError when another key of this name is not revoked."""
        row = {name: getattr(key, name) for name in ("id", "name", "sha256", "created_at", "revoked_at")}
        try:
            with self._database.writing() as connection:
                connection.execute(insert(schema.keys), [row | {"document": msgspec.to_builtins(key)}])
        except BusyError as error:
            raise BusyError(
                f"There is a key named {key.name!r} already.",
                hint=f"Choose another name, or first: freehold keys revoke {key.name}",
            ) from error

    def all_keys(self) -> list[Key]:
        """All keys, oldest first; expired and revoked ones, too."""
        with self._database.reading() as connection:
            return read_keys(connection)

    def revoke(self, key_id: str, now: float) -> None:
        """Let nobody in with this key from now on; a key that is revoked already keeps its time."""
        table = schema.keys
        is_it = and_(table.c.id == key_id, table.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(update(table).where(is_it).values(revoked_at=now))

    def usage(self, now: float | None = None) -> dict[str, KeyUsage]:
        """What was used with each key around a moment, by key id; a key that was not used is not there."""
        with self._database.reading() as connection:
            return read_usage(connection, time.time() if now is None else now)

    def sync(self, admitted: Admissions, now: float | None = None) -> tuple[list[Key], dict[str, KeyUsage]]:
        """Add a gateway's own counts to everybody's, and return the keys and what was used with each by now."""
        opened = self._database.writing() if admitted else self._database.reading()
        with opened as connection:
            if admitted:
                sums = {(MINUTE_S, minute * MINUTE_S, key): {"admitted": n} for (key, minute), n in admitted.items()}
                add_usage(self._database, connection, sums)
            keys = read_keys(connection)
            return keys, read_usage(connection, time.time() if now is None else now) if keys else {}


def count_calls(database: Database, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows of `calls` that were just written to the usage of their keys, within the same transaction.

    Requests are those that a client made itself, counted when they began. Tokens count with them, but when they ended:
    a long answer weighs on the minute in which it is known. Cost counts for whatever a request brought about.
    """
    sums: dict[tuple[int, int, str], dict[str, float]] = {}
    for row in rows:
        if row["error"] is not None and _REFUSED_TAG in row["tags"]:
            continue  # a sample of refused requests; those are counted elsewhere
        key, is_direct, began_at = row["key_id"], row["parent_id"] is None, row["created_at"]
        ended_at = began_at + row["latency_ms"] / 1000
        tokens = (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
        used = {"tokens": tokens * is_direct, "cost_usd": row["cost_usd"] or 0.0, "unpriced": int(_is_unpriced(row))}
        for span_s in (MINUTE_S, DAY_S):
            _grow(sums, (span_s, _start(began_at, span_s), key), {"requests": int(is_direct)})
            _grow(sums, (span_s, _start(ended_at, span_s), key), used)
    if not sums:
        return
    add_usage(database, connection, sums)
    newest = max(began_at for _, began_at, _ in sums)
    table = schema.key_usage
    is_old = and_(table.c.span_s == MINUTE_S, table.c.began_at < newest - _MINUTES_KEPT * MINUTE_S)
    connection.execute(delete(table).where(is_old))


def _is_unpriced(row: Mapping[str, Any]) -> bool:
    """Whether a call may have cost something that nobody knows; a failed one costs nothing, a broken-off one may."""
    is_paid_for = row["status"] < 400 or row["status"] == _CLIENT_GONE_STATUS
    return row["cost_usd"] is None and row["model_asked"] is not None and is_paid_for


def _start(stamp: float, span_s: int) -> int:
    return int(stamp // span_s) * span_s


def _grow(sums: dict[tuple[int, int, str], dict[str, float]], where: tuple[int, int, str], by: dict[str, Any]) -> None:
    found = sums.setdefault(where, {})
    for name, amount in by.items():
        found[name] = found.get(name, 0) + amount


def add_usage(
    database: Database, connection: Connection, sums: Mapping[tuple[int, int, str], Mapping[str, float]]
) -> None:
    """Add to the rows of usage, by span, its beginning, and key.

    In the order of these, so that two writers never wait for each other in a ring.
    """
    table = schema.key_usage
    statement = database.insert(table)
    grown = {name: table.c[name] + statement.excluded[name] for name in _SUMS}
    rows = [
        {"span_s": span_s, "began_at": began_at, "key_id": key} | dict.fromkeys(_SUMS, 0) | dict(by)
        for (span_s, began_at, key), by in sorted(sums.items())
    ]
    where = [table.c.span_s, table.c.began_at, table.c.key_id]
    connection.execute(statement.on_conflict_do_update(index_elements=where, set_=grown), rows)


def read_keys(connection: Connection, ids: Sequence[str] | None = None, *, is_for_update: bool = False) -> list[Key]:
    """Keys, oldest first: all, or those of these ids; `is_for_update` lets nobody else change them before the end."""
    c = schema.keys.c
    query = select(schema.keys).order_by(c.created_at, c.id)
    query = query if ids is None else query.where(c.id.in_(ids))
    query = query.with_for_update() if is_for_update else query
    try:
        return [
            replace(msgspec.convert(row.document, Key), revoked_at=row.revoked_at) for row in connection.execute(query)
        ]
    except msgspec.ValidationError as error:
        raise StateError(f"A stored key cannot be read: {error}.", hint="Restore a backup.") from error


def read_usage(connection: Connection, now: float, ids: Sequence[str] | None = None) -> dict[str, KeyUsage]:
    """What was used with each key around a moment: of all keys, or of those of these ids."""
    c = schema.key_usage.c
    minute, day = _start(now, MINUTE_S), _start(now, DAY_S)
    is_near = and_(c.span_s == MINUTE_S, c.began_at.in_((minute - MINUTE_S, minute)))
    is_today = and_(c.span_s == DAY_S, c.began_at == day)
    by_key: dict[str, list[Any]] = {}
    is_wanted = true() if ids is None else c.key_id.in_(ids)
    for row in connection.execute(select(schema.key_usage).where(or_(is_near, is_today), is_wanted)):
        by_key.setdefault(row.key_id, []).append(row)
    found = {key: _usage(rows, day // DAY_S) for key, rows in by_key.items()}
    leases = schema.budget_leases.c
    is_held = and_(leases.expires_at >= now, true() if ids is None else leases.key_id.in_(ids))
    held = select(leases.key_id, func.sum(leases.usd), func.sum(leases.tokens)).where(is_held).group_by(leases.key_id)
    for key, usd, tokens in connection.execute(held):
        usage = found.get(key, KeyUsage(day=day // DAY_S))
        found[key] = replace(usage, reserved_usd=float(usd), reserved_tokens=int(tokens))
    return found


def _usage(rows: Sequence[Any], day: int) -> KeyUsage:
    minutes = {int(row.began_at) // MINUTE_S: row for row in rows if row.span_s == MINUTE_S}
    usage = KeyUsage(
        admitted={minute: int(row.admitted) for minute, row in minutes.items()},
        requests={minute: int(row.requests) for minute, row in minutes.items()},
        tokens={minute: max(int(row.tokens), int(row.settled_tokens)) for minute, row in minutes.items()},
        day=day,
    )
    for row in rows:
        if row.span_s == DAY_S:
            return replace(
                usage,
                requests_today=int(row.requests),
                tokens_today=max(int(row.tokens), int(row.settled_tokens)),
                cost_usd=max(float(row.cost_usd), float(row.settled_usd)),
                unpriced=int(row.unpriced),
            )
    return usage
