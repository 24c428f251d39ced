"""Reads a frozen dataset's folder: its manifest and the examples of one split.

Not covered: making and verifying datasets (`freehold.freeze`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freehold.errors import DataError
from freehold.model.example import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What a proof needs of a dataset.

    `unspoken` counts by reason the calls of the proof's period that it does not hold. `has_kinds`: its examples say of
    what kind their requests are. `learnt_inputs` are the held-out calls whose input was nearly learnt.
    """

    hash: str
    task: str
    task_id: str
    kind: str
    counts: dict[str, int]
    dropped: dict[str, int]
    unspoken: dict[str, int] = field(default_factory=dict)
    has_kinds: bool = False
    learnt_inputs: int = 0
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    proof: tuple[Example, ...]


def read_folder(folder: Path) -> Frozen:
    """Read the dataset in `folder`; DataError where a file is missing or damaged, or nothing is held out."""
    manifest = _manifest(folder)
    splits = {name: _examples(folder / f"{name}.jsonl") for name in ("train", "dev", "proof")}
    if not splits["proof"]:
        raise DataError(
            f"The dataset {manifest['hash']!r} holds out no calls for the proof.",
            hint="Record more calls of this task, then freeze it again.",
        )
    return Frozen(
        hash=str(manifest["hash"]),
        task=str(manifest["task"]),
        task_id=str(manifest.get("task_id", manifest["task"])),
        kind=str(manifest["kind"]),
        counts={str(k): int(v) for k, v in manifest.get("counts", {}).items()},
        dropped={str(k): int(v) for k, v in manifest.get("dropped", {}).items()},
        unspoken={str(k): int(v) for k, v in manifest.get("unspoken", {}).items()},
        has_kinds=bool(manifest.get("kinds")),
        learnt_inputs=int(manifest.get("repeats", {}).get("held_out", 0)),
        train=splits["train"],
        dev=splits["dev"],
        proof=splits["proof"],
    )


def read_split(folder: Path, name: str) -> tuple[Example, ...]:
    """The examples of one split of the dataset in `folder`; DataError where the file is missing or damaged."""
    return _examples(folder / f"{name}.jsonl")


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        missing = sorted({"hash", "task", "kind"} - set(manifest))
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error
    if missing:
        raise _damaged(path, f"{missing} missing")
    return manifest


def _examples(path: Path) -> tuple[Example, ...]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return tuple(_example(path, number, line) for number, line in enumerate(lines, 1) if line.strip())


def _example(path: Path, number: int, line: str) -> Example:
    try:
        example = Example.from_row(json.loads(line))
        texts = (example.id, example.target, example.incumbent, example.group, *(m.content for m in example.messages))
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text is none")
        if not math.isfinite(example.created_at):
            raise ValueError(f"created_at is {example.created_at!r}")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _damaged(path, f"line {number}: {error!r}") from error
    return example


def _damaged(path: Path, why: object) -> DataError:
    return DataError(f"The dataset file {str(path)!r} cannot be read: {why}.", hint="Freeze the task again.")
