"""What a process that runs on deletes by the settings, once an hour: bodies of old calls, then old calls whole.

Not covered: what is old and what must stay (`ops.retention`, `ops.old_calls`).
"""

from __future__ import annotations

import logging
import time

from freehold.ops.old_calls import delete_old_calls, rows_rule
from freehold.ops.retention import Pruned, prune, rule, what_is_due
from freehold.pipeline.workspace import Workspace

EVERY_S = 3600.0
_LOG = logging.getLogger("freehold.retention")


class Cleanup:
    """Deletes once an hour, and says in the log what it did."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._done_at: float | None = None

    def run_if_due(self) -> None:
        """Delete if an hour has gone by since the last time."""
        now = time.monotonic()
        if self._done_at is not None and now - self._done_at < EVERY_S:
            return
        self._done_at = now
        self._delete_bodies()
        calls = delete_old_calls(self._workspace, rows_rule(self._workspace, time.time()), lambda _: None)
        if calls:
            _LOG.info("deleted: %d old calls whole (record.keep_rows_days)", calls)

    def _delete_bodies(self) -> None:
        before = rule(self._workspace, time.time())
        due = what_is_due(self._workspace, before)
        if due:
            listed = ", ".join(f"{d.task or 'no task'} {d.calls:,}" for d in due)
            _LOG.info("deleting the bodies of old calls (record.keep_days): %s", listed)
        pruned = prune(self._workspace, before, lambda _: None)
        if pruned != Pruned():
            _LOG.info(
                "deleted: bodies of %d calls, %d shared parts, %d files", pruned.calls, pruned.parts, pruned.files
            )
