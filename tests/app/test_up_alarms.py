"""Alarms: events reach whoever the settings name, and nobody waits for an alarm that is slow, hangs or fails."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from app.alarms_of_others import Leaving
from watch.moved import Moved, a_moved_task

from freehold import plugins
from freehold.app import alarm_sender
from freehold.app.alarm_sender import MOST_WAITING, AlarmSender, make_alarms
from freehold.errors import SettingError
from freehold.plugins import ALARMS
from freehold.settings import Settings, load_settings
from freehold.watch.alarms import Event
from freehold.watch.alarms.log import LogAlarm
from freehold.watch.alarms.webhook import WebhookAlarm
from freehold.watch.run.monitor import Monitor

EVENT = Event(kind="route_taken_back", text="triage: rented: <!channel> & more", at=1.0, task="triage")
SETTINGS: Mapping[str, str | float | int | bool] = {"watch.webhook_env": "HOOK"}


class Hook:
    """A webhook on loopback that answers with these statuses, one after the other, and keeps what it was sent."""

    def __init__(self, *statuses: int) -> None:
        self.got: list[dict[str, Any]] = []
        left = list(statuses)
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(left.pop(0) if left else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def settings() -> Settings:
    return load_settings(environment={})


class Kept:
    """An alarm that keeps what it was told, after it has failed so many times, or hangs until it is let go."""

    def __init__(self, failures: int = 0, *, hangs: bool = False) -> None:
        self.events: list[Event] = []
        self.failures = failures
        self.gate = threading.Event()
        if not hangs:
            self.gate.set()

    def send(self, event: Event) -> None:
        self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("away")
        self.events.append(event)


def wait_for(what: Any) -> None:
    deadline = time.monotonic() + 30.0
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert what()


def test_a_webhook_gets_the_words_in_slacks_format_and_again_when_it_failed() -> None:
    hook = Hook(503, 500, 200)
    sender = AlarmSender({"webhook": WebhookAlarm(SETTINGS, {"HOOK": hook.url})}, pauses_s=(0.01, 0.01))
    sender.send(EVENT)
    wait_for(lambda: len(hook.got) == 3)
    assert hook.got[-1] == {"text": "triage: rented: &lt;!channel&gt; &amp; more"}
    sender.close()
    hook.server.shutdown()


def test_what_no_try_could_send_is_in_the_log_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    hook = Hook(*[500] * 9)
    sender = AlarmSender({"webhook": WebhookAlarm(SETTINGS, {"HOOK": hook.url})}, pauses_s=(0.01,))
    sender.send(EVENT)
    wait_for(lambda: "was not sent" in caplog.text)
    assert "answered with status 500" in caplog.text
    assert "/services/" not in caplog.text
    sender.close()
    hook.server.shutdown()


@pytest.mark.parametrize("url", ["", "  ", "ftp://host/x", "http://", "http://host:99999999/", "nonsense"])
def test_a_webhook_without_a_fit_url_is_an_error_that_names_the_variable(url: str) -> None:
    with pytest.raises(SettingError, match="HOOK"):
        WebhookAlarm(SETTINGS, {"HOOK": url})


def test_nobody_waits_for_an_alarm_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    stuck, quick = Kept(hangs=True), Kept(failures=2)
    sender = AlarmSender({"stuck": stuck, "quick": quick}, pauses_s=(0.001, 0.001, 0.001))
    for number in range(1, MOST_WAITING + 5):
        sender.send(EVENT)
        wait_for(lambda number=number: len(quick.events) == number)
    assert "The alarm stuck is too slow" in caplog.text
    stuck.gate.set()
    sender.close()


def test_without_an_alarm_the_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    AlarmSender({}).send(EVENT)
    LogAlarm({}, {}).send(EVENT)
    assert caplog.text.count(EVENT.text) == 2


def test_the_settings_name_the_alarms_and_a_wrong_one_is_left_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    named = settings.override({"watch.alarms": "log, webhook, pager,, "})
    assert list(make_alarms(named, {})) == ["log"]
    assert "The alarm webhook is off" in caplog.text
    assert "ALARM_WEBHOOK_URL is not set" in caplog.text
    assert "There is no 'pager' among alarms" in caplog.text
    assert "Known: log, webhook" in caplog.text
    hooked = make_alarms(settings.override({"watch.alarms": "webhook"}), {"ALARM_WEBHOOK_URL": "http://127.0.0.1:9/x"})
    assert list(hooked) == ["webhook"]
    assert make_alarms(settings.override({"watch.alarms": ""}), {}) == {}


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """Entry points that other packages offer."""
    entries: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [e for e in entries if e.group == group])
    return entries


def test_an_alarm_of_another_package_is_loaded_by_its_name(
    offered: list[EntryPoint], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    offered += [
        EntryPoint("mine", "app.alarms_of_others:Mine", "freehold.alarms"),
        EntryPoint("broken", "live.no_such_module:Mine", "freehold.alarms"),
        EntryPoint("odd", "app.alarms_of_others:odd", "freehold.alarms"),
        EntryPoint("log", "app.alarms_of_others:Mine", "freehold.alarms"),
    ]
    assert "mine" in ALARMS.names()
    made = make_alarms(settings.override({"watch.alarms": "mine, broken, odd, log"}), {})
    assert list(made) == ["mine"]
    assert "cannot be loaded from freehold: ModuleNotFoundError" in caplog.text
    assert "its maker failed (ZeroDivisionError" in caplog.text
    assert "'log' of alarms is offered by several packages" in caplog.text


def test_a_route_that_is_taken_back_is_told(tmp_path: Path) -> None:
    moved: Moved = a_moved_task(tmp_path)
    told: list[Event] = []
    moved.put()
    for _ in range(60):
        moved.local(audit='{"intent": "other", "urgency": 9}')
    moved.now = moved.clock + 3600.0
    monitor = Monitor(moved.workspace, clock=lambda: moved.now, tell=told.append)
    for _ in range(5):
        monitor.look()
    assert [(event.kind, event.details["route"]) for event in told] == [("route_taken_back", "rented")]
    assert moved.route.reason in told[0].text
    moved.workspace.store.close()


def test_an_alarm_that_hangs_leaves_or_lacks_something_is_one_line_and_off(
    offered: list[EntryPoint], settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_sender, "LOAD_S", 0.2)
    names = ("stuck", "leaving", "mute")
    offered += [EntryPoint(name, f"app.alarms_of_others:{name}", "freehold.alarms") for name in names]
    assert list(make_alarms(settings.override({"watch.alarms": "stuck, leaving, mute, log"}), {})) == ["log"]
    told = [record.getMessage() for record in caplog.records]
    assert [" is off: " in line and "\n" not in line for line in told] == [True] * 3
    assert "TimeoutError" in told[0]
    assert "SystemExit: 3" in told[1]
    assert "it has no send" in told[2]


def test_an_alarm_that_ends_the_process_when_it_sends_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    sender = AlarmSender({"leaving": Leaving({}, {})}, pauses_s=(0.001,))
    for number in (1, 2):
        sender.send(EVENT)
        wait_for(lambda number=number: caplog.text.count("The alarm leaving was not sent") == number)
    assert all("\n" not in record.getMessage() for record in caplog.records)
    sender.close()
