"""What several tables need for their statements: locks until the end of a transaction, and ids cut into parts.

Not covered: opening the database (`store.database`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, text

MIGRATION_LOCK, RECEIPTS_LOCK, TASKS_LOCK = 8700, 8701, 8702
"""The keys of PostgreSQL's advisory locks."""
IDS_PER_STATEMENT = 500


def lock(connection: Connection, key: int, *, is_shared: bool = False) -> None:
    """Wait for this lock and hold it until the transaction ends; its first statement.

    A shared one keeps out those who want it for themselves. SQLite has one writer at a time, which is enough for all.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        shared = "_shared" if is_shared else ""
        connection.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:key)"), {"key": key})


def in_parts(ids: Iterable[str], most: int = IDS_PER_STATEMENT) -> Iterator[Sequence[str]]:
    """Ids in parts of so many at most, each for one statement."""
    everything = list(ids)
    for start in range(0, len(everything), most):
        yield everything[start : start + most]
