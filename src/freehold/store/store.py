"""The store: one database, and a table of contents for each part."""

from __future__ import annotations

from freehold.dialects import static_parts
from freehold.model.call import Call
from freehold.store.attempts import AttemptTable
from freehold.store.budgets import BudgetTable
from freehold.store.call_stream import CallStream
from freehold.store.calls import CallTable
from freehold.store.database import open_database
from freehold.store.keys import KeyTable
from freehold.store.labels import LabelTable
from freehold.store.old_calls import OldCalls
from freehold.store.receipts import ReceiptTable
from freehold.store.refusal_counts import RefusedTable
from freehold.store.retention import Retention
from freehold.store.task_edits import TaskEditTable
from freehold.store.task_registry import TaskRegistry
from freehold.store.watches import WatchTable


class Store:
    """The tables, by what they hold.

    Calls in `calls` (read as they come: `call_stream`), tasks in `registry`, gateway keys in `keys`, what gateways set
    aside of their budgets in `budgets`, counts of refused requests in `refusal_counts`, watches in `watches`, proofs
    tried in `attempts`, people's labels in `labels`, what was decided in `receipts`, edits of tasks in `task_edits`.

    Safe to use from several threads and processes.
    """

    def __init__(self, url: str) -> None:
        self._database = open_database(url)
        self.calls = CallTable(self._database, _static_parts)
        self.call_stream = CallStream(self._database, self.calls)
        self.registry = TaskRegistry(self._database)
        self.keys = KeyTable(self._database)
        self.budgets = BudgetTable(self._database)
        self.refusal_counts = RefusedTable(self._database)
        self.labels = LabelTable(self._database)
        self.receipts = ReceiptTable(self._database)
        self.watches = WatchTable(self._database)
        self.attempts = AttemptTable(self._database)
        self.task_edits = TaskEditTable(self._database)
        self.retention = Retention(self._database)
        self.old_calls = OldCalls(self._database)

    @property
    def place(self) -> str:
        """The database's file, or its URL without the password."""
        return self._database.place

    def close(self) -> None:
        """Give all connections back."""
        self._database.close()


def _static_parts(call: Call) -> tuple[bytes, ...]:
    return static_parts(call.dialect, call.request_body)
