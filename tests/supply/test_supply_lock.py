"""The lock: it holds every requirement, in its range, with hashes, and what is installed here is installed from it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import lock_files
import pytest
from lock_files import LOCK, ROOT, Pin, included, read_pins
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
FILES = sorted(path.stem for path in LOCK.glob("*.txt"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def _read(*names: str) -> list[Pin]:
    """The pins of some files of the lock, and of those that they include."""
    found = []
    for name in names:
        path = LOCK / f"{name}.txt"
        found += [*read_pins(path), *_read(*included(path))]
    return found


def _unmet(texts: list[str], pins: list[Pin]) -> list[str]:
    """The requirements that no pin satisfies; a requirement with a marker needs one of its version for some system."""
    return [text for text in texts if not any(_fits(Requirement(text), pin) for pin in pins)]


def _fits(requirement: Requirement, pin: Pin) -> bool:
    return pin.name == canonicalize_name(requirement.name) and requirement.specifier.contains(
        pin.version, prereleases=True
    )


def test_every_requirement_is_locked_within_its_range() -> None:
    checked = [*PROJECT["project"]["dependencies"]]
    assert _unmet(checked, _read("gateway")) == []
    for extra, texts in EXTRAS.items():
        if extra != "all":
            assert _unmet(texts, _read("gateway", extra)) == [], extra
            checked += texts
    groups = PROJECT["dependency-groups"]
    everything = ["gateway", *(extra for extra in EXTRAS if extra != "all"), "dev"]
    for group, files in (("dev", everything), ("postgres", everything), ("build", ["build"]), ("lock", ["uv"])):
        assert _unmet(groups[group], _read(*files)) == [], group
        checked += groups[group]
    assert set(groups) == {"dev", "postgres", "build", "lock"}
    assert _unmet(PROJECT["build-system"]["requires"], _read("build")) == []
    assert len(checked) > 40


def test_a_requirement_that_the_lock_does_not_meet_is_noticed() -> None:
    pins = _read("gateway")
    assert _unmet(["click>=99", "no-such-package", "click>=8"], pins) == ["click>=99", "no-such-package"]


def test_every_package_has_one_version_in_all_files() -> None:
    versions: dict[str, set[str]] = {}
    for name in FILES:
        for pin in _read(name):
            versions.setdefault(pin.name, set()).add(pin.version.split("+")[0])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    assert len(versions) > 100


def test_what_a_locked_package_needs_is_locked_too() -> None:
    """Told by the metadata of what is installed here in the locked version, for this Python and system."""
    pins = _read(
        "gateway", *(extra for extra in EXTRAS if extra not in ("all", "train")), "train-libraries", "torch-cpu", "dev"
    )
    checked = 0
    for pin in pins:
        if pin.is_needed_here() and _installed(pin.name) == pin.version:
            checked += 1
            needed = [text for text in requires(pin.name) or [] if _is_needed(Requirement(text))]
            assert _unmet(needed, pins) == [], pin.name
    assert checked > 50


def _is_needed(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def test_a_line_without_a_version_or_a_hash_is_refused(tmp_path: Path) -> None:
    for text in ("click>=8", "click==8.*", "click==8.5.1", "click==8.5.1 \\\n    --hash=md5:abc"):
        (tmp_path / "bad.txt").write_text(f"{text}\n", encoding="utf-8")
        with pytest.raises(ValueError, match=r"pins no version|has no hash"):
            read_pins(tmp_path / "bad.txt")


def test_the_lock_names_no_index_and_no_place() -> None:
    for name in FILES:
        text = (LOCK / f"{name}.txt").read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|--index|--extra-index|--find-links|--trusted-host| @ ", text), name


def test_all_of_the_lock_is_used() -> None:
    extras = {extra for extra in EXTRAS if extra != "all"}
    assert set(FILES) == extras | {"gateway", "dev", "build", "uv", "train-libraries", "torch", "torch-cpu"}
    assert included(LOCK / "train.txt") == ["train-libraries", "torch"]
    torch, torch_cpu = (next(pin for pin in _read(name) if pin.name == "torch") for name in ("torch", "torch-cpu"))
    assert torch_cpu.version == f"{torch.version}+cpu"


def test_torch_cpu_needs_nothing_that_only_cuda_needs() -> None:
    of_cuda = {pin.name for pin in _read("torch")}
    elsewhere = {pin.name for name in FILES if name not in ("torch", "torch-cpu", "train") for pin in _read(name)}
    assert of_cuda & elsewhere == set()
    assert {"torch", "triton"} <= of_cuda


def _recipes() -> Iterator[str]:
    joined = MAKEFILE.replace("\\\n", " ")
    yield from (line.strip() for line in joined.splitlines() if line.startswith("\t"))


def test_make_installs_nothing_but_what_is_locked() -> None:
    """Each install is from the lock with hashes and wheels alone, or of this folder without anything it needs."""
    assert re.search(
        r"^LOCKED := \$\(PIP\) install --require-hashes --no-deps --only-binary :all:$", MAKEFILE, re.MULTILINE
    )
    installs = [line for line in _recipes() if "$(PIP) install" in line or "pip install" in line]
    assert installs == ["@$(PIP) install --no-deps --no-build-isolation --editable ."]
    locked = [line for line in _recipes() if "$(LOCKED" in line]
    assert all("--requirement lock/" in line or "$(PARTS)" in line for line in locked)
    assert len(locked) >= 4
    (parts,) = re.findall(r"^PARTS .*,(.+)\)$", MAKEFILE, re.MULTILINE)
    extras = [extra for extra in EXTRAS if extra not in ("all", "train")]
    assert sorted(parts.split()) == sorted(["gateway", *extras, "train-libraries", "dev"])
    assert "$(wildcard lock/*.txt)" in MAKEFILE, "a changed lock is installed"


def test_the_lock_is_made_for_the_oldest_python_that_is_allowed() -> None:
    assert PROJECT["project"]["requires-python"] == f">={PROJECT['tool']['uv']['pip']['python-version']}"
    assert PROJECT["tool"]["uv"]["pip"]["generate-hashes"] is True
    assert PROJECT["tool"]["uv"]["exclude-newer"] == "7 days"


def test_the_package_ships_the_versions_of_the_lock() -> None:
    lines = (ROOT / "src" / "freehold" / "tested.txt").read_text(encoding="utf-8").splitlines()
    shipped = {line for line in lines if not line.startswith("#")}
    pins = _read("gateway", *lock_files.extras())
    assert shipped == {f"{pin.name}=={pin.version}" for pin in pins}
