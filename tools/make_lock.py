"""Makes the lock, lock/*.txt, from the requirements in pyproject.toml: run by `make lock`.

All requirements are resolved together, so that a package has one version in all files. Then each file takes its part:

    gateway           the package without extras
    EXTRA             what an extra adds to it (engine, postgres, otel, demo)
    train             what the extra `train` adds, in two files: train-libraries, and torch as the public index has it
    torch-cpu         torch's CPU build, which needs nothing of CUDA; the Makefile tries it in place of torch
    dev               what the checks and tests add to all of these
    build             pip and the build backend, which set up the rest
    uv                what this file needs itself, in an environment of its own

A version stays while it fits, unless `--upgrade` is given; a release that is younger than the cooldown in
pyproject.toml (`tool.uv.exclude-newer`) is not taken, unless `--cooldown` says otherwise. The versions of the package's
own requirements are also written to src/freehold/tested.txt, for `freehold doctor`.

At the end each package is looked for as a wheel for each of `SYSTEMS`, since no package is built from its source.

Not covered: installing, which the Makefile and the Dockerfile do.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from lock_files import (
    BUILD,
    DEV,
    GATEWAY,
    LOCK,
    ROOT,
    TORCH,
    TORCH_CPU,
    TRAIN_LIBRARIES,
    UV,
    Pin,
    extras,
    read_pins,
)

TESTED = ROOT / "src" / "freehold" / "tested.txt"
_OF_CUDA = re.compile(r"torch|triton|(nvidia|cuda)-.*")  # what torch's CPU build replaces or does not need
SYSTEMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_OLDEST_MACOS = "14.0"  # torch has no wheel for an older one
_MADE = "# Made by `make lock`; do not edit.\n"


def main() -> None:
    """Resolve, and write all files of the lock."""
    parser = argparse.ArgumentParser(description="Make lock/*.txt from pyproject.toml.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    parser.add_argument("--cooldown", help="take no release younger than this, such as '3 days' or '0 days'")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole.txt"
        if not options.upgrade:
            whole.write_text("".join(pin.text for pin in _kept()), encoding="utf-8")
        for path in LOCK.glob("*.txt"):
            if path.stem != TORCH_CPU:
                path.unlink()
        cooldown = ["--exclude-newer", options.cooldown] if options.cooldown else []
        _write_parts(Resolver(whole, cooldown))
    for system in SYSTEMS:
        for python in PYTHONS:
            _check_wheels(system, python, cooldown)


class Resolver:
    """Asks uv for the closure of some requirements; versions are those of the file `whole`, which it makes first."""

    def __init__(self, whole: Path, options: Sequence[str]) -> None:
        self._whole, self._options = whole, list(options)
        everything = [*_extra_options(extras()), *_group_options("dev", "postgres", BUILD, "lock")]
        self._run(["pyproject.toml", *everything], whole)

    def closure(self, *arguments: str) -> list[Pin]:
        """The packages that these arguments of `uv pip compile` need."""
        made = self._whole.with_name("part.txt")
        made.unlink(missing_ok=True)
        self._run([*arguments, "--constraint", str(self._whole)], made)
        return read_pins(made)

    def _run(self, arguments: Sequence[str], out: Path) -> None:
        _compile([*self._options, *arguments], out)


def _compile(arguments: Sequence[str], out: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--output-file", str(out)]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": _OLDEST_MACOS}
    done = subprocess.run([*command, *arguments], check=False, cwd=ROOT, env=environment)
    if done.returncode:
        sys.exit("uv found no versions that fit; see its message above. lock/ is incomplete: git restore lock")


def _check_wheels(system: str, python: str, cooldown: Sequence[str]) -> None:
    """End with uv's message if a locked package has no wheel for this system and Python."""
    files = [str(path) for path in sorted(LOCK.glob("*.txt")) if path.stem not in (TORCH_CPU, UV)]
    platform = ["--no-universal", "--python-platform", system, "--python-version", python]
    with tempfile.TemporaryDirectory() as scratch:
        _compile([*cooldown, "--no-deps", "--only-binary", ":all:", *platform, *files], Path(scratch) / "one.txt")


def _write_parts(resolver: Resolver) -> None:
    gateway = resolver.closure("pyproject.toml")
    _write(GATEWAY, "The package without extras.", gateway)
    written = list(gateway)
    for extra in extras():
        pins = _without(resolver.closure("pyproject.toml", "--extra", extra), gateway)
        if extra == "train":
            _write_train(pins)
        else:
            _write(extra, f"What the extra {extra!r} adds to gateway.txt.", pins)
        written += pins
    everything = resolver.closure("pyproject.toml", *_extra_options(extras()), *_group_options("dev", "postgres"))
    _write(DEV, "What the checks and tests add to gateway.txt and to all extras.", _without(everything, written))
    _write(BUILD, "pip and the build backend, which set up the rest.", resolver.closure(*_group_options(BUILD)))
    _write(UV, "What makes the lock.", resolver.closure(*_group_options("lock")))
    tested = sorted({f"{pin.name}=={pin.version}" for pin in written})
    head = (
        "# The versions that this release was tested with, of all that it may need. Made by `make lock`; do not edit.\n"
    )
    TESTED.write_text(head + "\n".join(tested) + "\n", encoding="utf-8")


def _write_train(pins: Sequence[Pin]) -> None:
    of_cuda = [pin for pin in pins if _OF_CUDA.fullmatch(pin.name)]
    _write(TRAIN_LIBRARIES, "What the extra 'train' adds to gateway.txt, but for torch.", _without(pins, of_cuda))
    _write(TORCH, "torch as the public index has it, with what it needs of CUDA on Linux.", of_cuda)
    lines = "".join(f"--requirement {part}.txt\n" for part in (TRAIN_LIBRARIES, TORCH))
    (LOCK / "train.txt").write_text(f"{_MADE}# What the extra 'train' adds to gateway.txt.\n{lines}", encoding="utf-8")
    (version,) = {pin.version for pin in of_cuda if pin.name == "torch"}
    _write_torch_cpu(f"{version}+cpu")


def _write_torch_cpu(version: str) -> None:
    """Add the hash of the CPU build that pip's index offers to this Python to those that are known of this version."""
    path = LOCK / f"{TORCH_CPU}.txt"
    known = (
        {digest for pin in read_pins(path) if pin.version == version for digest in pin.hashes}
        if path.exists()
        else set()
    )
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", scratch, f"torch=={version}"], check=False, capture_output=True)
        for wheel in Path(scratch).glob("*.whl"):
            with wheel.open("rb") as source:
                known.add(hashlib.file_digest(source, "sha256").hexdigest())
    if not known:
        sys.exit(
            f"pip's index has no torch {version} for this Python, so lock/{TORCH_CPU}.txt cannot be made.\n"
            "Give pip an index that has torch's CPU builds as well (PIP_EXTRA_INDEX_URL), then run make lock again."
        )
    lines = " \\\n".join([f"torch=={version}", *(f"    --hash=sha256:{digest}" for digest in sorted(known))])
    text = "# torch's CPU build, for the Pythons and systems whose files are known.\n"
    path.write_text(f"{_MADE}{text}{lines}\n", encoding="utf-8")


def _write(name: str, what: str, pins: Iterable[Pin]) -> None:
    text = "".join(pin.text for pin in pins)
    (LOCK / f"{name}.txt").write_text(f"{_MADE}# {what}\n{text}", encoding="utf-8")


def _without(pins: Iterable[Pin], others: Iterable[Pin]) -> list[Pin]:
    """The packages that the others have not, or have for fewer systems."""
    known = {(pin.name, pin.marker) for pin in others}
    return [pin for pin in pins if (pin.name, pin.marker) not in known and (pin.name, "") not in known]


def _kept() -> list[Pin]:
    """What is locked now, each package once."""
    files = [path for path in sorted(LOCK.glob("*.txt")) if path.stem != TORCH_CPU]
    return list({pin.name: pin for path in files for pin in read_pins(path)}.values())


def _extra_options(names: Iterable[str]) -> list[str]:
    return [word for name in names for word in ("--extra", name)]


def _group_options(*names: str) -> list[str]:
    return [word for name in names for word in ("--group", name)]


if __name__ == "__main__":
    main()
