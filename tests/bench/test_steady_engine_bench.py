"""The rows of the bench about engines: the bound, what counts as late, and what must have a tag."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from benches import reach_benches


@pytest.fixture
def steady_engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the bench."""
    reach_benches(monkeypatch)
    return importlib.import_module("steady_engine")


def a_call(due_s: float, latency_s: float, arm: str = "rented", engine: str | None = "busy") -> dict[str, Any]:
    return {"due_s": due_s, "latency_s": latency_s, "status": 200, "arm": arm, "engine": engine}


def a_scene(calls: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"calls": calls, "provider_s": [0.1] * 98 + [0.2, 9.0], "taken_back": 0, **more}


def test_one_call_beyond_the_bound_or_without_a_tag_is_seen(steady_engine: Any) -> None:
    good = [a_call(0.0, 0.5), a_call(1.0, 0.4, "owned", None)]
    rows = steady_engine._overload(a_scene(good))
    assert [row.is_met for row in rows if row.aim] == [True] * 4
    assert rows[0].aim == "at most 0.5 s"
    rows = steady_engine._overload(a_scene([*good, a_call(2.0, 0.501, engine=None)]))
    assert [row.is_met for row in rows if row.aim] == [False, True, False, True]
    assert "1 of 3 later than the bound" in rows[0].note


def test_of_a_call_under_way_only_what_came_after_the_stop_counts(steady_engine: Any) -> None:
    calls = [a_call(4.7, 0.75, engine="timeout"), a_call(5.1, 0.2, engine="hung"), a_call(9.0, 0.4, "owned", None)]
    rows = {row.name: row for row in steady_engine._hung(a_scene(calls, stopped_s=5.0, went_on_s=6.0))}
    assert rows["engine stopped: the latest that it was working on, from the stop on"].value == 0.45
    assert rows["engine stopped: the same, from when it was due"].value == 0.75
    assert rows["engine stopped: the latest call that came after"].value == 0.2
    assert rows["engine stopped: answered locally once it went on"].value == 1.0
