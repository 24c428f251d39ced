"""`freehold doctor`, `prune`, `backup` and `restore`: what keeps an installation in order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freehold.cli.old_calls import mebibytes, prune_calls
from freehold.cli.options import json_option, open_settings, open_workspace
from freehold.cli.spans import span_s
from freehold.errors import SettingError
from freehold.terminal import next_command, reporting, say, say_json, say_rows, tell
from freehold.text.formatting import age

if TYPE_CHECKING:
    from freehold.ops.backup import Summary
    from freehold.ops.doctor import Finding
    from freehold.ops.retention import Due


@click.command()
@click.option("--deep", is_flag=True, help="Read whole files and the whole database, however long that takes.")
@json_option
def doctor(*, deep: bool, as_json: bool) -> None:
    """Check all that a gateway rests on, and say what to do.

    Settings, providers, disk, clock, database, journal, models. Changes nothing, prints no key, and exits with 1 when
    something fails.
    """
    findings: list[Finding] = []
    for finding in _examine(is_deep=deep):
        findings.append(finding)
        if not as_json:
            say(f"{finding.level:<5} {finding.name:<20} {finding.text}")
            if finding.level != "ok" and finding.hint:
                say(f"{'':<26} {finding.hint}")
    failed = [finding.name for finding in findings if finding.level == "fail"]
    warned = sum(finding.level == "warn" for finding in findings)
    if as_json:
        say_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        tell(f"{len(findings)} findings: {len(failed)} failed, {warned} to look at.")
        next_command("mend what failed, then: freehold doctor" if failed else "freehold status")
    if failed:
        click.get_current_context().exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--older-than", metavar="SPAN", help="All that is older than this, whatever the settings say: 30d, 12h.")
@click.option("--task", help="Calls of this task alone.")
@click.option("--rows", is_flag=True, help="Delete whole calls, rows and figures too, but for those that are needed.")
@click.option("--shrink", is_flag=True, help="Then give the freed space back to the disk; calls wait in the journal.")
@json_option
def prune(*, dry_run: bool, older_than: str | None, task: str | None, rows: bool, shrink: bool, as_json: bool) -> None:
    """Delete the bodies of old calls; with --rows, old calls whole.

    As record.keep_days says (or record.keep_rows_days), which `freehold up` does by itself once an hour, or as the
    options say. Without --rows a call's row, its figures and its corrections stay. Frozen datasets stay in any case:
    they have copies of their own. Calls that wait to be frozen are deleted like any other. With --rows a call stays
    that a frozen dataset names, that somebody rated or corrected, or that a moved task's route still looks at.
    """
    from freehold.ops import retention

    older_than_s = None if older_than is None else span_s(older_than, "--older-than")
    if rows:
        prune_calls(older_than, task, is_dry_run=dry_run, shrink=shrink, as_json=as_json)
        return
    with open_workspace() as workspace:
        before = retention.rule(workspace, time.time(), older_than_s=older_than_s, task=task)
        due = retention.what_is_due(workspace, before)
        files = len(list(retention.set_aside(workspace.state, before)))
        if not as_json:
            _show_due(due, files, _rule_in_words(older_than, task), is_dry_run=dry_run)
        pruned = retention.Pruned()
        if not dry_run:
            with reporting() as report:
                pruned = retention.prune(workspace, before, report, total=sum(d.calls for d in due))
            has_shrunk = workspace.store.retention.shrink() if shrink else False
    if as_json:
        say_json({"due": [asdict(d) for d in due], "is_dry_run": dry_run, "deleted": asdict(pruned)})
        return
    if dry_run:
        tell("Nothing was deleted.")
        next_command("freehold prune, with the same options but --dry-run" if due or files else "freehold doctor")
        return
    tell(f"Deleted: the bodies of {pruned.calls:,} calls, {pruned.parts:,} shared parts, {pruned.files:,} files.")
    if not has_shrunk:
        tell("The database reuses the space that is free now; an SQLite file keeps its size without --shrink.")
    next_command("freehold doctor")


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--no-models", is_flag=True, help="Leave the models out; they can be trained again from the datasets.")
@json_option
def backup(target: Path, *, no_models: bool, as_json: bool) -> None:
    """Back the state folder up, also while `freehold up` runs.

    TARGET is a file that ends in .tar.gz, or a folder. Settings and keys of providers are not in it.
    """
    from freehold.ops.backup import back_up

    with reporting() as report:
        summary = back_up(open_settings(), target, report, with_models=not no_models)
    _show_summary(summary, as_json=as_json)
    if not summary.has_database:
        tell("The record is in PostgreSQL and not in this backup. Back it up now, after the folder: pg_dump -Fc ...")
    next_command(f"freehold restore {target} --state NEW")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--state", type=click.Path(path_type=Path), help="The new state folder.")
@json_option
def restore(source: Path, *, state: Path | None, as_json: bool) -> None:
    """Make a state folder out of a backup; every file is checked first.

    SOURCE is what `freehold backup` wrote. The state folder must not be there yet, or be empty.
    """
    from freehold.ops.backup import restore as restore_backup

    chosen = state or open_settings().state
    with reporting() as report:
        summary = restore_backup(source, chosen, report)
    _show_summary(summary, as_json=as_json)
    if not summary.has_database:
        tell("The record was in PostgreSQL and is not in this backup: pg_restore it, then set database_url.")
    next_command(f"freehold --state {chosen} up")


def _examine(*, is_deep: bool) -> Iterator[Finding]:
    from freehold.ops.doctor import Finding, examine

    try:
        settings = open_settings()
    except SettingError as error:
        yield Finding("settings", "fail", error.message, error.hint)
        return
    yield from examine(settings, os.environ, is_deep=is_deep)


def _rule_in_words(older_than: str | None, task: str | None) -> str:
    """What a call would have to be for its body to be deleted."""
    whose = "" if task is None else f" of task {task}"
    if older_than is not None:
        return f"No call{whose} that has a body is older than {older_than}."
    return f"No call{whose} is older than record.keep_days allows; 0 days keeps bodies for ever."


def _show_due(due: list[Due], files: int, nothing: str, *, is_dry_run: bool) -> None:
    now = time.time()
    rows = [(d.task or "-", f"{d.calls:,}", mebibytes(d.size_bytes), age(d.oldest_at, now)) for d in due]
    if rows:
        tell(f"The bodies of these calls {'would be' if is_dry_run else 'are'} deleted; their rows and figures stay.")
        say_rows(("task", "calls", "MiB", "oldest"), rows, right=(1, 2, 3))
    if files:
        say(f"{files:,} files that the journal had set aside")
    if not rows and not files:
        tell(nothing)


def _show_summary(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        say_json(asdict(summary))
        return
    made = f"made at {summary.made_at} by freehold {summary.version}"
    say(f"{summary.path}: {summary.files:,} files, {mebibytes(summary.size_bytes)} MiB, {made}")
