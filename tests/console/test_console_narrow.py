"""The console on a phone and by keyboard, as far as markup and style tell it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from made import BEGAN_AT, a_workspace, triage_calls
from starlette.testclient import TestClient

import freehold
from freehold.console import build_console
from freehold.model import Route, Verdict
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls

PACKAGE = Path(freehold.__file__).parent
CSS = (PACKAGE / "console" / "templates" / "console.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The parts of a page that scroll, and its tables: the headings of each, and the labels of each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.areas: list[dict[str, str]] = []
        self.headings: list[list[str]] = []
        self.cells: list[list[dict[str, str]]] = []
        self._is_heading = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "scroll" in found.get("class", "").split():
            self.areas.append(found)
        if tag == "table":
            self.headings.append([])
            self.cells.append([])
        if tag == "th":
            self.headings[-1].append("")
        if tag == "td":
            self.cells[-1].append(found)
        self._is_heading = tag == "th"

    def handle_endtag(self, tag: str) -> None:
        self._is_heading = False

    def handle_data(self, data: str) -> None:
        if self._is_heading:
            self.headings[-1][-1] += data


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[dict[str, Page]]:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(60))
    sort_new_calls(workspace)
    task_id = _moved(workspace)
    client = TestClient(build_console(workspace, is_simulated=False), base_url="http://127.0.0.1:8700")
    yield {path: Page(client.get(path).text) for path in ("/", f"/tasks/{task_id}")}
    workspace.store.close()


def _moved(workspace: Workspace) -> str:
    (task,) = workspace.store.registry.tasks()
    shown = {"decision": "move", "coverage": 0.6, "margin": 0.02, "risk": 0.05, "report_path": "/r"}
    workspace.store.registry.put_verdict(Verdict(id="v1", task_id=task.id, model_id="m", dataset_hash="d", **shown))
    workspace.store.registry.put_route(
        Route(task_id=task.id, version=1, kind="cascade", model_id="m", created_at=BEGAN_AT)
    )
    return task.id


def test_every_area_that_scrolls_is_reached_by_keyboard_and_has_a_name(pages: dict[str, Page]) -> None:
    areas = [area for page in pages.values() for area in page.areas]
    assert len(areas) >= 3
    for area in areas:
        assert (area.get("tabindex"), area.get("role")) == ("0", "region")
        assert area.get("aria-label")
    assert len({area["aria-label"] for area in areas}) == len(areas)
    assert ".scroll:focus-visible" in CSS


def test_areas_of_the_report_are_reached_by_keyboard_too() -> None:
    found = []
    for template in (PACKAGE / "prove" / "report" / "templates").glob("*.j2"):
        found += re.findall(r'<div class="scroll"[^>]*>', template.read_text(encoding="utf-8"))
    assert len(found) >= 2
    assert all('tabindex="0" role="region" aria-label="' in area for area in found)


def test_on_a_phone_each_cell_says_what_it_is(pages: dict[str, Page]) -> None:
    tables = [(h, c) for page in pages.values() for h, c in zip(page.headings, page.cells, strict=True)]
    assert len(tables) >= 3
    for headings, cells in tables:
        labels = [cell.get("data-label") for cell in cells]
        assert cells
        assert labels == [heading.strip() or "Report" for heading in headings] * (len(cells) // len(headings))
    cards = [area for page in pages.values() for area in page.areas if "cards" in area["class"].split()]
    assert len(cards) == len(tables)


def test_on_a_phone_verdict_and_route_stand_first(pages: dict[str, Page]) -> None:
    keys = {c["data-label"] for c in pages["/"].cells[0] if "key" in c.get("class", "").split()}
    assert keys == {"Verdict", "Route"}
    narrow = CSS.partition("@media (max-width: 640px)")[2]
    for rule in (".cards tr { display: grid", "white-space: normal", "min-width: 0", ".cards .key { order: -1 }"):
        assert rule in narrow
    assert "attr(data-label)" in narrow


def test_what_is_for_the_form_of_the_login_leaves_cells_of_tables_alone() -> None:
    """A cell that is a grid is no cell any more: the columns behind it fall out of the table."""
    css = (files("freehold.console") / "templates" / "console.css").read_text(encoding="utf-8")
    wide = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", css)
    classes = set(re.findall(r'<td[^>]*class="([^"{]*)', "".join(_templates())))
    for name in {one for names in classes for one in names.split()}:
        for selectors, rule in re.findall(r"([^{}]+)\{([^{}]*)\}", wide):
            is_bare = any(re.fullmatch(rf"\.{name}", part.strip()) for part in selectors.split(","))
            assert not (is_bare and "display" in rule), f".{name} {{ {rule.strip()} }}"


def _templates() -> list[str]:
    folder = files("freehold.console") / "templates"
    return [one.read_text(encoding="utf-8") for one in folder.iterdir() if one.name.endswith(".html")]
