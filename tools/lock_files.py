"""Reads the lock: the files in lock/, which are pip requirements with a version and hashes for each package.

Not covered: making the lock (`make_lock`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "lock"
GATEWAY, DEV, BUILD, UV = "gateway", "dev", "build", "uv"
TRAIN_LIBRARIES, TORCH, TORCH_CPU = "train-libraries", "torch", "torch-cpu"


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock. `hashes` are the SHA-256 of all its files, in hex; `text` is its lines as they stand."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    text: str

    def is_needed_here(self) -> bool:
        """Whether the marker holds for this Python and system."""
        marker = Requirement(f"{self.name}; {self.marker}").marker if self.marker else None
        return marker is None or marker.evaluate()


def read_pins(path: Path) -> list[Pin]:
    """The packages of one lock file, in its order; ValueError for a line that pins nothing."""
    blocks = re.split(r"\n(?=\S)", "\n" + path.read_text(encoding="utf-8"))
    return [_pin(block) for block in blocks if block.strip() and not block.startswith(("#", "--requirement"))]


def _pin(block: str) -> Pin:
    requirement = Requirement(block.split("\\\n")[0].strip())
    (clause,) = requirement.specifier
    if clause.operator != "==" or clause.version.endswith(".*"):
        raise ValueError(f"{block.splitlines()[0]!r} pins no version.")
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", block)
    if not hashes:
        raise ValueError(f"{block.splitlines()[0]!r} has no hash.")
    name = canonicalize_name(requirement.name)
    return Pin(name, clause.version, str(requirement.marker or ""), tuple(hashes), block.rstrip() + "\n")


def included(path: Path) -> list[str]:
    """The lock files that a lock file names with `--requirement`."""
    return re.findall(r"^--requirement (\S+)\.txt$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def extras() -> list[str]:
    """The extras of the package, without `all`, which names the others."""
    return [name for name in project()["project"]["optional-dependencies"] if name != "all"]
