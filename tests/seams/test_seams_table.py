"""The tables: what is in them can be loaded, and what cannot be is one clear line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from freehold import plugins
from freehold.errors import DataError, SettingError
from freehold.plugins import ALARMS, Seam

TABLES = [table for table in vars(plugins).values() if isinstance(table, Seam)]
Offer = Callable[[str, str, str], None]


@pytest.mark.parametrize(("table", "name"), [(table, name) for table in TABLES for name in table.own])
def test_each_entry_of_freeholds_own_can_be_loaded(table: Seam, name: str) -> None:
    assert table.load(name) is not None


def test_each_table_has_a_name_and_an_entry() -> None:
    assert len({table.name for table in TABLES}) == len(TABLES)
    assert all(table.own for table in TABLES)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(", "SyntaxError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("raise ValueError('one line\\nand another')", "one line and another"),
        ("", "AttributeError"),
    ],
)
def test_a_package_that_cannot_be_imported_is_one_clear_line(
    offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    (tmp_path / "of_others.py").write_text(body, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "of_others", raising=False)
    offer("alarms", "theirs", "of_others:Theirs")
    with pytest.raises(SettingError, match=said) as caught:
        ALARMS.load("theirs")
    assert "'theirs' of alarms cannot be loaded" in caught.value.message
    assert "\n" not in str(caught.value)
    assert "uninstall" in caught.value.hint


def test_two_of_one_name_and_an_unknown_name_are_one_clear_line(offer: Offer) -> None:
    offer("alarms", "log", "seams.quiet_alarm:Mine")
    offer("alarms", "pager", "seams.quiet_alarm:Mine")
    with pytest.raises(SettingError, match="'log' of alarms is offered by several packages"):
        ALARMS.load("log")
    with pytest.raises(SettingError, match="There is no 'horn' among alarms") as caught:
        ALARMS.load("horn")
    assert caught.value.hint == "Known: log, pager, webhook."


def test_an_entry_that_lacks_what_its_protocol_asks_for_is_one_clear_line() -> None:
    table = Seam("things", {"mine": "seams.quiet_alarm:Mine"}, needs=("send", "stop", "url"))
    with pytest.raises(SettingError, match="it has no stop, url"):
        table.load("mine")


def test_what_an_entry_of_others_raises_is_one_line_and_ours_is_a_fault_of_the_program() -> None:
    with pytest.raises(DataError, match="'pager' of alarms failed: ZeroDivisionError: division by zero") as caught:
        _divide("pager")
    assert "\n" not in str(caught.value)
    with pytest.raises(ZeroDivisionError):
        _divide("log")
    with pytest.raises(SettingError, match="as it was"), ALARMS.errors_of("pager"):
        raise SettingError("as it was")


def _divide(name: str) -> None:
    with ALARMS.errors_of(name):
        _ = 1 / 0


@pytest.mark.parametrize("table", TABLES)
def test_what_is_ours_whatever_others_call_theirs_can_still_be_loaded(table: Seam, offer: Offer) -> None:
    """Where Freehold needs its own entry: the dialects of calls, the step that takes the template out."""
    name = next(iter(table.own))
    own = table.load(name)
    offer(table.name, name, "of_others:Theirs")
    with pytest.raises(SettingError, match="offered by several packages"):
        table.load(name)
    assert table.load_own(name) is own
