"""What a command sees of the journal: everything that was in it when the command began."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
from made import an_estate

from freehold.errors import BusyError
from freehold.loop.estate import Estate
from freehold.loop.journal import catch_up, delivering, journal_folder
from freehold.record import Decision, Exchange, Journal, RequestSide, ResponseSide
from freehold.store import CallFilter

WAIT_S = 30.0


def _an_exchange(number: int) -> Exchange:
    request = RequestSide(
        id=f"0190-{number:08d}",
        created_at=1_763_900_000.0,
        dialect="openai-chat",
        method="POST",
        path="/v1/chat/completions",
        body=b'{"model":"m","messages":[]}',
    )
    return Exchange(request, Decision(provider="up"), ResponseSide(status=200, body=b"{}"))


def _filled(estate: Estate, count: int) -> Journal:
    journal = Journal(journal_folder(estate.settings))
    for number in range(count):
        journal.append(_an_exchange(number))
    return journal


def test_without_a_gateway_a_command_delivers_itself(tmp_path: Path) -> None:
    estate = an_estate(tmp_path)
    journal = _filled(estate, 700)
    assert catch_up(estate).calls == 0
    assert estate.store.calls.count(CallFilter()) == 700
    journal.append(_an_exchange(700))
    journal.close()
    catch_up(estate)
    assert estate.store.calls.count(CallFilter()) == 701
    assert not journal.folder.exists()
    estate.store.close()


def test_beside_a_gateway_a_command_waits_for_it(tmp_path: Path) -> None:
    estate = an_estate(tmp_path)
    journal = _filled(estate, 5)
    with delivering(estate.settings, estate.store.calls.add) as delivery:
        with pytest.raises(BusyError), delivering(estate.settings, estate.store.calls.add):
            pass
        waiting = catch_up(estate, patience_s=0.05)
        assert (waiting.calls, estate.store.calls.count(CallFilter())) == (5, 0)
        ending = threading.Event()
        thread = threading.Thread(target=delivery.run, args=(ending,))
        thread.start()
        assert catch_up(estate, patience_s=WAIT_S).calls == 0
        assert estate.store.calls.count(CallFilter()) == 5
        ending.set()
        thread.join(WAIT_S)
    journal.close()
    estate.store.close()


def test_a_database_that_refuses_is_waited_for_no_longer_than_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: object, _calls: object) -> None:
        raise OSError("disk full")

    estate = an_estate(tmp_path)
    journal = _filled(estate, 3)
    monkeypatch.setattr(type(estate.store.calls), "add", refuse)
    began = time.monotonic()
    waiting = catch_up(estate, patience_s=0.05)
    assert time.monotonic() - began < WAIT_S
    assert (waiting.calls, waiting.problem) == (3, "OSError: disk full")
    journal.close()
    estate.store.close()


def test_the_command_line_shows_calls_that_were_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from freehold.cli.commands import cli

    estate = an_estate(tmp_path / ".freehold")
    _filled(estate, 3).close()
    estate.store.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["freehold"])
    result = CliRunner().invoke(cli, ["calls"])
    assert result.exit_code == 0
    assert "3 of 3 calls" in result.stderr
