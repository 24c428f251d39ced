"""A dataset's folder, read: its manifest and its examples.

    manifest.json                               what was kept, what was dropped and why
    train.jsonl, dev.jsonl, proof.jsonl         one example a line, the oldest first

Training, proof and every other reader use this module. Not covered: writing a folder, and whether its bytes are those
that were written (`freehold.freeze.load` checks that first).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from freehold.errors import DataError
from freehold.model.dataset import SPLITS, Manifest, Split
from freehold.model.example import Example

MANIFEST = "manifest.json"
_EXAMPLES = msgspec.json.Decoder(Example)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as read: where it lies, its manifest, its splits."""

    path: Path
    manifest: Manifest
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    proof: tuple[Example, ...]

    def split(self, name: Split) -> tuple[Example, ...]:
        """The examples of a split, oldest first."""
        return {"train": self.train, "dev": self.dev, "proof": self.proof}[name]


def read_dataset(folder: Path) -> Dataset:
    """The dataset in `folder`; DataError where a file is missing or damaged."""
    manifest = read_manifest(folder)
    return Dataset(folder, manifest, *(read_split(folder, split) for split in SPLITS))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the dataset in `folder`; DataError where it is missing or damaged."""
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error


def read_split(folder: Path, split: Split) -> tuple[Example, ...]:
    """The examples of one split of the dataset in `folder`; DataError where the file is missing or damaged."""
    path = folder / split_file(split)
    try:
        with path.open("rb") as lines:
            return tuple(_examples(path, lines))
    except OSError as error:
        raise _damaged(path, error) from error


def split_file(split: Split) -> str:
    """The name of the file that holds a split."""
    return f"{split}.jsonl"


def _examples(path: Path, lines: Iterator[bytes]) -> Iterator[Example]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _EXAMPLES.decode(line)
            except (ValueError, RecursionError) as error:
                raise _damaged(path, f"line {number}: {error}") from error


def _damaged(path: Path, why: object) -> DataError:
    return DataError(f"The dataset file {str(path)!r} cannot be read: {why}.", hint="Freeze the task again.")
