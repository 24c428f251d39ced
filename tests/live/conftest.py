"""A moved task, and the scene of `bench/rollback.py`: a real `freehold up` between scripted sides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import BENCH
from live.moved import Moved, a_moved_task

sys.path.insert(0, str(BENCH / "rollback"))


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[Moved]:
    """A task that was moved, its store open."""
    moved = a_moved_task(tmp_path)
    yield moved
    moved.workspace.store.close()
