"""Passwords are masked where they are shown, and nothing from outside is obeyed by a terminal."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from made import Run, a_call, a_workspace

from freehold.app.log import PlainFormatter
from freehold.errors import FreeholdError, SettingError
from freehold.gateway.telemetry.access import Accessed, access_line
from freehold.model.key import new_key_text
from freehold.sanitizer import masked, plain_json, plain_json_bytes
from freehold.settings import load_settings
from freehold.store.database import parse_url

SECRET = "hunter2/x@y"
URLS = [
    f"postgresql://app:{SECRET}@db.internal:5432/f",
    f"http://user:{SECRET}@proxy:8080",
    f"https://{'tok' + 'en'}{SECRET.replace('/', '').replace('@', '')}@host/v1",
    f"postgresql://app@db/f?password={SECRET.replace('@', '')}&sslmode=require",
    f"https://host/v1?api_key={SECRET.replace('@', '')}",
]
C1 = "a\x9b31mb\x85c\x7fd\u202ee"


@pytest.mark.parametrize("url", URLS)
def test_a_password_in_a_url_is_masked(url: str) -> None:
    shown = masked(f"cannot reach {url!r}, see the log")
    assert "hunter2" not in shown
    assert "***" in shown
    assert shown.endswith("see the log")


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8700/v1", "https://h:80/a?b=c@d", "a@b.example", "see http://h/x: it is", "n = 1", "::1"]
)
def test_what_is_no_password_is_shown(text: str) -> None:
    assert masked(text) == text


def test_a_gateway_key_is_masked_down_to_its_id() -> None:
    key = new_key_text()
    assert masked(f"the key {key}.") == f"the key {key[:13]}***."


def test_settings_show_no_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD_DATABASE_URL", URLS[0])
    for arguments in (("settings",), ("settings", "--json")):
        shown = run(*arguments)
        assert "hunter2" not in shown.output
        assert "postgresql://app:***@db.internal:5432/f" in shown.output


def test_errors_and_logs_show_no_password() -> None:
    for url in (f"mysql://app:{SECRET}@h/d", f"postgresql://app:{SECRET}@h:port/d"):
        with pytest.raises((SettingError, FreeholdError)) as caught:
            parse_url(url)
        assert "hunter2" not in str(caught.value)
    with pytest.raises(SettingError) as caught:
        load_settings(environment={"FREEHOLD_GATEWAY_PORT": URLS[0]})
    assert "hunter2" not in str(caught.value)
    try:
        raise RuntimeError(f"no {URLS[0]} {C1}")
    except RuntimeError:
        record = logging.LogRecord("freehold", logging.ERROR, "", 1, "at %s", (URLS[1] + C1,), sys.exc_info())
    line = PlainFormatter("%(message)s").format(record)
    assert "hunter2" not in line
    assert not set("\x9b\x85\x7f\u202e\x1b") & set(line)
    assert "\\x9b31m" in line
    assert "Traceback" in line
    assert "\n" in line


def test_control_characters_are_escaped_in_json(run: Run, tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    state = workspace.state
    workspace.store.calls.add([a_call(tags={"row": C1}, user_key=C1)])
    workspace.store.close()
    shown = run("--state", str(state), "calls", "--json").stdout
    assert not set("\x9b\x85\x7f\u202e") & set(shown)
    assert json.loads(shown.splitlines()[0])["tags"]["row"] == C1, "the value is the same"
    accessed = Accessed(
        at=0.0, id="i", task=C1, provider="p", arm="rented", model=C1, status=200, latency_ms=1.0, error=None
    )
    line = access_line(accessed)
    assert not set("\x9b\x85\x7f\u202e") & set(line.decode())
    assert json.loads(line)["model"] == C1


def test_every_control_character_is_escaped_and_others_are_not() -> None:
    obeyed = [*range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    for code in obeyed:
        text = json.dumps(chr(code), ensure_ascii=False)
        assert plain_json(text) == f'"\\u{code:04x}"'
        assert plain_json_bytes(text.encode()) == f'"\\u{code:04x}"'.encode()
    for text in ('"é ü 漢 🙂 \u00a0 \u200d"', '"plain"'):
        assert plain_json(text) == text
        assert plain_json_bytes(text.encode()) == text.encode()
