"""Heads of the chain of receipts that are kept beside it: they tell that its end was cut off, or all of it sealed anew.

    <state folder>/receipts.heads    always: who can write to the database alone is found
    `receipts.heads`                 a file elsewhere, too: who can write to the state folder as well is found

A line for each head, N:HASH, oldest first; lines are only added. `freehold receipts verify` and the doctor hold the
chain against all of them. Not covered: who can write to both files and to the database; for that send heads away by
hand.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freehold.errors import FreeholdError, UsageError
from freehold.model.receipt import Head, read_head
from freehold.pipeline.workspace import Workspace
from freehold.settings import Settings

FILE = "receipts.heads"
_FILE_MODE = 0o600
_LONGEST_LINE_BYTES = 200
_LARGEST_FILE_BYTES = 64 * 2**20
_LOG = logging.getLogger("freehold.receipts")


@dataclass(frozen=True, slots=True)
class KeptHeads:
    """All heads that were kept, and what is wrong with the files that keep them."""

    heads: tuple[Head, ...] = ()
    problems: tuple[str, ...] = ()


def head_files(settings: Settings) -> list[Path]:
    """Where heads are kept."""
    elsewhere = settings.text("receipts.heads")
    return [settings.state.absolute() / FILE, *([Path(elsewhere).expanduser().absolute()] if elsewhere else [])]


def keep_head(workspace: Workspace) -> None:
    """Add the newest head to each file that has none so new; a file that cannot be written is said in the log."""
    head = workspace.store.receipts.head()
    if not head.number:
        return
    for path in head_files(workspace.settings):
        try:
            if _last_number(path) < head.number:
                _append(path, head)
        except OSError as error:
            _LOG.warning("The head of the receipts cannot be kept in %s: %s.", path, error.strerror or error)


def try_to_keep_head(workspace: Workspace) -> None:
    """The same at the end of a verb, which has done its work, whatever becomes of the head."""
    try:
        keep_head(workspace)
    except FreeholdError as error:
        _LOG.warning("The head of the receipts was not kept: %s", error)


def kept_heads(settings: Settings) -> KeptHeads:
    """All heads that were kept; a line that is none, and a file that cannot be read, are problems."""
    heads: dict[tuple[int, str], Head] = {}
    problems: list[str] = []
    for path in head_files(settings):
        try:
            for place, line in _lines(path):
                try:
                    head = read_head(line)
                except UsageError:
                    problems.append(f"line {place} of {path} is no head: somebody changed it")
                    continue
                heads[head.number, head.hash] = head
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"the heads in {path} cannot be read: {error.strerror or error}")
    return KeptHeads(tuple(heads[key] for key in sorted(heads)), tuple(problems))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; one without an end was being written when its writer died."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > _LARGEST_FILE_BYTES:
            raise OSError("it is too large to be a list of heads")
        for place, line in enumerate(file, 1):
            if line.endswith(b"\n") and line.strip():
                yield place, line.decode("latin-1")


def _last_number(path: Path) -> int:
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            file.seek(max(0, size_bytes - 2 * _LONGEST_LINE_BYTES))
            lines = file.read().decode("latin-1").split("\n")[:-1]
    except FileNotFoundError:
        return 0
    for line in reversed(lines):
        try:
            return read_head(line).number
        except UsageError:
            continue
    return 0


def _append(path: Path, head: Head) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _FILE_MODE)
    try:
        size_bytes = os.fstat(descriptor).st_size
        is_torn = size_bytes > 0 and os.pread(descriptor, 1, size_bytes - 1) != b"\n"
        os.write(descriptor, f"{chr(10) if is_torn else ''}{head}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
