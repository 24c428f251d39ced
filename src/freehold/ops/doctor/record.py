"""Where calls are kept: the database, and the journal in which they wait for it."""

from __future__ import annotations

import os
import time

from freehold.ops.doctor.finding import Finding, Level, size
from freehold.record import read_backlog
from freehold.settings import Settings
from freehold.store import DatabaseDiagnostics, read_diagnostics
from freehold.text.formatting import age

_LARGE_BACKLOG_BYTES = 64 * 2**20


def check_database(settings: Settings, *, check_s: float) -> list[Finding]:
    """Whether the database opens, is of this version and is whole."""
    facts = read_diagnostics(settings.database_url, check_s=check_s)
    if facts is None:
        return [Finding("database", "ok", "none yet: the first `freehold up` makes it")]
    text = f"{facts.kind} {facts.server}, {size(facts.size_bytes)}, {_version(facts)}"
    if facts.version is not None and facts.version > facts.wanted:
        return [Finding("database", "fail", text, "It is of a newer Freehold: pip install -U freehold.")]
    if facts.damage:
        hint = "Stop the gateway (calls wait in the journal), and restore a backup: freehold restore FILE --state NEW"
        return [Finding("database", "fail", f"{text}; damaged: {facts.damage[0]}", hint)]
    if facts.version != facts.wanted:
        hint = f"The next `freehold up` brings it to version {facts.wanted}. Back up first: freehold backup FILE.tar.gz"
        return [Finding("database", "warn", text, hint)]
    if facts.damage is not None:
        return [Finding("database", "ok", f"{text}, whole")]
    is_unfinished = facts.kind == "sqlite"
    note = f", not looked through to its end in {check_s:g} s (--deep does)" if is_unfinished else ""
    return [Finding("database", "ok", text + note)]


def _version(facts: DatabaseDiagnostics) -> str:
    return f"version {facts.version}" if facts.version else "without tables"


def check_journal(settings: Settings) -> list[Finding]:
    """What waits in the journal, and what had to be set aside."""
    folder = settings.state / "journal"
    backlog = read_backlog(folder)
    found = [
        Finding("journal", "warn", f"{count} {what} were set aside in {os.path.relpath(folder / where)}", hint)
        for count, what, where, hint in (
            (backlog.damaged, "damaged pieces", "damaged", "Look at the disk; what is whole was delivered."),
            (backlog.refused, "calls that the database refused", "refused", "The gateway's log says why."),
        )
        if count
    ]
    if not backlog.calls and not backlog.size_bytes:
        return [Finding("journal", "ok", "nothing waits"), *found]
    waited = age(backlog.oldest_at, time.time()) if backlog.oldest_at is not None else "?"
    text = f"about {backlog.calls:,} calls wait ({size(backlog.size_bytes)}, the oldest for {waited})"
    lag_s, limit_s = backlog.lag_s(time.time()), settings.number("record.lag_s")
    if backlog.problem:
        hint = "Mend the database or its disk; the calls are delivered by themselves then."
        return [Finding("journal", "fail", f"{text}: {backlog.problem}", hint), *found]
    if not backlog.live_writers:
        hint = "The next `freehold up`, or any command that reads calls, delivers them."
        return [Finding("journal", "warn", f"{text}, and no gateway runs", hint), *found]
    is_late = lag_s > limit_s
    level: Level = "warn" if is_late or backlog.size_bytes > _LARGE_BACKLOG_BYTES else "ok"
    text += f"; the delivery is {lag_s:.0f} s behind, more than record.lag_s = {limit_s:g}" if is_late else ""
    hint = "Is the machine busy or the database slow? Give it more cores, or raise record.delivery_share."
    return [Finding("journal", level, text, hint), *found]
