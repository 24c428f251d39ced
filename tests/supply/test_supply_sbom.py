"""The bill of materials: it fits CycloneDX's schema and names all that is locked."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from lock_files import LOCK, read_pins

sbom = pytest.importorskip("sbom", reason="cyclonedx-python-lib is not installed", exc_type=ImportError)
jsonschema_rs = pytest.importorskip("jsonschema_rs")


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The bill of materials of the lock."""
    made: dict[str, Any] = json.loads(sbom.bill_of_materials())
    return made


def _schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("cyclonedx.schema").joinpath("_res", name).read_text(encoding="utf-8"))
    return loaded


def _validator() -> Any:
    """CycloneDX's schema, with the two that it names, so that nothing is fetched."""
    names = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    registry = jsonschema_rs.Registry([(f"http://cyclonedx.org/schema/{name}", _schema(name)) for name in names])
    return jsonschema_rs.validator_for(_schema("bom-1.6.SNAPSHOT.schema.json"), registry=registry)


def test_it_fits_the_schema(bill: dict[str, Any]) -> None:
    validator = _validator()
    assert [error.message for error in validator.iter_errors(bill)] == []
    assert not validator.is_valid({**bill, "components": [{"name": "of no type"}]})
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "freehold"


def test_it_names_every_locked_package_with_version_and_hashes(bill: dict[str, Any]) -> None:
    named = {
        (part["name"], part["version"]): {one["content"] for one in part["hashes"] if one["alg"] == "SHA-256"}
        for part in bill["components"]
    }
    locked: dict[tuple[str, str], set[str]] = {}
    for path in LOCK.glob("*.txt"):
        for pin in read_pins(path):
            locked.setdefault((pin.name, pin.version), set()).update(pin.hashes)
    assert named == locked
    assert len(named) > 100
    assert all(part["purl"].startswith("pkg:pypi/") for part in bill["components"])


def test_it_tells_the_licence_of_what_is_installed(bill: dict[str, Any]) -> None:
    checked = 0
    for part in bill["components"]:
        try:
            told = metadata(part["name"])
        except PackageNotFoundError:
            continue
        if told["Version"] == part["version"] and (told.get("License-Expression") or told.get("License")):
            checked += 1
            assert part["licenses"], part["name"]
    assert checked > 50


def test_it_says_what_each_package_is_for(bill: dict[str, Any]) -> None:
    scopes = {part["name"]: part["scope"] for part in bill["components"]}
    assert (scopes["uvicorn"], scopes["gguf"], scopes["pytest"], scopes["uv"]) == (
        "required",
        "optional",
        "excluded",
        "excluded",
    )
    held = {part["name"]: part["properties"][0]["value"] for part in bill["components"]}
    assert held["gguf"] == "engine,train-libraries"
    (freehold,) = [entry for entry in bill["dependencies"] if entry["ref"] == "freehold"]
    assert any(name.startswith("pkg:pypi/starlette@") for name in freehold["dependsOn"])


def test_the_command_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["sbom.py", str(tmp_path / "sbom.json")])
    sbom.main()
    assert json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))["bomFormat"] == "CycloneDX"
    assert "packages" in capsys.readouterr().out
