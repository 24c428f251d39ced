"""Calls that have no task: those that wait for it, and those that were set aside because sorting them took too long.

Not covered: calls that can belong to no task, lists of models for instance (`pipeline.overview`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import SET_ASIDE
from freehold.store import CallFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsorted:
    """How many calls wait, how many were set aside, and the limit of CPU seconds that these were beyond."""

    waiting: int
    set_aside: int
    limit_s: float

    @property
    def aside_words(self) -> str:
        """What was set aside, in words; empty for nothing."""
        if not self.set_aside:
            return ""
        limit = f"record.sort_s = {self.limit_s:g} s"
        return f"{_calls(self.set_aside)} set aside: each took more CPU time to sort than {limit}"

    @property
    def aside_hint(self) -> str:
        """What to do about it."""
        return "See them: freehold calls --set-aside. With a larger record.sort_s: freehold tasks --again."

    @property
    def waiting_words(self) -> str:
        """What waits, in words; empty for nothing."""
        return f"{_calls(self.waiting)} not sorted yet" if self.waiting else ""


def unsorted(workspace: Workspace) -> Unsorted:
    """Count them."""
    calls = workspace.store.calls
    return Unsorted(
        waiting=calls.count(CallFilter(is_sorted_out=False)),
        set_aside=calls.count(CallFilter(task_id=SET_ASIDE)),
        limit_s=workspace.settings.number("record.sort_s"),
    )


def _calls(count: int) -> str:
    return "1 call is" if count == 1 else f"{count:,} calls are"
