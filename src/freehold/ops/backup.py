"""Backup and restore: everything that a state folder holds and that cannot be made again.

A backup may be made while `freehold up` runs. The journal is copied first and the database after it, as of one moment:
a call that was delivered in between is in both and is recorded once, and none is in neither. What is in it:

    freehold.db  loop.db        as SQLite's own online backup gives them
    journal/                    calls that wait for the database
    datasets/  proofs/          all of them
    models/                     unless they are left out

Not covered: settings and keys of providers, bases (`freehold pull` fetches them), logs, and a database in PostgreSQL,
for which pg_dump is right: run it after the backup of the folder, for the reason above.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from freehold import __version__
from freehold.errors import DataError, StateError, UsageError
from freehold.ops.archives import MANIFEST, Sums, Writer, check_target, read_into, sized, writing
from freehold.ops.drafts import draft_beside, note_place
from freehold.pipeline.progress import Progress, Reporter
from freehold.settings import Settings
from freehold.store import Store, copy_sqlite

FORMAT = 1
_DATABASES = ("freehold.db", "loop.db")
_FOLDERS = ("datasets", "proofs", "models")
_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was backed up or restored; `has_database` is False where the record is in PostgreSQL."""

    path: str
    files: int
    size_bytes: int
    has_database: bool
    made_at: str
    version: str


def back_up(settings: Settings, target: Path, report: Reporter, *, with_models: bool = True) -> Summary:
    """Write a backup of the state folder to `target`: a folder, or a file where its name ends in .tar.gz."""
    state = settings.state.absolute()
    if not state.is_dir():
        raise StateError(f"There is no state folder {str(state)!r}.", hint="Give the right --state.")
    if target.absolute().is_relative_to(state):
        raise UsageError(f"The backup {str(target)!r} would lie in the state folder itself.", hint="Put it elsewhere.")
    is_sqlite = not settings.database_url.startswith("postgresql")
    target = target.absolute()
    check_target(target)
    note_place(state, target.parent)
    with draft_beside(target) as draft, writing(target, draft / "backup") as writer:
        copying = _Copying(writer, report)
        for path in _files(state / "journal"):
            copying.put(path, state, may_vanish=True)
        for name in _DATABASES if is_sqlite else _DATABASES[1:]:
            if (state / name).exists():
                copy_sqlite(state / name, draft / name)
                copying.put(draft / name, draft)
        for folder in _FOLDERS if with_models else _FOLDERS[:-1]:
            for path in _files(state / folder):
                copying.put(path, state)
        manifest = _manifest(state, copying.sums, has_database=is_sqlite)
        writer.put(MANIFEST, *sized(json.dumps(manifest, indent=1).encode()))
    return _summary(target, manifest)


def restore(source: Path, state: Path, report: Reporter) -> Summary:
    """Make a state folder out of a backup, at `state`, where there must be none yet or an empty one.

    The folder is there once every file has been checked; DataError when one is not what it was.
    """
    state = state.absolute()
    if state.exists() and not (state.is_dir() and not any(state.iterdir())):
        raise UsageError(f"There is something in {str(state)!r} already.", hint="Give a --state that is new or empty.")
    report(Progress(stage="restore", note="checking and unpacking"))
    with draft_beside(state) as scratch:
        draft = scratch / "state"
        draft.mkdir(mode=0o700)
        manifest = read_into(source, draft, (*_DATABASES, "journal", *_FOLDERS))
        if manifest.get("format") != FORMAT:
            raise DataError(
                f"The backup {str(source)!r} has format {manifest.get('format')!r}; this Freehold reads {FORMAT}.",
                hint=f"Restore it with freehold {manifest.get('freehold')}, or upgrade.",
            )
        if (draft / "freehold.db").exists():
            _relocate(draft, _old_state(source, manifest), str(state))
        os.replace(draft, state)
    report(Progress(stage="restore", note="done"))
    return _summary(state, manifest)


def _old_state(source: Path, manifest: dict[str, object]) -> str:
    old = manifest.get("state")
    if not isinstance(old, str) or not os.path.isabs(old):
        raise DataError(f"The backup {str(source)!r} does not say what was backed up.", hint="Restore another one.")
    return old


def _relocate(draft: Path, old: str, new: str) -> None:
    """Datasets, models and reports are named by absolute paths: they lie in the new folder now."""
    store = Store(f"sqlite:///{draft / 'freehold.db'}")
    try:
        store.retention.relocate(old, new)
    finally:
        store.close()


class _Copying:
    """Copies files into a backup, one after the other, and keeps their sums."""

    def __init__(self, writer: Writer, report: Reporter) -> None:
        self._writer = writer
        self._report = report
        self._bytes = 0
        self.sums: Sums = {}

    def put(self, path: Path, root: Path, *, may_vanish: bool = False) -> None:
        """Copy as much of a file as there is of it now; one that vanishes was delivered, or is an error."""
        name = path.relative_to(root).as_posix()
        try:
            stream = path.open("rb")
        except FileNotFoundError as error:
            if may_vanish:
                return
            raise _changed(path) from error
        with stream:
            size_bytes = os.fstat(stream.fileno()).st_size
            counted = _Counted(stream, size_bytes)
            try:
                self._writer.put(name, counted, size_bytes)  # type: ignore[arg-type]  # read is all that is used
            except OSError as error:
                if counted.left:
                    raise _changed(path) from error
                raise
            self.sums[name] = {"sha256": counted.digest.hexdigest(), "size_bytes": size_bytes}
        self._bytes += size_bytes
        done = f"{len(self.sums):,} files, {self._bytes / _MEBIBYTE:,.0f} MiB"
        self._report(Progress(stage="backup", note=done))


class _Counted:
    """A stream cut to a size, whose sum is taken as it is read: a file may grow while it is copied."""

    def __init__(self, stream: IO[bytes], size_bytes: int) -> None:
        self._stream = stream
        self.left = size_bytes
        self.digest = hashlib.sha256()

    def read(self, size_bytes: int = -1) -> bytes:
        """The next bytes."""
        data = self._stream.read(self.left if size_bytes < 0 else min(size_bytes, self.left))
        self.left -= len(data)
        self.digest.update(data)
        return data


def _files(folder: Path) -> Iterator[Path]:
    """The plain files below a folder; what begins with a dot is a draft."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        is_draft = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not path.is_symlink() and not is_draft:
            yield path


def _changed(path: Path) -> StateError:
    return StateError(f"{str(path)!r} changed while it was copied.", hint="Is a training running? Try again after it.")


def _manifest(state: Path, sums: Sums, *, has_database: bool) -> dict[str, object]:
    return {
        "format": FORMAT,
        "freehold": __version__,
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "state": str(state),
        "database": "sqlite" if has_database else "postgresql",
        "files": sums,
    }


def _summary(path: Path, manifest: dict[str, object]) -> Summary:
    files = manifest["files"]
    sizes = [int(str(sums["size_bytes"])) for sums in files.values()] if isinstance(files, dict) else []
    return Summary(
        path=str(path),
        files=len(sizes),
        size_bytes=sum(sizes),
        has_database=manifest.get("database") == "sqlite",
        made_at=str(manifest.get("made_at")),
        version=str(manifest.get("freehold")),
    )
