"""The way of tests to the benchmarks' modules."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


def reach_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the modules of all benchmarks be imported by name."""
    for name in ("gateway", "proof", "exit", "rollback"):
        monkeypatch.syspath_prepend(str(BENCH / name))
