"""The only place with SQL: the record and everything that is known about tasks, on SQLite or PostgreSQL."""

from freehold.store.calls import CallFilter, CallTable, Feedback
from freehold.store.database import translated
from freehold.store.figures import TaskFigures
from freehold.store.store import Store
from freehold.store.taskbook import DatasetRow, TaskBook

__all__ = ["CallFilter", "CallTable", "DatasetRow", "Feedback", "Store", "TaskBook", "TaskFigures", "translated"]
