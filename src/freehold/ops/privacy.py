"""Privacy of a state folder: calls, hashes of keys and models are for the account that Freehold runs under alone.

What Freehold writes is private from its first byte (`cli.commands` sets the mask of its processes, and databases are
made so). A folder or a file that was there before, or that was copied, may not be: it is made private at the start of
each verb. Not covered: access lists, other accounts with root's rights, disks that know no permissions.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
_FILES = ("receipts.heads", *(name + end for name in ("freehold.db", "loop.db") for end in ("", "-wal", "-shm")))
_FOLDERS = ("journal", "run", "locks", "logs", "proofs", "datasets", "models", "bases", "old-walks")
_MOST_LOOKED_AT = 200_000
_LOG = logging.getLogger("freehold.state")


def open_to_others(state: Path) -> Iterator[Path]:
    """The folder and what of Freehold's own in it others on this machine may read or write; links are not followed."""
    for number, path in enumerate(_own(state)):
        if number == _MOST_LOOKED_AT:
            return
        try:
            status = path.lstat()
        except OSError:  # it has just been deleted, or cannot be looked at, and then by nobody else
            continue
        if not stat.S_ISLNK(status.st_mode) and status.st_mode & OTHERS:
            yield path


def keep_private(state: Path) -> None:
    """Take every right of others from a state folder, where somebody has one; says what it did, and what it could not.

    The folder itself keeps its rights where this process works in it or below it: it is somebody's place for more.
    """
    if not state.is_dir() or not _is_worth_a_look(state):
        return
    mended, refused = 0, ""
    for path in list(open_to_others(state)):
        if path == state and _is_shared_place(state):
            continue
        try:
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OTHERS, follow_symlinks=False)
            mended += 1
        except (OSError, NotImplementedError) as error:
            refused = refused or f"{path}: {error}"
    if mended:
        _LOG.warning("Others on this machine could look into %s: %d folders and files are private now.", state, mended)
    if refused:
        _LOG.warning("Others on this machine can look into %s, and that cannot be mended (%s).", state, refused)


def _is_worth_a_look(state: Path) -> bool:
    """Whether the folder or something at its top is open; below private folders nobody comes."""
    tops = (state, *(state / name for name in (*_FILES, *_FOLDERS)))
    return any(path.exists() and path.lstat().st_mode & OTHERS for path in tops)


def _is_shared_place(state: Path) -> bool:
    return Path.cwd().is_relative_to(state) or Path.home() == state


def _own(state: Path) -> Iterator[Path]:
    """The state folder and all of Freehold's own below it."""
    yield state
    yield from (state / name for name in _FILES if (state / name).exists())
    for name in _FOLDERS:
        if (state / name).is_dir():
            yield state / name
            for folder, folders, files in os.walk(state / name):
                yield from (Path(folder, inner) for inner in (*folders, *files))
