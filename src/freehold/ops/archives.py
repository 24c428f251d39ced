"""The two forms of a backup, a folder and a .tar.gz: files and a manifest of their SHA-256, whole or not there at all.

A backup takes its name only when all of it is on disk. When it is read, only plain files with paths inside the backup
are taken, in the folders that a backup has, no more than the disk has room for; each must be what the manifest says.
Nothing in a backup is opened before all of it was looked at. Not covered: what is backed up (`ops.backup`); who made
it: the manifest holds sums and no signature.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from freehold.errors import DataError, UsageError
from freehold.system.files import sync_folder

MANIFEST = "manifest.json"
ENDINGS = (".tar.gz", ".tgz")
_OTHER_ENDINGS = (
    *(".zip", ".tar", ".gz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".lz4", ".7z", ".rar", ".iso"),
    *(".db", ".sqlite", ".sqlite3", ".sql", ".dump", ".bak", ".json", ".jsonl"),
)
"""Names of files that this writes none of; a folder of such a name would be taken for one."""
_CHUNK_BYTES = 2**20
_GZIP_LEVEL = 3
_FILE_MODE = 0o600
_LARGEST_MANIFEST_BYTES = 256 * 2**20
_LARGEST_HEADER_BYTES = 2**16
_MOST_FILES = 2_000_000
_LEFT_FREE_BYTES = 64 * 2**20

Sums = dict[str, dict[str, object]]
"""By name: `sha256` and `size_bytes` of a file."""


class Writer(Protocol):
    """What a backup is written to."""

    def put(self, name: str, stream: IO[bytes], size_bytes: int) -> None:
        """Add a file of this many bytes."""
        ...


def check_target(target: Path) -> None:
    """UsageError where no backup can be written to this name."""
    name = target.name.lower()
    is_file = name.endswith(ENDINGS)
    if not is_file and name.endswith(_OTHER_ENDINGS):
        raise UsageError(
            f"A backup is a .tar.gz file or a folder, and {target.name!r} says that it is something else.",
            hint=f"Give a name like {target.name.partition('.')[0] or 'backup'}.tar.gz.",
        )
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"There is something at {str(target)!r} already.", hint="Give a name that is not taken.")


@contextlib.contextmanager
def writing(target: Path, draft: Path) -> Iterator[Writer]:
    """Write a backup as `draft`; it is at `target` once the block has ended, and nothing is when it fails."""
    is_file = target.name.lower().endswith(ENDINGS)
    with _tar(draft) if is_file else _folder(draft) as writer:
        yield writer
    os.rename(draft, target)
    sync_folder(target.parent)


def read_into(source: Path, folder: Path, places: Collection[str]) -> dict[str, object]:
    """Put the files of a backup into `folder`, and return its manifest; DataError when it is not what it was.

    What the manifest does not name, what lies in none of these `places` (names of files and folders at its top), a file
    with a wrong sum, a link, a path that leads out, and more than the disk has room for are all refused.
    """
    found: Sums = {}
    manifest: dict[str, object] | None = None
    room_bytes = shutil.disk_usage(folder).free - _LEFT_FREE_BYTES
    try:
        for name, stream in _from_tar(source) if source.is_file() else _from_folder(source):
            if name == MANIFEST:
                manifest = _parse(source, stream.read(_LARGEST_MANIFEST_BYTES))
            elif name.partition("/")[0] not in places or len(found) == _MOST_FILES:
                raise _unusable(source, f"{name[:200]!r} does not belong to it")
            elif (folder / name).exists():
                raise _unusable(source, f"{name!r} is in it twice")
            else:
                found[name] = _unpack(source, stream, folder / name, room_bytes)
                room_bytes -= int(str(found[name]["size_bytes"]))
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _unusable(source, f"it is no whole .tar.gz ({error})") from error
    if manifest is None:
        raise _unusable(source, f"it has no {MANIFEST}")
    _compare(source, manifest.get("files"), found)
    return manifest


def _unpack(source: Path, stream: IO[bytes], path: Path, room_bytes: int) -> dict[str, object]:
    """Write a file of at most so many bytes, and return the sum and size of what was written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size_bytes = hashlib.sha256(), 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb") as file:
        while chunk := stream.read(_CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > room_bytes:
                raise _unusable(source, "it holds more than the disk has room for")
            file.write(chunk)
            digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"sha256": digest.hexdigest(), "size_bytes": size_bytes}


def _compare(source: Path, named: object, found: Sums) -> None:
    if not isinstance(named, dict):
        raise _unusable(source, f"its {MANIFEST} names no files")
    for name in named.keys() - found.keys():
        raise _unusable(source, f"{name!r} is missing")
    for name in found.keys() - named.keys():
        raise _unusable(source, f"{name!r} does not belong to it")
    for name, sums in found.items():
        if sums != named[name]:
            raise _unusable(source, f"{name!r} is not what it was when the backup was made")


def _parse(source: Path, text: bytes) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _unusable(source, f"its {MANIFEST} is not JSON") from error
    if not isinstance(value, dict):
        raise _unusable(source, f"its {MANIFEST} is not a JSON object")
    return value


@contextlib.contextmanager
def _tar(draft: Path) -> Iterator[Writer]:
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb") as raw:
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_GZIP_LEVEL) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            yield _TarWriter(tar)
        raw.flush()
        os.fsync(raw.fileno())


class _TarWriter:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def put(self, name: str, stream: IO[bytes], size_bytes: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size_bytes, _FILE_MODE, int(time.time())
        self._tar.addfile(info, stream)


@contextlib.contextmanager
def _folder(draft: Path) -> Iterator[Writer]:
    draft.mkdir(mode=0o700)
    yield _FolderWriter(draft)


class _FolderWriter:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, stream: IO[bytes], size_bytes: int) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb") as file:
            shutil.copyfileobj(stream, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
            if file.tell() != size_bytes:
                raise OSError(f"{name} has another size than was said")


class _Member(tarfile.TarInfo):
    """A member whose headers are small: a long one would be read into memory whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if not self.isreg() and self.size > _LARGEST_HEADER_BYTES:
            raise tarfile.ReadError("a header is too large")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # typeshed does not know it
        return member


def _from_tar(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.open(source) as packed, tarfile.open(fileobj=packed, mode="r|", tarinfo=_Member) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if stream is None:
                raise _unusable(source, f"{member.name!r} is not a plain file")
            yield _inside(source, member.name), stream
        while packed.read(_CHUNK_BYTES):
            """Read on to the checksum of the whole, which is at the very end."""


def _from_folder(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if not source.is_dir():
        raise UsageError(f"There is no backup {str(source)!r}.", hint="Give a file or folder of `freehold backup`.")
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise _unusable(source, f"{str(path.relative_to(source))!r} is not a plain file")
        if path.is_file():
            with path.open("rb") as stream:
                yield path.relative_to(source).as_posix(), stream


def _inside(source: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or "\0" in name:
        raise _unusable(source, f"the path {name!r} leads out of it")
    return path.as_posix()


def _unusable(source: Path, why: str) -> DataError:
    return DataError(f"The backup {str(source)!r} cannot be used: {why}.", hint="Restore another one.")


def sized(data: bytes) -> tuple[IO[bytes], int]:
    """Bytes as a stream with its size."""
    return io.BytesIO(data), len(data)
