"""docs/flow.md names each module once, and links only what is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("module_index", ROOT / "tools" / "module_index.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_the_page_names_each_module_once() -> None:
    tool = _tool()
    named = tool.linked((ROOT / "docs" / "flow.md").read_text(encoding="utf-8"))
    assert {name: count for name, count in named.items() if count > 1} == {}
    assert set(tool.modules()) - set(named) == set(), "run: python tools/module_index.py"
    assert set(named) - set(tool.modules()) == set()


def test_its_last_chapter_says_what_the_modules_say() -> None:
    tool = _tool()
    text = (ROOT / "docs" / "flow.md").read_text(encoding="utf-8")
    assert tool.with_index(text) == text, "run: python tools/module_index.py"
    assert len(tool.modules()) > 400
