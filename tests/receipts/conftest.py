"""The command line in a folder of its own, empty or with a task that was proven, moved and returned."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import Run
from proven import walked_estate


@pytest.fixture
def walked(run: Run, tmp_path: Path) -> Run:
    """The same, with a task that was proven, moved and returned."""
    estate, _ = walked_estate(tmp_path / ".freehold")
    estate.store.close()
    return run
