"""The only place with SQL: the record and everything that is known about tasks, on SQLite or PostgreSQL."""

from freehold.store.calls import CallFilter, CallTable
from freehold.store.database import open_database
from freehold.store.store import Store
from freehold.store.taskbook import TaskFigures

__all__ = ["CallFilter", "CallTable", "Store", "TaskFigures", "open_database"]
