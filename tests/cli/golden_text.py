"""Holds what a command says against a text that was read and found good."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import Result

GOLDEN = Path(__file__).parent / "golden"


def check_golden(name: str, result: Result, folder: Path) -> None:
    """Fails unless the command said what the golden text of this name says, but for times and hashes."""
    text = f"{result.stdout}--- stderr, exit {result.exit_code}\n{result.stderr}".replace(str(folder), "FOLDER")
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "HASH16", text)
    text = re.sub(r"\([0-9a-f]{12}\)", "(HASH12)", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d UTC)?", "TIME", text)
    text = re.sub(r"process of account \S+", "process of account ACCOUNT", text)
    text = re.sub(r"(freehold )\d+\.\d+\.\S+ ", r"\1VERSION ", text)
    path = GOLDEN / f"{name}.txt"
    assert path.exists(), f"write {path} with:\n{text}"
    assert text == path.read_text(encoding="utf-8")
