"""Dataset folders: written whole, named by content, and any changed byte is noticed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.errors import NotFoundError, StateError
from freehold.freeze import Frozen, LabelledCall, build, load, verify, write
from freehold.freeze.files import file_hashes, manifest_hash
from freehold.model import Answer, Asked, Message
from freehold.model.dataset import SPLITS
from freehold.model.task import Task

MARKS = ("ä", "ß", "\u2028", "😀", '"')
TASK = Task(id="t1", name="triage", key="k")


def make(count: int = 60) -> Frozen:
    return build(
        [
            LabelledCall(
                call_id=f"c{i:04d}",
                created_at=float(i),
                asked=Asked(dialect="openai-chat", messages=(Message("user", f"{MARKS[i % 5]} {i * 7919}"),)),
                answer=Answer(text=("yes", "no")[i % 2]),
                user=f"u{i // 3}",
            )
            for i in range(count)
        ],
        task=TASK,
    )


@pytest.fixture(scope="module")
def frozen() -> Frozen:
    return make()


@pytest.fixture(scope="module")
def written(frozen: Frozen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(frozen, tmp_path_factory.mktemp("datasets"))


def test_what_is_written_is_what_is_read(frozen: Frozen, written: Path) -> None:
    dataset = load(written)
    assert dataset.manifest == frozen.manifest
    assert {split: dataset.split(split) for split in SPLITS} == frozen.examples
    assert verify(written) == []
    assert written.name == frozen.manifest.hash[:16]
    assert sorted(path.name for path in written.parent.iterdir()) == [written.name]


def test_the_same_dataset_twice_is_one(frozen: Frozen, written: Path) -> None:
    before = (written / "manifest.json").stat().st_mtime_ns
    assert write(make(), written.parent) == written
    assert (written / "manifest.json").stat().st_mtime_ns == before
    assert make(61).manifest.hash != frozen.manifest.hash


def test_files_are_read_only(written: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in written.iterdir()} == {0o444}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_changed_byte_is_noticed(written: Path, data: st.DataObject) -> None:
    path = written / data.draw(st.sampled_from(["manifest.json", *(f"{split}.jsonl" for split in SPLITS)]))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(1, 255))
    path.chmod(0o644)
    try:
        path.write_bytes(content[:place] + bytes([content[place] ^ byte]) + content[place + 1 :])
        assert verify(written)
        with pytest.raises(StateError, match="damaged"):
            load(written)
    finally:
        path.write_bytes(content)
        path.chmod(0o444)
    assert verify(written) == []


@pytest.mark.parametrize("change", ["remove", "add", "truncate"])
def test_missing_added_and_cut_files_are_noticed(frozen: Frozen, tmp_path: Path, change: str) -> None:
    path = write(frozen, tmp_path)
    if change == "remove":
        (path / "dev.jsonl").unlink()
    elif change == "add":
        (path / "more.jsonl").write_text("{}\n")
    else:
        (path / "dev.jsonl").chmod(0o644)
        os.truncate(path / "dev.jsonl", 9)
    assert verify(path)
    with pytest.raises(StateError) as caught:
        write(frozen, tmp_path)
    assert "freeze again" in caught.value.hint


def test_rules_are_checked_beyond_the_hashes(frozen: Frozen, tmp_path: Path) -> None:
    train, proof = frozen.examples["train"], frozen.examples["proof"]
    stolen = replace(proof[0], created_at=proof[-1].created_at + 1)
    examples = {**frozen.examples, "train": (*train, stolen)}
    manifest = replace(frozen.manifest, files=file_hashes(examples))
    bad = Frozen(replace(manifest, hash=manifest_hash(manifest)), examples)
    problems = "; ".join(verify(write(bad, tmp_path)))
    for part in ("the manifest says", "splits", "newer than the proof", "nearly one of a later split"):
        assert part in problems


def test_no_dataset_is_said_in_words(tmp_path: Path) -> None:
    assert verify(tmp_path / "none") == [f"there is no dataset in {str(tmp_path / 'none')!r}"]
    with pytest.raises(NotFoundError, match="no dataset"):
        load(tmp_path / "none")


def test_a_disk_that_does_not_take_it_leaves_nothing_behind(
    frozen: Frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("freehold.freeze.files.os.fsync", full)
    with pytest.raises(StateError, match="No space left on device"):
        write(frozen, tmp_path)
    assert list(tmp_path.iterdir()) == []
