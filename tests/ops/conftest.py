"""The command line in a folder of its own."""

from __future__ import annotations

import pytest
from made import Run


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in a temporary folder, 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")
    return run
