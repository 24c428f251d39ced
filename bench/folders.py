"""The folders of the benchmarks, and the way from a command at the top, `python bench/NAME.py`, to its module.

    gateway/     how fast the gateway is beside others; the bounds on strangers and spenders; loads, figures, processes
    proof/       the proof's guarantees against known truth
    exit/        the whole road on public data
    rollback/    turns of a model behind a real gateway; a busy hour

Modules of all folders import each other by name, so each name is there once.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

FOLDERS = tuple(Path(__file__).parent / name for name in ("gateway", "proof", "exit", "rollback"))


def command(module: str) -> int:
    """Run a benchmark's `main`; returns its exit status."""
    sys.path[:0] = [str(folder) for folder in FOLDERS]
    return importlib.import_module(module).main() or 0
