"""The only place with SQL: the record and everything that is known about tasks, on SQLite or PostgreSQL."""

from freehold.store.attempts import AttemptRow, AttemptTable
from freehold.store.call_stream import CallStream, Place
from freehold.store.calls import CallFilter, CallTable, Feedback
from freehold.store.copies import copy_sqlite
from freehold.store.database import make_private_file, translated
from freehold.store.diagnostics import DatabaseDiagnostics, read_diagnostics
from freehold.store.figures import TaskFigures, TaskTotal
from freehold.store.keys import KeyTable
from freehold.store.labels import LabelTable
from freehold.store.old_calls import OldCall, OldCalls
from freehold.store.placement import Placement
from freehold.store.receipts import ReceiptTable, WatchStep
from freehold.store.retention import Before, OldBodies, Retention
from freehold.store.store import Store
from freehold.store.task_registry import DatasetRow, TaskRegistry
from freehold.store.watches import WatchRow

__all__ = [
    "AttemptRow",
    "AttemptTable",
    "Before",
    "CallFilter",
    "CallStream",
    "CallTable",
    "DatabaseDiagnostics",
    "DatasetRow",
    "Feedback",
    "KeyTable",
    "LabelTable",
    "OldBodies",
    "OldCall",
    "OldCalls",
    "Place",
    "Placement",
    "ReceiptTable",
    "Retention",
    "Store",
    "TaskFigures",
    "TaskRegistry",
    "TaskTotal",
    "WatchRow",
    "WatchStep",
    "copy_sqlite",
    "make_private_file",
    "read_diagnostics",
    "translated",
]
