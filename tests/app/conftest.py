"""A town for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Town, a_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A folder, a port and an upstream; the gateway is not yet running."""
    (tmp_path / "town").mkdir()
    with a_town(tmp_path / "town") as made:
        yield made


@pytest.fixture
def second_town(tmp_path: Path) -> Iterator[Town]:
    """Another one."""
    (tmp_path / "second").mkdir()
    with a_town(tmp_path / "second") as made:
        yield made
