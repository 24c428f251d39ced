"""`freehold prune --rows`: old calls are deleted whole, and it says which stay and why."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from freehold.cli.options import open_workspace
from freehold.cli.spans import span_s
from freehold.terminal import next_command, reporting, say, say_json, say_rows, tell
from freehold.text.formatting import age

if TYPE_CHECKING:
    from freehold.ops.old_calls import OldPlan

_MEBIBYTE = 2**20


def prune_calls(older_than: str | None, task: str | None, *, is_dry_run: bool, shrink: bool, as_json: bool) -> None:
    """Show what is old and not needed, and delete it unless this is a dry run."""
    from freehold.ops import old_calls

    with open_workspace() as workspace:
        older_than_s = None if older_than is None else span_s(older_than, "--older-than")
        before = old_calls.rows_rule(workspace, time.time(), older_than_s=older_than_s, task=task)
        plan, calls = old_calls.plan(workspace, before), 0
        if not as_json:
            _show(plan, older_than, is_dry_run=is_dry_run)
        if not is_dry_run:
            with reporting() as report:
                calls = old_calls.delete_old_calls(workspace, before, report, total=plan.calls)
            if shrink:
                workspace.store.retention.shrink()
    if as_json:
        due = [asdict(one) for one in plan.due]
        say_json({"due": due, "kept": dict(plan.kept), "is_dry_run": is_dry_run, "deleted": {"calls": calls}})
        return
    tell("Nothing was deleted." if is_dry_run else f"Deleted: {calls:,} calls whole. What keys used is kept apart.")
    again = "freehold prune, with the same options but --dry-run"
    next_command(again if is_dry_run and plan.due else "freehold doctor")


def mebibytes(size_bytes: int) -> str:
    """A size in MiB, with one digit."""
    return f"{size_bytes / _MEBIBYTE:,.1f}"


def _show(plan: OldPlan, older_than: str | None, *, is_dry_run: bool) -> None:
    now = time.time()
    rows = [(d.task or "-", f"{d.calls:,}", mebibytes(d.size_bytes), age(d.oldest_at, now)) for d in plan.due]
    if rows:
        tell(f"These calls {'would be' if is_dry_run else 'are'} deleted whole: bodies, rows and figures.")
        say_rows(("task", "calls", "MiB", "oldest"), rows, right=(1, 2, 3))
    for what, count in sorted(plan.kept.items()):
        say(f"{count:,} older calls stay: needed by {what}")
    if not rows:
        limit = f"older than {older_than}" if older_than else "older than record.keep_rows_days allows (0: for ever)"
        tell(f"No call that could be deleted is {limit}.")
