"""Sort: calls become tasks, found without any change in the client.

Not covered: writing down which call belongs to which task (`store`), and when to sort (`sort.run`).
"""

from freehold.sort.edits import is_edited
from freehold.sort.index import TaskIndex
from freehold.sort.near import NearPrompts
from freehold.sort.next_step import Sample, next_step
from freehold.sort.sort import Sorted, sort_calls
from freehold.sort.sortable import Reading
from freehold.text.output_kind import output_kind

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
