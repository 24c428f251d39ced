"""The only place with SQL: the record and everything that is known about tasks, on SQLite or PostgreSQL."""

from freehold.store.attempts import AttemptRow, AttemptTable
from freehold.store.calls import CallFilter, CallTable, Feedback
from freehold.store.copies import copy_sqlite
from freehold.store.database import make_private_file, translated
from freehold.store.facts import DatabaseFacts, read_facts
from freehold.store.figures import TaskFigures, TaskTotal
from freehold.store.following import Following, Place
from freehold.store.keys import KeyTable
from freehold.store.labels import LabelTable
from freehold.store.old_calls import OldCall, OldCalls
from freehold.store.receipts import ReceiptTable, WatchStep
from freehold.store.store import Store
from freehold.store.taskbook import DatasetRow, TaskBook
from freehold.store.upkeep import Before, OldBodies, Upkeep
from freehold.store.watches import WatchRow

__all__ = [
    "AttemptRow",
    "AttemptTable",
    "Before",
    "CallFilter",
    "CallTable",
    "DatabaseFacts",
    "DatasetRow",
    "Feedback",
    "Following",
    "KeyTable",
    "LabelTable",
    "OldBodies",
    "OldCall",
    "OldCalls",
    "Place",
    "ReceiptTable",
    "Store",
    "TaskBook",
    "TaskFigures",
    "TaskTotal",
    "Upkeep",
    "WatchRow",
    "WatchStep",
    "copy_sqlite",
    "make_private_file",
    "read_facts",
    "translated",
]
