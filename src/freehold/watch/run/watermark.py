"""Up to when all calls of a task are in the record, so that they can be read in the order in which they were asked.

What was asked first is often recorded last: an answer of the provider takes longer than a local one, a slow answer
longer than a quick one. Who reads on without them would see the quick and the local alone, and no bound would hold. So
the watch reads up to the oldest call that is still to come:

    here        calls under way in this gateway's workers, and evidence that waits in its journal (`record.lanes`)
    elsewhere   what the other gateways on the database say of theirs, a few times a second while a route is moved

A call that takes longer than `watch.audit_wait_s` is waited for no longer, nor is a gateway that has said nothing for
`SILENT_S` in which the database could be asked; what they record later is not counted.

Calls that no route placed lie in another lane and come later on a busy machine; `rest` says up to when they are there.

Not covered: audits and shadows that are still to come (`watch.run.observations`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from freehold.model.ids import sha256_hex
from freehold.pipeline.workspace import Workspace
from freehold.record import EVIDENCE_LANES, OTHER_LANES, oldest_under_way, oldest_waiting
from freehold.record.run.journal import journal_folder
from freehold.settings import Settings

SILENT_S = 15.0
FORGOTTEN_S = 3600.0
"""A gateway that was silent for so long is not waited for after a pause of our own, either."""
_PAUSE_S = 0.25
_ID_CHARS = 16


def under_way_folder(settings: Settings) -> Path:
    """Where this state folder's workers tell of their calls under way."""
    return settings.state.absolute() / "run" / "under_way"


class Until(NamedTuple):
    """Up to when calls are all in the record: those that the task's route placed, and those that no route placed."""

    placed: float
    others: float


class Watermark:
    """How far the record of a workspace reaches; to be used on one thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._told_at = -_PAUSE_S
        self._asked_at = self._asks_since = -FORGOTTEN_S
        place = f"{socket.gethostname()}:{workspace.settings.state.absolute()}"
        self._id = sha256_hex(place)[:_ID_CHARS]

    def of(self, task_ids: Collection[str], now: float) -> dict[str, float]:
        """For each of these tasks, the time up to which its calls are all in the record."""
        if not task_ids:
            return {}
        own = self._here(task_ids, now)
        watches = self._workspace.store.watches
        if time.monotonic() - self._told_at >= _PAUSE_S:
            watches.tell_reach(self._id, own, now)
            self._told_at = time.monotonic()
        others = watches.reaches(told_since=now - self._patience_s(), without=self._id)
        return {
            task_id: min([until, *(other[task_id] for other in others if task_id in other)])
            for task_id, until in own.items()
        }

    def rest(self, now: float) -> float:
        """The time up to which the calls of this gateway that no route of a moved task placed are in the record.

        Calls under way are not counted here, because nothing tells of them.
        """
        waiting = oldest_waiting(journal_folder(self._workspace.settings), OTHER_LANES)
        return now if waiting is None else min(now, waiting)

    def _patience_s(self) -> float:
        """How old another gateway's word may be; when the database was away, the others could say nothing either."""
        asked_at, self._asked_at = self._asked_at, time.monotonic()
        if self._asked_at - asked_at > SILENT_S / 3:
            self._asks_since = self._asked_at
        return SILENT_S if self._asked_at - self._asks_since > SILENT_S else FORGOTTEN_S

    def leave(self) -> None:
        """Let no other gateway wait for this one, which ends."""
        self._workspace.store.watches.forget_reach(self._id)

    def _here(self, task_ids: Collection[str], now: float) -> dict[str, float]:
        settings = self._workspace.settings
        until = now - settings.number("watch.settle_s")
        longest = until - settings.number("watch.audit_wait_s")
        folder = under_way_folder(settings)
        began = {
            task_id: oldest_under_way(folder, task_id) for task_id in task_ids
        }  # before the journal, where they go
        waiting = oldest_waiting(journal_folder(settings), EVIDENCE_LANES)
        recorded = until if waiting is None else min(until, waiting)
        return {
            task_id: recorded if began_at is None else min(recorded, max(began_at, longest))
            for task_id, began_at in began.items()
        }
