"""Dockerfile and compose file: they are not built here, so what can be told from their text is checked."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from freehold.settings import SETTINGS, load_settings

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VARIABLES = {setting.variable for setting in SETTINGS}


def _instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines]


def _all(name: str) -> list[str]:
    return [rest for found, rest in _instructions() if found == name]


def _compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return document


def _images() -> list[str]:
    """The images of Dockerfile and compose file, with the defaults of what a build or `.env` may set."""
    defaults = dict(rest.split("=", 1) for rest in _all("ARG"))
    texts = [image.split()[0] for image in _all("FROM")]
    texts += [service["image"] for service in _compose()["services"].values()]
    return [re.sub(r"\$\{(\w+)(?::-([^}]+))?\}", lambda found: found[2] or defaults[found[1]], text) for text in texts]


def _is_pinned(image: str) -> bool:
    name, _, tag = image.partition(":")
    return bool(name) and re.match(r"\d+", tag) is not None


def test_every_instruction_is_one() -> None:
    known = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {name for name, _ in _instructions()} == known | {"ENTRYPOINT", "CMD"}


def test_images_are_pinned_to_a_major_version() -> None:
    images = _images()
    assert images == ["python:3.13-slim", "python:3.13-slim", "postgres:18", "freehold:0.1"]
    assert all(_is_pinned(image) and "latest" not in image for image in images), images
    minor = images[0].split("python:")[1].split("-")[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert tuple(map(int, minor.split("."))) >= (3, 11)
    assert project["project"]["requires-python"] == ">=3.11"


def test_an_image_of_one_digest_can_be_asked_for_without_an_edit() -> None:
    assert {image.split()[0] for image in _all("FROM")} == {"${PYTHON_IMAGE}"}
    services = _compose()["services"]
    assert services["database"]["image"].startswith("${POSTGRES_IMAGE:-")
    (default,) = [rest.split("=", 1)[1] for rest in _all("ARG") if rest.startswith("PYTHON_IMAGE=")]
    assert services["gateway"]["build"]["args"]["PYTHON_IMAGE"] == f"${{PYTHON_IMAGE:-{default}}}"
    told = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert "imagetools inspect" in told
    assert all(f"{name}=" in told for name in ("PYTHON_IMAGE", "POSTGRES_IMAGE"))


def _install() -> str:
    (script,) = [rest for rest in _all("RUN") if "pip" in rest]
    return script


def test_what_is_installed_is_what_is_locked() -> None:
    """Each step that installs is of the lock, with hashes and wheels alone, or of the package's own wheel."""
    (locked,) = re.findall(r'locked="(.+?)"', _install())
    assert locked == "install --require-hashes --no-deps --only-binary :all:"
    steps = [step.strip() for step in _install().split("&&") if step.strip().startswith("${pip}")]
    for step in steps:
        if "${locked}" in step:
            assert re.search(r"--requirement lock/build\.txt$|\$\{parts\}$", step), step
        elif not step.endswith(" check"):
            assert "--no-deps" in step, step
            assert step.endswith((" .", " /build/dist/*.whl")), step
    assert len([step for step in steps if "${locked}" in step]) == 2
    assert any("--no-build-isolation" in step for step in steps if " wheel " in step)


@pytest.mark.parametrize("extras", ["postgres,engine", "engine", "postgres,engine,train,otel", ""])
def test_the_files_of_the_lock_follow_from_the_extras(extras: str) -> None:
    (parts,) = re.findall(r"parts=.+?\)\"(?=\s+&&)", _install())
    done = subprocess.run(
        ["sh", "-c", f'{parts}; echo "$parts"'],
        env={"EXTRAS": extras, "PATH": os.defpath},
        capture_output=True,
        text=True,
    )
    wanted = [f"lock/{name}.txt" for name in ("gateway", *filter(None, extras.split(",")))]
    assert done.stdout.split() == [word for name in wanted for word in ("--requirement", name)]
    assert all((ROOT / name).exists() for name in wanted)


def test_nothing_runs_as_root_and_nothing_goes_through_a_shell() -> None:
    (user,) = _all("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    order = [name for name, _ in _instructions()]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert "RUN" not in order[order.index("USER") :]
    for rest in (*_all("ENTRYPOINT"), *_all("CMD"), *(h.split("CMD ", 1)[1] for h in _all("HEALTHCHECK"))):
        assert rest.startswith("["), rest
    assert not re.search(r"\bsudo\b|\bADD\b|curl .*\|", DOCKERFILE)
    assert "--no-cache-dir" in DOCKERFILE


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [word for rest in _all("COPY") if "--from" not in rest for word in rest.split()[:-1]]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in let_in
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= set(copied), "the build of the wheel needs them"
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def test_extras_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = [word for rest in _all("ARG") if "EXTRAS=" in rest for word in rest.split("=")[1].split(",")]
    wanted += _compose()["services"]["gateway"]["build"]["args"]["EXTRAS"].split(",")
    assert wanted
    assert set(wanted) <= set(extras)
    assert "otel" in extras


def test_moved_tasks_are_served_in_a_container() -> None:
    (in_image,) = [rest.split("=")[1].split(",") for rest in _all("ARG") if "EXTRAS=" in rest]
    in_compose = _compose()["services"]["gateway"]["build"]["args"]["EXTRAS"].split(",")
    for extras in (in_image, in_compose):
        assert {"postgres", "engine"} <= set(extras)
    after_build = DOCKERFILE.split("FROM ")[2]
    assert "libgomp1" in after_build, "the engine's library is linked to it, and the slim image has none"


def test_settings_in_variables_exist_and_are_usable(tmp_path: Path) -> None:
    (environment,) = _all("ENV")
    pairs = dict(pair.split("=", 1) for pair in environment.split())
    of_compose = _compose()["services"]["gateway"]["environment"]
    found = {name: str(value) for name, value in {**pairs, **of_compose}.items() if name.startswith("FREEHOLD_")}
    assert set(found) <= VARIABLES
    (tmp_path / "freehold.toml").touch()
    settings = load_settings(tmp_path / "freehold.toml", environment=found)
    assert settings.text("gateway.host") == "0.0.0.0"
    assert settings.flag("gateway.require_key")
    assert str(settings.state) in _all("VOLUME")


def test_ports_and_probes_are_those_of_the_gateway() -> None:
    port = next(setting.default for setting in SETTINGS if setting.key == "gateway.port")
    assert _all("EXPOSE") == [str(port)]
    assert f"127.0.0.1:{port}/healthz" in _all("HEALTHCHECK")[0]
    assert _compose()["services"]["gateway"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_compose_file_is_safe_as_it_stands() -> None:
    document = _compose()
    services = document["services"]
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert not service.get("privileged")
        assert not any("docker.sock" in str(volume) for volume in service["volumes"])
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "nothing is open to the network unless somebody opens it"
        mounted = {volume.split(":")[0] for volume in service["volumes"] if volume[0] not in "./"}
        assert mounted <= set(document["volumes"])
    gateway, database = services["gateway"], services["database"]
    assert "ports" not in database
    assert "env_file" not in database, "the database has no business with the keys of providers"
    assert gateway["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][0] == "CMD"
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    grace_s = next(setting.default for setting in SETTINGS if setting.key == "gateway.grace_s")
    assert int(gateway["stop_grace_period"].removesuffix("s")) > float(grace_s)


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml"])
def test_no_secret_is_written_down(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    secrets = re.findall(r"(?:PASSWORD|API_KEY|TOKEN)\s*[:=]\s*(\S+)", re.sub(r"#.*", "", text))
    assert all(secret.startswith(("${", "?")) for secret in secrets), secrets
