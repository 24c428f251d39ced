"""What other packages offer, as far as a test says."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

from freehold import plugins

Offer = Callable[[str, str, str], None]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Put an entry into a table as another package would: its name, the table's, and `module:name`."""
    entries: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [e for e in entries if e.group == group])

    def put(table: str, name: str, place: str) -> None:
        entries.append(EntryPoint(name, place, f"freehold.{table}"))

    return put
