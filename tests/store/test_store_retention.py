"""Retention of the record: only old bodies go, shared parts go when nobody needs them, and writers wait for moments."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from made import BEGAN_AT, a_call, chat_body
from sqlalchemy import create_engine, text

from freehold.store import Before, CallFilter, Store, copy_sqlite, read_diagnostics
from freehold.store.database import HEAD

SYSTEM = "A system prompt that is long enough to be kept once, in one part that all calls share. " * 20
LONG_AGO_S = 10 * 3600.0


def _fill(store: Store, system: str = SYSTEM, count: int = 450) -> list[str]:
    calls = [
        a_call(created_at=BEGAN_AT + number, task_id=f"t{number % 2}", request_body=chat_body(f"q{number}", system))
        for number in range(count)
    ]
    store.calls.add(calls)
    return [call.id for call in calls]


def _parts(url: str) -> int:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        count = int(connection.execute(text("SELECT count(*) FROM parts")).scalar_one())
    engine.dispose()
    return count


def test_only_old_bodies_go_and_all_else_stays(store: Store) -> None:
    _fill(store)
    before = Before(others=BEGAN_AT + 100, by_task={"t1": BEGAN_AT + 400, "t9": None})
    (first, second) = store.retention.old_bodies(before)
    assert (first.task_id, first.calls, first.oldest_at) == ("t0", 50, BEGAN_AT)
    assert (second.task_id, second.calls) == ("t1", 200)
    assert first.size_bytes > 0
    assert list(store.retention.delete_bodies(before)) == [200, 50], "a transaction is small"
    assert store.retention.old_bodies(before) == []
    calls = store.calls.find(CallFilter())
    assert len(calls) == 450
    for number, call in enumerate(calls):
        is_old = number < (400 if number % 2 else 100)
        assert (call.redaction == "deleted") is is_old
        assert (call.request_body == b"") is (call.response_body == b"") is is_old
        assert (call.input_tokens, call.cost_usd, call.model_asked, call.tags) == (10, 0.5, "m", {"row": "1"})


def test_one_task_alone_or_none(store: Store) -> None:
    _fill(store, count=10)
    assert list(store.retention.delete_bodies(Before(by_task={}))) == []
    assert list(store.retention.delete_bodies(Before(others=BEGAN_AT + 99, by_task={}, only="t1"))) == [5]
    assert {call.redaction for call in store.calls.find(CallFilter(task_id="t0"))} == {"none"}


def test_a_part_goes_when_no_call_refers_to_it_and_none_has_for_a_while(store: Store, url: str) -> None:
    _fill(store)
    _fill(store, system="Another prompt, of calls that are as old. " * 60, count=5)
    assert _parts(url) == 2
    later = time.time() + LONG_AGO_S
    list(store.retention.delete_bodies(Before(others=BEGAN_AT + 400, by_task={})))
    assert store.retention.delete_parts(time.time()) == 0, "somebody may be writing a call with it right now"
    assert store.retention.delete_parts(later) == 1, "50 calls of the first prompt are left"
    assert _parts(url) == 1
    list(store.retention.delete_bodies(Before(others=BEGAN_AT + 999, by_task={})))
    assert store.retention.delete_parts(later) == 1
    assert _parts(url) == 0
    (again,) = _fill(store, count=1)
    kept = store.calls.get(again)
    assert kept is not None
    assert SYSTEM.strip() in kept.request_body.decode()


def test_a_call_that_comes_while_parts_are_looked_through_keeps_its_part(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(store, count=3)
    list(store.retention.delete_bodies(Before(others=BEGAN_AT + 99, by_task={})))
    later = time.time() + LONG_AGO_S
    look, written = store.retention._not_referred_to, []

    def look_slowly(hashes: set[str]) -> set[str]:
        found = look(hashes)
        monkeypatch.setattr(time, "time", lambda: later + 1)
        written.extend(_fill(store, count=1))
        return found

    monkeypatch.setattr(store.retention, "_not_referred_to", look_slowly)
    store.retention.delete_parts(later)
    assert _parts(url) == 1
    kept = store.calls.get(written[0])
    assert kept is not None
    assert SYSTEM.strip() in kept.request_body.decode()


def test_what_was_deleted_is_in_no_page_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "freehold.db"
    store = Store(f"sqlite:///{path}")
    store.calls.add([a_call(response_body=b"FINDME" * 3000, request_body=b"FINDME" * 3000) for _ in range(40)])
    list(store.retention.delete_bodies(Before(others=BEGAN_AT + 1, by_task={})))
    assert store.retention.shrink()
    store.close()
    assert path.stat().st_size < 300_000
    assert b"FINDME" not in path.read_bytes()


def test_facts_are_read_and_nothing_is_changed(store: Store, url: str, tmp_path: Path) -> None:
    facts = read_diagnostics(url, check_s=10)
    assert facts is not None
    assert facts.version == facts.wanted == HEAD
    assert facts.size_bytes > 0
    assert facts.damage in ((), None)
    nothing = tmp_path / "none" / "freehold.db"
    assert read_diagnostics(f"sqlite:///{nothing}", check_s=1) is None
    assert not nothing.parent.exists()


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "freehold.db"
    store = Store(f"sqlite:///{path}")
    _fill(store)
    store.close()
    raw = bytearray(path.read_bytes())
    for page in range(10, len(raw) // 4096, 3):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)
    facts = read_diagnostics(f"sqlite:///{path}", check_s=10)
    assert facts is not None
    assert facts.damage


def test_a_copy_of_a_database_in_use_is_whole(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'freehold.db'}")
    _fill(store)
    copy_sqlite(tmp_path / "freehold.db", tmp_path / "copy.db")
    _fill(store, count=3)
    copy = Store(f"sqlite:///{tmp_path / 'copy.db'}")
    assert copy.calls.count(CallFilter()) == 450
    assert copy.retention.relocate("/old", "/new") == 0
    copy.close()
    store.close()
