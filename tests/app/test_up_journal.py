"""What a command sees of the journal: everything that was in it when the command began."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
from made import a_workspace

from freehold.errors import BusyError
from freehold.pipeline.workspace import Workspace
from freehold.record import Decision, Exchange, Journal, RequestSide, ResponseSide
from freehold.record.run.journal import catch_up, delivering, journal_folder
from freehold.sort.run.known_tasks import KnownTasks
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


def _filled(workspace: Workspace, count: int) -> Journal:
    journal = Journal(journal_folder(workspace.settings))
    for number in range(count):
        journal.append(_an_exchange(number))
    return journal


def test_without_a_gateway_a_command_delivers_itself(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    journal = _filled(workspace, 700)
    assert catch_up(workspace).calls == 0
    assert workspace.store.calls.count(CallFilter()) == 700
    journal.append(_an_exchange(700))
    journal.close()
    catch_up(workspace)
    assert workspace.store.calls.count(CallFilter()) == 701
    assert not journal.folder.exists()
    workspace.store.close()


def test_beside_a_gateway_a_command_waits_for_it(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    journal = _filled(workspace, 5)
    with delivering(workspace.settings, KnownTasks(lambda: workspace.store).record) as delivery:
        with pytest.raises(BusyError), delivering(workspace.settings, KnownTasks(lambda: workspace.store).record):
            pass
        waiting = catch_up(workspace, patience_s=0.05)
        assert (waiting.calls, workspace.store.calls.count(CallFilter())) == (5, 0)
        ending = threading.Event()
        thread = threading.Thread(target=delivery.run, args=(ending,))
        thread.start()
        assert catch_up(workspace, patience_s=WAIT_S).calls == 0
        assert workspace.store.calls.count(CallFilter()) == 5
        ending.set()
        thread.join(WAIT_S)
    journal.close()
    workspace.store.close()


def test_a_database_that_refuses_is_waited_for_no_longer_than_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_anything: object) -> None:
        raise OSError("disk full")

    workspace = a_workspace(tmp_path)
    journal = _filled(workspace, 3)
    monkeypatch.setattr(type(workspace.store.calls), "add", refuse)
    began = time.monotonic()
    waiting = catch_up(workspace, patience_s=0.05)
    assert time.monotonic() - began < WAIT_S
    assert (waiting.calls, waiting.problem) == (3, "OSError: disk full")
    journal.close()
    workspace.store.close()


def test_the_command_line_shows_calls_that_were_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from freehold.cli.commands import cli

    workspace = a_workspace(tmp_path / ".freehold")
    _filled(workspace, 3).close()
    workspace.store.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["freehold"])
    result = CliRunner().invoke(cli, ["calls"])
    assert result.exit_code == 0
    assert "3 of 3 calls" in result.stderr
