"""The command line in a folder of its own, empty or with a task that was proven, moved and returned."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import Run
from proven import walked_workspace


@pytest.fixture
def walked(run: Run, tmp_path: Path) -> Run:
    """The same, with a task that was proven, moved and returned."""
    workspace, _ = walked_workspace(tmp_path / ".freehold")
    workspace.store.close()
    return run
