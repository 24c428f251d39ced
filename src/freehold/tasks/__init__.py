"""Sort: calls become tasks, found without any change in the client.

Not covered: writing down which call belongs to which task (`store`), and when to sort (`loop`).
"""

from freehold.core.kind import output_kind
from freehold.tasks.edits import is_edited
from freehold.tasks.index import TaskIndex
from freehold.tasks.near import NearPrompts
from freehold.tasks.next_step import Sample, next_step
from freehold.tasks.sort import Sorted, sort_calls
from freehold.tasks.sortable import Reading

__all__ = [
    "NearPrompts",
    "Reading",
    "Sample",
    "Sorted",
    "TaskIndex",
    "is_edited",
    "next_step",
    "output_kind",
    "sort_calls",
]
