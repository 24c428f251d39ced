"""Which of the installed packages are other versions than those that this release was tested with."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import distributions
from importlib.resources import files

from freehold.ops.doctor.finding import Finding

_SHOWN = 5


def check_versions() -> list[Finding]:
    """Tell, never warn: another version in the allowed range is no fault, but a clue when something else is wrong."""
    return [compare_versions(_tested(), _installed())]


def compare_versions(tested: Mapping[str, str], installed: Mapping[str, str]) -> Finding:
    """Compare the tested packages that are installed. A build's own part of a version (`+cpu`) does not count."""
    here = {name: installed[name] for name in tested if name in installed}
    other = [
        f"{name} {version} (tested: {tested[name]})"
        for name, version in sorted(here.items())
        if version.split("+")[0] != tested[name]
    ]
    if not other:
        return Finding("versions", "ok", f"all {len(here)} packages are the versions that were tested")
    shown = ", ".join(other[:_SHOWN]) + (f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else "")
    return Finding(
        "versions", "ok", f"{len(other)} of {len(here)} packages are not the version that was tested: {shown}"
    )


def _tested() -> dict[str, str]:
    lines = files("freehold").joinpath("tested.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def _installed() -> dict[str, str]:
    named = ((dist.metadata["Name"], dist.version) for dist in distributions())
    return {_normal(name): version for name, version in named if name}


def _normal(name: str) -> str:
    """A package's name as the index spells it."""
    return name.lower().replace("_", "-").replace(".", "-")
