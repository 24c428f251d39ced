"""The command line in a folder of its own, empty or with a task that was proven, moved and returned."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made import Run
from proven import walked_estate

from freehold.cli.commands import cli


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in a temporary folder, 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="freehold")

    return call


@pytest.fixture
def walked(run: Run, tmp_path: Path) -> Run:
    """The same, with a task that was proven, moved and returned."""
    estate, _ = walked_estate(tmp_path / ".freehold")
    estate.store.close()
    return run
