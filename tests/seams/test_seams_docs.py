"""The chapter on extending Freehold names every table, and counts the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

from freehold import plugins
from freehold.plugins import Seam
from freehold.settings import SETTINGS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
MOST_FILES, LEAST_CHANGES = 3, 9


def test_every_table_is_named_with_its_protocol_and_its_setting() -> None:
    tables = {table.name for table in vars(plugins).values() if isinstance(table, Seam)}
    rows = re.findall(r"^\| `(\w+)` \| \[[^]]+\]\(([^)]+)\) \| (.+) \|$", TEXT, re.MULTILINE)
    assert {name for name, _, _ in rows} == tables
    known = {setting.key for setting in SETTINGS}
    for _, link, chosen in rows:
        assert (ROOT / "docs" / link).is_file()
        assert set(re.findall(r"`(\w+\.\w+)`", chosen)) <= known


def test_each_change_names_files_that_are_there_and_counts_them() -> None:
    counts = {title: int(count) for title, count in re.findall(r"^\| \[(.+)\]\(#.+\) \| (\d+) \|$", TEXT, re.MULTILINE)}
    walks = {title.lower(): walk for title, walk in re.findall(r"^### (.+)\n([^#]+)", TEXT, re.MULTILINE)}
    assert list(counts) == list(walks)
    assert len(counts) == 12
    for title, walk in walks.items():
        named = re.findall(r"^\d+\. (new )?`([^`]+)`", walk, re.MULTILINE)
        assert len(named) == counts[title] == len(re.findall(r"^\d+\.", walk, re.MULTILINE)), title
        assert [path for new, path in named if bool(new) == (ROOT / path).exists()] == [], title
    assert sum(count <= MOST_FILES for count in counts.values()) >= LEAST_CHANGES
