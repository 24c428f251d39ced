"""Hidden folders beside a target in which it is made, and which no process that was killed leaves for long.

A draft of calls is as plain as the calls. Whoever makes one holds a lock in it, which the system frees when its holder
dies; a draft whose lock is free is abandoned, and the next one that is made beside it removes it.

Not covered: what is made in a draft (`ops.backup`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "freehold.lock"
_ENDING = ".partial"
_PLACES = "drafts"
_LONGEST_NAME = 100


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, for this user alone; it and what is left in it are gone after the block.

    Abandoned ones beside it are removed first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in abandoned_drafts(target.parent):
        shutil.rmtree(folder, ignore_errors=True)
    prefix = f".{target.name[:_LONGEST_NAME]}."
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=prefix, suffix=_ENDING))
    try:
        with (folder / _LOCK).open("x") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def abandoned_drafts(place: Path) -> list[Path]:
    """The drafts in a folder whose makers were killed."""
    try:
        found = sorted(place.glob(f".*{_ENDING}"))
    except OSError:
        return []
    return [folder for folder in found if _is_abandoned(folder)]


def note_place(state: Path, place: Path) -> None:
    """Remember in the state folder that drafts are made in this place, so that `known_places` tells of it."""
    if place in known_places(state):
        return
    path = state / "run" / _PLACES
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a", encoding="utf-8") as places:
        places.write(f"{place}\n")


def known_places(state: Path) -> list[Path]:
    """Where drafts of this state folder may lie."""
    try:
        noted = (state / "run" / _PLACES).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        noted = []
    return [state.parent, *dict.fromkeys(Path(line) for line in noted)]


def _is_abandoned(folder: Path) -> bool:
    """Whether nobody holds its lock; a folder without one is none of ours."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
