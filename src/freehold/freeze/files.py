"""Datasets as folders: written whole or not at all, named by their content, read-only, and checked when read.

A folder holds `manifest.json` and one JSON-lines file per split. The hash covers the manifest, and the manifest the
files' SHA-256, so that any changed byte is noticed. Not covered: how a dataset is made (`build`).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from freehold.errors import DataError, NotFoundError, StateError
from freehold.freeze.split import leaks
from freehold.model.dataset import SPLITS, Manifest, Split
from freehold.model.dataset_folder import MANIFEST, Dataset, read_manifest, read_split, split_file
from freehold.model.example import Example
from freehold.model.exchange import input_text
from freehold.model.ids import canonical_json, sha256_hex
from freehold.system.files import sync_folder

if TYPE_CHECKING:
    from freehold.freeze.build import Frozen

_AGAIN = "Restore it from a copy, or delete the folder and freeze again."


def write(frozen: Frozen, folder: Path) -> Path:
    """Write a dataset into `folder`, in a folder named by its hash; the same dataset twice is written once.

    Raises StateError when the disk does not take it, or when a damaged one lies there.
    """
    path = folder / frozen.manifest.hash[:16]
    if path.exists():
        load(path)
        return path
    temporary: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        contents = {split_file(split): render_rows(frozen.examples[split]) for split in SPLITS}
        for name, content in {**contents, MANIFEST: render_manifest(frozen.manifest)}.items():
            _write_file(temporary / name, content)
        temporary.chmod(0o755)
        sync_folder(temporary)
        if not path.exists():
            temporary.rename(path)
            sync_folder(folder)
    except OSError as error:
        raise StateError(
            f"The dataset could not be written to {str(folder)!r}: {error.strerror}.",
            hint="Free some space or fix the folder's permissions, then freeze again; nothing is lost.",
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return path


def load(path: Path) -> Dataset:
    """Read a dataset and check its hashes; NotFoundError when there is none, StateError when it is damaged."""
    if not (path / MANIFEST).is_file():
        raise NotFoundError(f"There is no dataset in {str(path)!r}.", hint="Run: freehold freeze TASK")
    problems, manifest = _check_hashes(path)
    if problems or manifest is None:
        raise StateError(f"The dataset in {str(path)!r} is damaged: {problems[0]}.", hint=_AGAIN)
    return Dataset(path, manifest, *(read_split(path, split) for split in SPLITS))


def verify(path: Path) -> list[str]:
    """Everything that is wrong with a dataset, in words; an empty list when it is sound."""
    if not path.is_dir():
        return [f"there is no dataset in {str(path)!r}"]
    problems, manifest = _check_hashes(path)
    if problems or manifest is None:
        return problems
    splits = {split: read_split(path, split) for split in SPLITS}
    return [
        *_check_counts(manifest, splits),
        *_check_groups(splits),
        *_check_times(splits),
        *_check_inputs(manifest, splits),
    ]


def written_hash(path: Path) -> str | None:
    """The hash of the dataset in this folder; None where any byte is not what was written."""
    problems, manifest = _check_hashes(path)
    return None if problems or manifest is None else manifest.hash


def render_rows(examples: Sequence[Example]) -> bytes:
    """Examples as a dataset file holds them."""
    return "".join(json.dumps(example.to_row(), ensure_ascii=False) + "\n" for example in examples).encode()


def render_manifest(manifest: Manifest) -> bytes:
    """A manifest as its file holds it."""
    return (json.dumps(manifest.to_json(), ensure_ascii=False, indent=2) + "\n").encode()


def file_hashes(examples: Mapping[Split, Sequence[Example]]) -> dict[str, str]:
    """The SHA-256 of each split's file."""
    return {split_file(split): sha256_hex(render_rows(examples[split])) for split in SPLITS}


def manifest_hash(manifest: Manifest) -> str:
    """The hash that names a dataset: of its manifest with all but the hash itself."""
    return sha256_hex(canonical_json(replace(manifest, hash="").to_json()))


def _write_file(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o444)


def _check_hashes(path: Path) -> tuple[list[str], Manifest | None]:
    try:
        content = (path / MANIFEST).read_bytes()
        manifest = read_manifest(path)
        if render_manifest(manifest) != content or manifest_hash(manifest) != manifest.hash:
            return [f"{MANIFEST} is not what was written"], None
        names = {entry.name for entry in path.iterdir()}
        problems = [f"{name} does not belong here" for name in sorted(names - {MANIFEST, *manifest.files})]
        for name, wanted in sorted(manifest.files.items()):
            if name not in names:
                problems.append(f"{name} is missing")
            elif sha256_hex((path / name).read_bytes()) != wanted:
                problems.append(f"{name} is not what was written")
    except OSError as error:
        return [f"it cannot be read: {error.strerror}"], None
    except DataError:
        return [f"{MANIFEST} is not what was written"], None
    if sorted(manifest.files) != sorted(split_file(split) for split in SPLITS):
        problems.append(f"{MANIFEST} does not name the three splits")
    return problems, manifest


def _check_counts(manifest: Manifest, splits: Mapping[Split, Sequence[Example]]) -> list[str]:
    return [
        f"{split_file(split)} has {len(splits[split])} examples, the manifest says {manifest.counts.get(split)}"
        for split in SPLITS
        if manifest.counts.get(split) != len(splits[split])
    ]


def _check_groups(splits: Mapping[Split, Sequence[Example]]) -> list[str]:
    seen = Counter(group for examples in splits.values() for group in {example.group for example in examples})
    return [f"group {group!r} is in {count} splits" for group, count in sorted(seen.items()) if count > 1]


def _check_times(splits: Mapping[Split, Sequence[Example]]) -> list[str]:
    earlier = [example.created_at for split in ("train", "dev") for example in splits[split]]
    first_proof = min((example.created_at for example in splits["proof"]), default=0.0)
    if earlier and splits["proof"] and max(earlier) > first_proof:
        return ["an example of train or dev is newer than the proof split's oldest"]
    return []


def _check_inputs(manifest: Manifest, splits: Mapping[Split, Sequence[Example]]) -> list[str]:
    """What is nearly in a later split, but for what the manifest says of traffic that repeats itself."""
    rows = [(split, example) for split in SPLITS for example in splits[split] if example.is_askable]
    told = [(split, input_text(example.messages), example.target) for split, example in rows]
    different = list(dict.fromkeys(told))
    threshold = float(manifest.settings.get("near_duplicate", 1.0))
    found = {different[place] for place in leaks(different, threshold)}
    leaking = [(split, example.id) for (split, example), own in zip(rows, told, strict=True) if own in found]
    counts = Counter(split for split, _ in leaking)
    return [
        f"example {example_id!r} of {split} is nearly one of a later split"
        for split, example_id in leaking
        if counts[split] > manifest.repeats.get(split, 0)
    ]
