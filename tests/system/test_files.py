"""Files are wholly there or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from freehold.model.ids import sha256_hex
from freehold.system.files import file_sha256, write_whole


def test_a_file_takes_the_old_ones_place_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    for content in (b"old", b"new"):
        write_whole(path, content)
        assert path.read_bytes() == content
        assert file_sha256(path) == sha256_hex(content)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.json"]


def test_a_disk_that_takes_nothing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.json"]
