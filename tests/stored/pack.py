"""Pack what a finished `freehold demo` has left, so that later versions can be held to opening it.

    python tests/stored/pack.py FOLDER

Run it with the version whose state is to be kept; FOLDER is what `freehold demo --folder` was given. It writes
`demo.tar.xz`: the state folder without weights, locks and logs.
"""

from __future__ import annotations

import lzma
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).parent
LEFT_OUT = ("*.gguf", "*.safetensors", "*.lock", "*.log", "*.db", "*.db-*", "hf", "bases", "locks", "logs", "run")


def pack(demo: Path) -> None:
    """Write the archive."""
    source = demo / "desk" / "state"
    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / "state"
        shutil.copytree(source, state, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for database in ("freehold.db", "loop.db"):
            with closing(sqlite3.connect(source / database)) as connection:
                connection.execute("VACUUM INTO ?", [str(state / database)])
        with lzma.open(HERE / "demo.tar.xz", "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            for path in sorted(state.rglob("*")):
                archive.add(path, path.relative_to(state.parent), recursive=False, filter=_without_owner)


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
